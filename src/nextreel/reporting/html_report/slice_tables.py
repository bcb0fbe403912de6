"""What the report tells besides the board itself: the data's profile, who leads by how much, slices as tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.leaderboard import FEWEST_QUERIES, Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.evaluation.significance import PairedTest

EXPLAINED = {
    "gap": "Time from the person's last known rating to the query",
    "history": "Ratings known of the person",
    "activity": "Days on which the person had rated",
    "popularity": "Share of all people who had rated the movie that was liked",
    "movie age": "From the release of the movie that was liked to the query",
    "genre": "Of the movie that was liked; it may have several",
    "gender": "Of the person, as the data has it",
    "age": "Of the person, in the data's bands",
    "occupation": "Of the person, by the data's code",
}
"""What each family of slices is cut by, in words."""
SHADES = (0.5, 0.7, 0.9, 1.1, 1.4, 2.0)
"""Where one shade of a slice ends and the next begins, as a ratio to the model's figure over all queries."""


@dataclass(frozen=True)
class Lead:
    """Who is ahead under one history."""

    best: str
    figure: Estimate
    second: str | None
    """The next by its figure; None for a model that stands alone."""
    test: PairedTest | None
    """Of the two."""
    chance: float
    """The highest of Holm's p of the tests of the best model with each other one; 1 without tests."""
    rivals: tuple[str, ...]
    """Models that the best one isn't shown to be better than."""


def lead_of(board: Leaderboard, history: HistoryMode) -> Lead:
    """The best model of a history and what its lead is worth."""
    ranked = board.ranked(history)
    best, others = ranked[0], ranked[1:]
    tests = {
        other: test
        for other in others
        for test in board.tests
        if test.history == history and {test.better, test.worse} == {best, other}
    }
    return Lead(
        best,
        board.figures[history][best].metrics[board.main],
        others[0] if others else None,
        tests[others[0]] if others else None,
        max((test.adjusted_p for test in tests.values()), default=1.0),
        tuple(other for other, test in tests.items() if not test.significant),
    )


def all_rows(parts: TrainTest) -> pl.DataFrame:
    """Rows of both parts in order of time; one that stands in both counts once."""
    train = parts.train.interactions()
    test = parts.test.select(train.columns).join(train, on=train.columns, how="anti")
    return pl.concat([train, test]).sort(TIMESTAMP, maintain_order=True)


@dataclass(frozen=True)
class PartCounts:
    """How much one part holds."""

    name: str
    rows: int
    users: int
    movies: int
    positives: int
    first: int
    """POSIX seconds."""
    last: int


def count_parts(parts: TrainTest) -> list[PartCounts]:
    """The train and the test part."""
    return [
        PartCounts(
            name,
            len(rows),
            rows[USER_ID].n_unique(),
            rows[MOVIE_ID].n_unique(),
            int((rows[RATING] >= parts.threshold).sum()),
            *rows.select(pl.min(TIMESTAMP).alias("first"), pl.max(TIMESTAMP).alias("last")).row(0),
        )
        for name, rows in (("train", parts.train.interactions()), ("test", parts.test))
    ]


def count_months(rows: pl.DataFrame) -> list[tuple[str, int]]:
    """Rows of each month from the first to the last."""
    month = pl.from_epoch(TIMESTAMP).dt.truncate("1mo")
    found = rows.group_by(month.alias("month")).len().sort("month").upsample("month", every="1mo")
    return [(f"{month:%Y-%m}", count or 0) for month, count in found.select("month", "len").iter_rows()]


@dataclass(frozen=True)
class Cell:
    """One model in one slice."""

    figure: Estimate
    shade: int
    """From -3, far below the model's figure over all queries, to 3, far above it."""
    weak: bool
    """Whether it is one of the slices of this model that are called weak."""
    best: bool
    """Whether no other model has a higher figure here."""


@dataclass(frozen=True)
class SliceRow:
    """One slice."""

    name: str
    queries: int
    few: bool
    """Whether there are too few queries to judge."""
    cells: list[Cell]
    """In the order of the leaderboard."""


def group_slices(board: Leaderboard, history: HistoryMode) -> dict[str, list[SliceRow]]:
    """Rows of the tables of slices, by family, such as "gap"."""
    names = board.ranked(history)
    weak = {name: board.weakest(history, name) for name in names}
    families: dict[str, list[SliceRow]] = {}
    for part, inside in board.slices[history].items():
        family, _, name = part.partition(": ")
        queries = int(inside.sum())
        figures = [board.figures[history][each].slices[part] for each in names]
        highest = max(figure.mean for figure in figures)
        cells = [
            Cell(
                figure,
                _shade(figure.mean, board.figures[history][each].metrics[board.main].mean),
                part in weak[each],
                figure.mean == highest > 0 and len(names) > 1,
            )
            for each, figure in zip(names, figures, strict=True)
        ]
        families.setdefault(family, []).append(SliceRow(name, queries, queries < FEWEST_QUERIES, cells))
    return families


def _shade(mean: float, overall: float) -> int:
    ratio = mean / overall if overall else math.nan
    return _count_below(SHADES, ratio) - len(SHADES) // 2 if overall else 0


def _count_below(edges: Sequence[float], value: float) -> int:
    return sum(edge <= value for edge in edges)
