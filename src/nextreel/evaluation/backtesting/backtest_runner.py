"""Backtest: a model's quality along global time, refitted before each window or never again.

Time from a start on is cut into windows of equal length. Each positive of a window is a query, answered by

`refitted`        the model as fitted on everything before the window's first second;
`never refitted`  the model as fitted on everything before the start.

Both answer from the live history, everything strictly before the query's Timestamp, so their difference is what
the refits are worth, on the very same queries: the price of a model's age, free of what else changes over time
(prequential evaluation: Vinagre, Jorge & Gama, "Evaluation of recommender systems in streaming environments", 2014;
splits by global time: Ji et al., "A Critical Study on Data Leakage in Recommender System Offline Evaluation",
TOIS 2023).

A fit sees no row of its cut's second or later, no user who came later, and of the movies those in movies.csv and
those rated by then.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

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
from nextreel.version import __version__

PLAN, FIRST_MODEL, WINDOWS = "plan.json", "first-model", "windows"


def run_backtest(
    tables: Tables,
    plan: BacktestPlan,
    directory: Path,
    report: Callable[[int, int, str], None] = lambda *_: None,
) -> Backtest:
    """Run the windows that aren't finished yet; each is kept in the directory as soon as it is.

    `report` is told of windows done, windows in all, and what comes next. Raises ArtifactError for a directory
    that holds something else, QueryError for a start with nothing before it or nothing to ask after it.
    """
    rows = tables.interactions.sort(TIMESTAMP, maintain_order=True)
    everything = Dataset.from_tables(replace(tables, interactions=rows))
    windows = cut_windows(rows, plan, everything.positive_rating)
    about = _describe(plan, everything)
    claim_directory(directory, PLAN, about)
    asker = _Asker(tables, rows, plan, everything.positive_rating, directory / FIRST_MODEL)
    answers = []
    for done, window in enumerate(windows):
        report(
            done,
            len(windows),
            f"window {done + 1} of {len(windows)}, from {format_timestamp(window.opens)[:10]}",
        )
        file = directory / WINDOWS / f"{window.number:04}.parquet"
        if not file.is_file():
            write_table(asker.answer(window), file)
        answers.append(_read_answers(file, window))
    return Backtest(plan, about, windows, pl.concat(answers))


def know_before(tables: Tables, moment: int) -> Dataset:
    """What was known before a moment: its rows, the users who had come by then, the movies listed or rated."""
    rows = tables.interactions.filter(pl.col(TIMESTAMP) < moment)
    users = None if tables.users is None else tables.users.join(rows, on=USER_ID, how="semi")
    return Dataset.from_tables(replace(tables, interactions=rows, users=users))


@dataclass(frozen=True)
class _Asker:
    """Fits models before windows and asks them."""

    tables: Tables
    rows: pl.DataFrame
    """All interactions in order of time."""
    plan: BacktestPlan
    positive_rating: float
    first_model: Path
    """Where the model that is never refitted is kept."""

    def answer(self, window: Window) -> pl.DataFrame:
        """A row for each positive of the window, as in `Backtest.answers`."""
        before = self.rows.filter(pl.col(TIMESTAMP) < window.opens)
        queries = self.rows.filter(
            (pl.col(TIMESTAMP) >= window.opens)
            & (pl.col(TIMESTAMP) < window.closes)
            & (pl.col(RATING) >= self.positive_rating)
        ).select(USER_ID, MOVIE_ID, TIMESTAMP)
        ranks = {NEVER_REFITTED: self._ask(self._first, queries, window)}
        if self.plan.refits:
            is_first = window.opens == self.plan.start
            ranks[REFITTED] = (
                ranks[NEVER_REFITTED] if is_first else self._ask(self._fit(window.opens), queries, window)
            )
        new = ~np.isin(queries[USER_ID].to_numpy(), before[USER_ID].to_numpy())
        return queries.with_columns(pl.Series(name, each) for name, each in {"New": new, **ranks}.items())

    @cached_property
    def _first(self) -> Predictor:
        if (self.first_model / MANIFEST).is_file():
            return load(self.first_model)
        predictor = self._fit(self.plan.start)
        save(predictor, self.first_model)
        return predictor

    def _fit(self, moment: int) -> Predictor:
        dataset = know_before(self.tables, moment)
        return Predictor(self.plan.create_model().fit(dataset), dataset)

    def _ask(self, predictor: Predictor, queries: pl.DataFrame, window: Window) -> Int64Array:
        known = predictor.dataset.with_rows(self.rows.filter(pl.col(TIMESTAMP) < window.closes))
        histories = known.histories(queries[USER_ID].to_numpy(), queries[TIMESTAMP].to_numpy())
        questions = EvaluationQueries(queries, known, histories)
        return ranks_of(questions.rank_with(predictor.model, K).movies, questions.relevant)


def _describe(plan: BacktestPlan, everything: Dataset) -> dict[str, Any]:
    model = plan.create_model()
    return {
        "nextreel": __version__,
        "model": model_name(model),
        "config": model.config.model_dump(mode="json"),
        "start": format_timestamp(plan.start),
        "every_days": plan.every / DAY,
        "refits": plan.refits,
        "data": everything.fingerprint,
    }


def _read_answers(file: Path, window: Window) -> pl.DataFrame:
    try:
        answers = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{file} is damaged ({error}): remove it and run again") from None
    return answers.select(pl.lit(window.number).alias("Window"), pl.all())
