"""All our models and the peers on the same queries: paired tests, slices, properties of the lists, and costs.

A row of the leaderboard is another benchmark, which is run first if it hasn't left its outputs yet: a `quality`
benchmark leaves its fitted model, a `peers` benchmark its recommendation lists. The metrics must equal those in the
rows' own result files.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks.run import Config, Result, find_outputs, read_result
from nextreel.artifacts import MANIFEST
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import read_train_test
from nextreel.errors import DataError
from nextreel.evaluation.comparison.contestants import parse_contestants
from nextreel.evaluation.comparison.leaderboard import compare_models
from nextreel.evaluation.protocol import DEFAULT_TIES, EvaluationQueries, HistoryMode

COSTS = ("fit_seconds", "fit_cpu_seconds", "peak_memory_gib")


def measure(config: Config, data: Path) -> Result:
    """Return the leaderboard of all rows under frozen histories, and that of our own models under live ones too.

    Raises DataError if a metric differs from the row's own result file.
    """
    rows: Mapping[str, str] = config["rows"]
    paths = {name: find_outputs(row, data) for name, row in rows.items()}
    our_models = {name: path for name, path in paths.items() if (path / MANIFEST).is_file()}
    rule = config["split"]["rule"]
    parts = read_train_test(data, rule)
    queries = EvaluationQueries.from_split(parts.train, parts.test, "frozen", parts.threshold).rows
    with TemporaryDirectory() as directory:
        for name in paths.keys() - our_models.keys():
            file = Path(directory) / f"{rows[name]}.parquet"
            _write_wide(paths[name] / "answers.parquet", queries, file)
            paths[name] = file
        models: dict[HistoryMode, dict[str, Path]] = {"frozen": paths, "live": our_models}
        boards: dict[HistoryMode, Any] = {}
        for history, by_name in models.items():
            contestants = parse_contestants([f"{name}={path}" for name, path in by_name.items()], {})
            boards[history] = compare_models(data, contestants, rule, [history], config["cutoffs"]).facts()
    for board in boards.values():
        data_facts = board.pop("data")
        for model in board["models"]:
            _add_costs(model, rows[model["name"]])
    return {"data": data_facts, "frozen": boards["frozen"], "live": boards["live"]}


def _write_wide(lists_file: Path, queries: pl.DataFrame, file: Path) -> None:
    """Write a peer's lists (query, rank, MovieID) with one row per query: UserID, Timestamp, MovieID1, MovieID2, ..."""
    lists = pl.read_parquet(lists_file).pivot("rank", index="query", values=MOVIE_ID, sort_columns=True)
    lists = lists.rename({rank: f"{MOVIE_ID}{rank}" for rank in lists.columns if rank != "query"})
    lists = lists.with_columns(pl.col("query").cast(pl.Int64))
    keys = queries.select(USER_ID, TIMESTAMP).with_row_index("query")
    keys = keys.with_columns(pl.col("query").cast(pl.Int64))
    keys.join(lists, on="query").drop("query").write_parquet(file)


def _add_costs(model: Result, row: str) -> None:
    """Add the costs that the row's own benchmark measured, after checking that its metrics are the same."""
    result = read_result(row)
    model["row"] = row
    model.update({cost: result[cost] for cost in COSTS if cost in result})
    for evaluation in result["evaluations"]:
        protocol = evaluation["protocol"]
        history = protocol["history"]
        if history not in model["histories"] or not protocol["exclude_seen"] or "member" in evaluation:
            continue
        if protocol.get("ties", DEFAULT_TIES[history]) != DEFAULT_TIES[history]:
            continue
        measured = model["histories"][history]["metrics"]["NDCG@10"]["mean"]
        expected = evaluation["metrics"]["NDCG@10"]["mean"]
        if abs(measured - expected) > 1e-9:
            raise DataError(
                f"{row}: NDCG@10 is {expected} in its result file, but {measured} here; "
                "run that benchmark again"
            )
