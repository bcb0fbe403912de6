"""All our models and the peers on the same queries, in one comparison: paired tests, slices, lists and costs.

A row is another benchmark: a `quality` one leaves its fitted model behind, a `peers` one its answers, and a row that
was never measured here is measured first. Whatever the rows' result files say at the same cutoff must come out again.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks.run import left_by, read_result
from nextreel.artifacts import MANIFEST
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import read_train_test
from nextreel.errors import DataError
from nextreel.evaluation.comparison.contestants import parse_contestants
from nextreel.evaluation.comparison.leaderboard import compare_models
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode

COSTS = ("fit_seconds", "fit_cpu_seconds", "peak_memory_gib")


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """The leaderboard of all rows under frozen history, and that of our own under live history too."""
    rows: Mapping[str, str] = config["rows"]
    paths = {shown: left_by(row, data) for shown, row in rows.items()}
    rule = config["split"]["rule"]
    parts = read_train_test(data, rule)
    with TemporaryDirectory() as name:
        ours = {shown: path for shown, path in paths.items() if (path / MANIFEST).is_file()}
        queries = EvaluationQueries.from_split(parts.train, parts.test, "frozen", parts.threshold).rows
        for shown in paths.keys() - ours.keys():
            paths[shown] = _widen(
                paths[shown] / "answers.parquet", queries, Path(name) / f"{rows[shown]}.parquet"
            )
        asked: dict[HistoryMode, dict[str, Path]] = {"frozen": paths, "live": ours}
        boards: dict[HistoryMode, dict[str, Any]] = {}
        for history, chosen in asked.items():
            contestants = parse_contestants([f"{shown}={path}" for shown, path in chosen.items()], {})
            boards[history] = compare_models(data, contestants, rule, [history], config["cutoffs"]).facts()
    for board in boards.values():
        facts = board.pop("data")
        for model in board["models"]:
            _add_costs(model, rows[model["name"]])
    return {"data": facts, "frozen": boards["frozen"], "live": boards["live"]}


def _widen(answers: Path, queries: pl.DataFrame, file: Path) -> Path:
    """Write a peer's answers (query, rank, MovieID) in the form of answers by user and moment."""
    lists = pl.read_parquet(answers).pivot("rank", index="query", values=MOVIE_ID, sort_columns=True)
    names = {rank: f"{MOVIE_ID}{rank}" for rank in lists.columns if rank != "query"}
    keys = (
        queries.select(USER_ID, TIMESTAMP)
        .with_row_index("query")
        .with_columns(pl.col("query").cast(pl.Int64))
    )
    lists = lists.rename(names).with_columns(pl.col("query").cast(pl.Int64))
    keys.join(lists, on="query").drop("query").write_parquet(file)
    return file


def _add_costs(model: dict[str, Any], row: str) -> None:
    """Costs as the row's own run had them; DataError if its figures were others."""
    result = read_result(row)
    model["row"] = row
    model.update({cost: result[cost] for cost in COSTS if cost in result})
    for evaluation in result["evaluations"]:
        history = evaluation["protocol"]["history"]
        if (
            history in model["histories"]
            and evaluation["protocol"]["exclude_seen"]
            and "member" not in evaluation
        ):
            found, expected = (
                model["histories"][history]["metrics"]["NDCG@10"],
                evaluation["metrics"]["NDCG@10"],
            )
            if abs(found["mean"] - expected["mean"]) > 1e-9:
                raise DataError(
                    f"{row} has NDCG@10 {expected['mean']} in its result file and {found['mean']} here: run it again"
                )
