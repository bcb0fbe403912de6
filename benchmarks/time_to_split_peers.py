"""Another library's model by the protocol of "Time to Split", beside ours: `benchmarks.time_to_split`.

The library learns from the same train rows and is asked about the same targets, under both rules for ties. It gets each
user's rows in order and, for each target, how many of them are its history; that includes rows after its fit. Whether
it keeps to these is its adapter's code, `benchmarks.peers`. Lists are refused, and missing ones replaced by those of
popularity, as in `benchmarks.peers.scoring`.
"""

import tempfile
from pathlib import Path

import polars as pl

from benchmarks.peers.scoring import rank_relevant, run_peer, write_task
from benchmarks.run import Config, Result
from benchmarks.time_to_split import TIES, K, TargetSplit, describe_ranks
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, USER_ID
from nextreel.data.timeline import Ties
from nextreel.errors import DataError
from nextreel.evaluation.protocol import EvaluationQueries

Questions = dict[Ties, EvaluationQueries]
"""A query for every target by rule for ties; the peer's queries are numbered through all rules."""


def measure(config: Config, data: Path) -> Result:
    """Return the counts of the data, the costs of the peer's fit and of its answers, and the metrics by rule."""
    split = TargetSplit.read(data)
    questions: Questions = {ties: split.queries(ties) for ties in TIES}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_task(directory, {**config, "k": K}, split.train)
        write_questions(directory, questions)
        lists, report = run_peer(directory, config)
    train = split.dataset(split.train)
    return {
        "data": {"sha256": train.fingerprint, **split.counts()},
        "peer_versions": report.pop("versions"),
        **report,
        "evaluations": evaluate_answers(lists, questions, train),
    }


def write_questions(directory: Path, questions: Questions) -> None:
    """Write histories.parquet and queries.parquet; a query says nothing about its target."""
    dataset = next(iter(questions.values())).dataset
    rows = dataset.interactions().select(USER_ID, MOVIE_ID)
    rows.write_parquet(directory / "histories.parquet")
    queries = [
        queries.rows.select(USER_ID).with_columns(history=queries.histories.lengths)
        for queries in questions.values()
    ]
    pl.concat(queries).with_row_index("query").write_parquet(directory / "queries.parquet")


def evaluate_answers(lists: pl.DataFrame, questions: Questions, train: Dataset) -> list[Result]:
    """Return the metrics of the peer's lists (query, rank, MovieID) under each rule for ties.

    Raises DataError if a list contains a movie twice, a movie that the user has seen, or one outside the catalog.
    """
    n_queries = sum(map(len, questions.values()))
    if not lists["query"].is_between(0, n_queries - 1).all():
        raise DataError(f"answers.parquet: expected queries 0 to {n_queries - 1}")
    evaluations = []
    first = 0
    for ties, queries in questions.items():
        own = lists.with_columns(pl.col("query").cast(pl.Int64) - first)
        own = own.filter(pl.col("query").is_between(0, len(queries) - 1))
        ranks, has_list = rank_relevant(own, queries, train, K)
        by_popularity = len(queries) - int(has_list.sum())
        evaluations.append({**describe_ranks(ranks, queries, ties), "answered_by_popularity": by_popularity})
        first += len(queries)
    return evaluations
