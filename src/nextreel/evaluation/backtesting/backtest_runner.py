"""The backtest: the quality of a model over time, refitted before each window or never.

From the start on, time is cut into windows of equal length. Each positive of a window is a query, ranked by

`refitted`        a model fitted on everything before the window;
`never refitted`  a model fitted on everything before the start.

Both use the live history, everything strictly before the query's Timestamp, so on the same queries their difference
is the effect of the refits alone, whatever else changes over time (prequential evaluation: Vinagre, Jorge & Gama,
"Evaluation of recommender systems in streaming environments", 2014; splits at one time: Ji et al., "A Critical Study
on Data Leakage in Recommender System Offline Evaluation", TOIS 2023).

The training data of a fit end strictly before the window or the start. They hold no user who came later, and only the
movies that are in movies.csv or had been rated by then.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from nextreel.arrays import Int64Array
from nextreel.artifacts import MANIFEST
from nextreel.atomic_files import claim_directory
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.tables import Tables
from nextreel.data.times import DAY, format_timestamp
from nextreel.errors import ArtifactError
from nextreel.evaluation.backtesting.backtest_results import NEVER_REFITTED, REFITTED, Backtest, K
from nextreel.evaluation.backtesting.backtest_windows import BacktestPlan, Window, cut_windows
from nextreel.evaluation.metrics import ranks_of
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.models.registry import model_name
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.tasks import RunTasks, run_here
from nextreel.version import __version__

PLAN, FIRST_MODEL, WINDOWS = "plan.json", "first-model", "windows"
"""Names in the directory of a backtest: the file of its plan, the directory of the model that is never refitted, and
the directory of the ranks of finished windows."""


def run_backtest(
    tables: Tables,
    plan: BacktestPlan,
    directory: Path,
    on_window: Callable[[int, int, str], None] = lambda *_: None,
    run_tasks: RunTasks = run_here,
) -> Backtest:
    """Run a backtest, or continue one that was interrupted; finished windows are kept in the directory.

    Parameters
    ----------
    tables : Tables
        The data set.
    plan : BacktestPlan
        The settings: the model, its options, the start, and the length of the windows.
    directory : Path
        New, empty, or the directory of the same backtest.
    on_window : callable
        Called before each window with the number of windows done, the number of all windows, and a description of
        the window.
    run_tasks : RunTasks
        Ranks the windows, which don't depend on each other. What they share is the rows and the first model: workers
        on other machines needn't have the files, and reading them takes longer than to copy what was read.

    Raises
    ------
    ArtifactError
        The directory holds something else or is damaged.
    QueryError
        There is no interaction before the start or no positive after it.
    ConfigError
        The plan has an unknown model or option.
    """
    tables = replace(tables, interactions=tables.interactions.sort(TIMESTAMP, maintain_order=True))
    dataset = Dataset.from_tables(tables)
    windows = cut_windows(tables.interactions, plan, dataset.positive_rating)
    about = _describe(plan, dataset)
    claim_directory(directory, PLAN, about)
    files = {window: directory / WINDOWS / f"{window.number:04}.parquet" for window in windows}
    missing = [window for window, file in files.items() if not file.is_file()]
    n_done = len(windows) - len(missing)

    def next_windows() -> Iterator[Window]:
        for window in missing:
            opens = format_timestamp(window.opens)[:10]
            note = f"window {windows.index(window) + 1} of {len(windows)}, from {opens}"
            on_window(n_done, len(windows), note)
            yield window

    if missing:
        on_window(n_done, len(windows), "the model that is never refitted")
        first_model = _fit_first(tables, plan, directory / FIRST_MODEL)
        shared = _WindowEvaluator(tables, plan, dataset.positive_rating, first_model)
        for window, ranks in run_tasks(_evaluate_window, shared, next_windows()):
            write_table(ranks, files[window])
            n_done += 1
    on_window(n_done, len(windows), "figures")
    return Backtest(
        plan, about, windows, pl.concat([_read_ranks(file, window) for window, file in files.items()])
    )


def dataset_before(tables: Tables, timestamp: int) -> Dataset:
    """Return what was known strictly before a timestamp: the interactions until then, their users, and the movies that
    are in movies.csv or had been rated."""
    rows = tables.interactions.filter(pl.col(TIMESTAMP) < timestamp)
    users = None if tables.users is None else tables.users.join(rows, on=USER_ID, how="semi")
    return Dataset.from_tables(replace(tables, interactions=rows, users=users))


def _fit_first(tables: Tables, plan: BacktestPlan, directory: Path) -> Predictor:
    """Return the model fitted on everything before the start; it is saved for a backtest that is interrupted."""
    if (directory / MANIFEST).is_file():
        return load(directory)
    predictor = _fit_before(tables, plan, plan.start)
    save(predictor, directory)
    return predictor


def _fit_before(tables: Tables, plan: BacktestPlan, timestamp: int) -> Predictor:
    dataset = dataset_before(tables, timestamp)
    return Predictor(plan.create_model().require_memory(dataset).fit(dataset), dataset)


@dataclass(frozen=True)
class _WindowEvaluator:
    """Ranks the queries of a window with the never-refitted model and, if the plan has refits, with a refitted one."""

    tables: Tables
    """The data set, its interactions sorted by time."""
    plan: BacktestPlan
    positive_rating: float
    never_refitted: Predictor
    """The model fitted on everything before the start."""

    def evaluate(self, window: Window) -> pl.DataFrame:
        """Return the ranks of one window, a row per positive, with the columns of `Backtest.ranks` but Window."""
        rows = self.tables.interactions
        earlier = rows.filter(pl.col(TIMESTAMP) < window.opens)
        queries = rows.filter(
            (pl.col(TIMESTAMP) >= window.opens)
            & (pl.col(TIMESTAMP) < window.closes)
            & (pl.col(RATING) >= self.positive_rating)
        ).select(USER_ID, MOVIE_ID, TIMESTAMP)
        is_new = ~queries[USER_ID].is_in(earlier[USER_ID].unique().implode())
        columns: dict[str, pl.Series | Int64Array] = {
            "New": is_new,
            NEVER_REFITTED: self._rank(self.never_refitted, queries, window),
        }
        if self.plan.refits:
            is_first = window.opens == self.plan.start
            columns[REFITTED] = (
                columns[NEVER_REFITTED]
                if is_first
                else self._rank(_fit_before(self.tables, self.plan, window.opens), queries, window)
            )
        return queries.with_columns(pl.Series(name, column) for name, column in columns.items())

    def _rank(self, predictor: Predictor, rows: pl.DataFrame, window: Window) -> Int64Array:
        """Return the rank of each query's relevant movie in its list, int64[n_queries]; 0 if it isn't there."""
        known = self.tables.interactions.filter(pl.col(TIMESTAMP) < window.closes)
        queries = EvaluationQueries.from_rows(rows, predictor.dataset, known)
        return ranks_of(queries.rank_with(predictor.model, K).movies, queries.relevant)


def _evaluate_window(evaluator: _WindowEvaluator, window: Window) -> pl.DataFrame:
    return evaluator.evaluate(window)


def _describe(plan: BacktestPlan, dataset: Dataset) -> dict[str, JsonValue]:
    """Return the plan with all options and the fingerprint of the data: what makes two backtests the same."""
    model = plan.create_model()
    return {
        "nextreel": __version__,
        "model": model_name(model),
        "config": model.config.model_dump(mode="json"),
        "start": format_timestamp(plan.start),
        "every_days": plan.every / DAY,
        "refits": plan.refits,
        "data": dataset.fingerprint,
    }


def _read_ranks(file: Path, window: Window) -> pl.DataFrame:
    try:
        ranks = pl.read_parquet(file.absolute(), glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{file} is damaged ({error}): remove it and run again") from None
    return ranks.select(pl.lit(window.number).alias("Window"), pl.all())
