"""Our side of a peer's run: write what the peer may know to files, and evaluate its lists as we evaluate ours.

The split, the queries, the metrics and their intervals are those of `nextreel evaluate` with frozen histories. A query
that the peer has no list for gets the list of popularity as of its timestamp, as with our own models.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.run import OUTPUTS, Config, Result, config_hash
from benchmarks.split_data import SplitData
from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import DataError
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.model_evaluation import Evaluation
from nextreel.evaluation.protocol import QUERIES_AT_ONCE, EvaluationQueries
from nextreel.evaluation.slices import slice_by_gap, slice_by_length
from nextreel.models.popularity import Popularity

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-peers"
"""Directory with one environment for each file requirements/peers-*.txt."""
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


def measure(config: Config, data: Path) -> Result:
    """Run a peer in its environment on one thread; return the metrics of its lists as a `quality` benchmark does."""
    split = SplitData.read(data, SplitRule.for_rule(**config["split"]))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_task(directory, config, split.train_rows)
        write_queries(directory, split.test)
        lists, report = run_peer(directory, config)
    evaluation = evaluate_lists(lists, split.train, split.test, config["k"])
    facts = {**evaluation.facts(), "seconds": report.pop("answer_seconds")}
    return {
        "data": split.facts(),
        "peer_versions": report.pop("versions"),
        **report,
        "evaluations": [facts],
    }


def write_task(directory: Path, config: Config, train: pl.DataFrame) -> None:
    """Write task.json and train.csv."""
    task = {name: config[name] for name in ("model", "options", "k", "seed")}
    (directory / "task.json").write_text(json.dumps(task), encoding="utf-8")
    train.select(USER_ID, MOVIE_ID, RATING, TIMESTAMP).write_csv(directory / "train.csv")


def write_queries(directory: Path, test: pl.DataFrame) -> None:
    """Write queries.parquet for the positives of `test`; a query contains only its user and its timestamp."""
    positives = test.filter(pl.col(RATING) >= POSITIVE)
    queries = positives.select(USER_ID, TIMESTAMP).with_row_index("query")
    queries.write_parquet(directory / "queries.parquet")


def run_peer(directory: Path, config: Config) -> tuple[pl.DataFrame, Result]:
    """Run the peer's side on one thread; return its lists, which are kept in OUTPUTS, and its report.

    Raises
    ------
    DataError
        The peer's environment wasn't built.
    subprocess.CalledProcessError
        The peer failed.
    """
    python = ENVIRONMENTS / config["environment"] / "bin" / "python"
    if not python.exists():
        raise DataError(f"{python} is missing; `make peers` builds the peers' environments")
    limits = dict.fromkeys(THREAD_LIMITS, "1")
    command = [str(python), "-m", "benchmarks.peers.recommend", str(directory)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **limits}, check=True)
    outputs = OUTPUTS / config_hash(config)
    outputs.mkdir(parents=True, exist_ok=True)
    shutil.copy(directory / "answers.parquet", outputs)
    report: Result = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return pl.read_parquet(directory / "answers.parquet"), report


def evaluate_lists(lists: pl.DataFrame, train: Dataset, test: pl.DataFrame, k: int) -> Evaluation:
    """Return the metrics of the lists: query (row among the positives of `test`), rank from 1, MovieID.

    Raises DataError if a list contains a movie twice, a movie that the user has seen, or one outside the catalog.
    """
    queries = EvaluationQueries.from_split(train, test, "frozen")
    ranks, has_list = rank_relevant(lists, queries, train, k)
    scores = score_ranks(ranks, [k])
    learned_test_rows = test.join(train.interactions(), on=[USER_ID, MOVIE_ID, TIMESTAMP], how="semi")
    return Evaluation(
        queries.rows,
        ranks,
        personal=int(has_list.sum()),
        outside_catalog=int((queries.relevant < 0).sum()),
        learned_too=len(learned_test_rows),
        protocol={"history": "frozen", "k": k, "threshold": POSITIVE, "exclude_seen": True},
        metrics={name: estimate_mean(values, queries.users) for name, values in scores.items()},
        slices=slice_by_gap(queries.histories, queries.timestamps) | slice_by_length(queries.histories),
    )


def rank_relevant(
    lists: pl.DataFrame, queries: EvaluationQueries, train: Dataset, k: int
) -> tuple[Int64Array, BoolArray]:
    """Return the rank of each query's relevant movie in its list, 0 if it isn't there, and whether there is a list.

    A query without a list gets that of popularity in `train`. Raises DataError as `evaluate_lists` does.
    """
    movies = _movies_by_rank(lists, train, len(queries), k)
    _refuse_seen(movies, queries)
    has_list: BoolArray = np.isin(np.arange(len(queries)), lists["query"].to_numpy())
    if not has_list.all():
        movies[~has_list] = queries[~has_list].rank_with(Popularity().fit(train), k).movies
    relevant = queries.relevant
    return ranks_of(movies, np.where(relevant < 0, train.n_movies, relevant)), has_list


def _refuse_seen(movies: Int64Array, queries: EvaluationQueries) -> None:
    n_movies, timeline = queries.dataset.n_movies, queries.histories.timeline
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        query, row = queries.histories[part].rows()
        seen = query * n_movies + timeline.movies[row]
        listed = np.arange(len(movies[part]))[:, None] * n_movies + movies[part]
        if np.isin(listed[movies[part] >= 0], seen).any():
            raise DataError("answers.parquet recommends movies that the user has seen")


def _movies_by_rank(lists: pl.DataFrame, train: Dataset, n_queries: int, k: int) -> Int64Array:
    """Return int64[n_queries, k]: the index of the movie at each rank, -1 for no movie."""
    query, rank = lists["query"].to_numpy().astype(np.int64), lists["rank"].to_numpy().astype(np.int64)
    if ((query < 0) | (query >= n_queries) | (rank < 1) | (rank > k)).any():
        raise DataError(f"answers.parquet: expected queries 0 to {n_queries - 1} and ranks 1 to {k}")
    movies = train.index_of_movies(lists["MovieID"].to_numpy())
    if (movies < 0).any():
        raise DataError("answers.parquet recommends movies outside the catalog")
    for values, noun in ((rank, "rank"), (movies, "movie")):
        if len(np.unique(np.stack([query, values]), axis=1)[0]) < len(query):
            raise DataError(f"answers.parquet has the same {noun} twice in one list")
    by_rank = np.full((n_queries, k), -1, dtype=np.int64)
    by_rank[query, rank - 1] = movies
    return by_rank
