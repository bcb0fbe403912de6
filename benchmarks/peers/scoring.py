"""Our side of a peer's run: what the peer may know goes into files, and its lists are judged like ours.

The split, the queries, the metrics and their intervals are those of `nextreel evaluate` with frozen history. A
query that the peer leaves unanswered is answered by popularity as of its moment, as it is for our own models.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.run import ANSWERS, config_hash
from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.errors import DataError
from nextreel.evaluation.bootstrap import estimate_mean
from nextreel.evaluation.metrics import ranks_of, score_ranks
from nextreel.evaluation.model_evaluation import Evaluation
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.slices import slice_by_gap, slice_by_length
from nextreel.models.popularity import Popularity

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-peers"
"""One environment for each of requirements/peers-*.txt."""
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Let one peer learn and answer in its environment, on one thread; its figures in the form of our own."""
    tables = read_tables(data)
    split = split_interactions(tables.interactions, SplitRule.for_rule(**config["split"]))
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_task(directory, config, split.train, split.test)
        run_peer(directory, config["environment"])
        answers = pl.read_parquet(directory / "answers.parquet")
        kept = ANSWERS / config_hash(config)
        kept.mkdir(parents=True, exist_ok=True)
        shutil.copy(directory / "answers.parquet", kept)
        report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    evaluation = judge(answers, train, split.test, config["k"])
    facts = {**evaluation.facts(), "seconds": report.pop("answer_seconds")}
    return {
        "data": {
            "sha256": train.fingerprint,
            "train_rows": len(split.train),
            "test_rows": len(split.test),
        },
        "peer_versions": report.pop("versions"),
        **report,
        "evaluations": [facts],
    }


def write_task(directory: Path, config: dict[str, Any], train: pl.DataFrame, test: pl.DataFrame) -> None:
    """task.json, train.csv and queries.parquet; of a query the peer learns the user and the moment only."""
    task = {name: config[name] for name in ("model", "options", "k", "seed")}
    (directory / "task.json").write_text(json.dumps(task), encoding="utf-8")
    train.select(USER_ID, MOVIE_ID, RATING, TIMESTAMP).write_csv(directory / "train.csv")
    positives = test.filter(pl.col(RATING) >= POSITIVE)
    queries = positives.select(USER_ID, TIMESTAMP).with_row_index("query")
    queries.write_parquet(directory / "queries.parquet")


def run_peer(directory: Path, environment: str) -> None:
    """Run the peer's side to its end."""
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        raise DataError(f"{python} is missing; `make peers` builds the peers' environments")
    limits = dict.fromkeys(THREAD_LIMITS, "1")
    command = [str(python), "-m", "benchmarks.peers.answer", str(directory)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **limits}, check=True)


def judge(answers: pl.DataFrame, train: Dataset, test: pl.DataFrame, k: int) -> Evaluation:
    """Metrics of the lists; `answers` has query (row among the positives of `test`), rank from 1 and MovieID.

    A list that names a movie twice, one that the user has seen, or one that isn't in the catalog is refused.
    """
    questions = EvaluationQueries.from_split(train, test, "frozen")
    lists = _as_table(answers, train, len(questions), k)
    query, row = questions.histories.rows()
    seen = query * train.n_movies + train.timeline.movies[row]
    listed = np.arange(len(questions))[:, None] * train.n_movies + lists
    if np.isin(listed[lists >= 0], seen).any():
        raise DataError("answers.parquet recommends movies that the user has seen")
    answered = np.isin(np.arange(len(questions)), answers["query"].to_numpy())
    lists[~answered] = questions[~answered].rank_with(Popularity().fit(train), k).movies
    relevant = questions.relevant
    ranks = ranks_of(lists, np.where(relevant < 0, train.n_movies, relevant))
    scores = score_ranks(ranks, [k])
    learned = test.join(train.interactions(), on=[USER_ID, MOVIE_ID, TIMESTAMP], how="semi")
    return Evaluation(
        questions.rows,
        ranks,
        personal=int(answered.sum()),
        outside_catalog=int((relevant < 0).sum()),
        learned_too=len(learned),
        protocol={"history": "frozen", "k": k, "threshold": POSITIVE, "exclude_seen": True},
        metrics={name: estimate_mean(values, questions.users) for name, values in scores.items()},
        slices=slice_by_gap(questions.histories, questions.timestamps) | slice_by_length(questions.histories),
    )


def _as_table(answers: pl.DataFrame, train: Dataset, n_queries: int, k: int) -> Int64Array:
    """int64[n_queries, k]: movie indices by rank, -1 where there is none."""
    query, rank = answers["query"].to_numpy().astype(np.int64), answers["rank"].to_numpy().astype(np.int64)
    if ((query < 0) | (query >= n_queries) | (rank < 1) | (rank > k)).any():
        raise DataError(f"answers.parquet: expected queries 0 to {n_queries - 1} and ranks 1 to {k}")
    movies = train.index_of_movies(answers["MovieID"].to_numpy())
    if (movies < 0).any():
        raise DataError("answers.parquet recommends movies outside the catalog")
    for other, what in ((rank, "rank"), (movies, "movie")):
        if len(np.unique(np.stack([query, other]), axis=1)[0]) < len(query):
            raise DataError(f"answers.parquet has the same {what} twice in one list")
    lists = np.full((n_queries, k), -1, dtype=np.int64)
    lists[query, rank - 1] = movies
    return lists
