"""Tables of the slices: the main metric of every model in each part of the queries."""

from dataclasses import dataclass

from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.leaderboard import FEWEST_QUERIES, Leaderboard
from nextreel.evaluation.protocol import HistoryMode

FAMILIES = {
    "gap": "Time from the person's last known rating to the query",
    "history": "Number of ratings in the person's history",
    "activity": "Number of days on which the person had rated",
    "popularity": "Share of all people who had rated the movie that was liked",
    "movie age": "Time from the release of the movie that was liked to the query",
    "genre": "Genre of the movie that was liked; a movie may have several",
    "gender": "Gender of the person, as the data has it",
    "age": "Age of the person, in the data's bands",
    "occupation": "Occupation of the person, by the data's code",
}
"""What the slices of each family differ in, by the name of the family."""
SHADES = (0.5, 0.7, 0.9, 1.1, 1.4, 2.0)
"""Borders between the shades of the cells of a slice table, as ratios of a slice's metric to the same model's metric
over all queries."""


@dataclass(frozen=True)
class SliceCell:
    """One cell of a slice table: the main metric of one model over the queries of one slice."""

    estimate: Estimate
    shade: int
    """Shade of the cell, from -3 (far below the model's metric over all queries) to 3 (far above it)."""
    weak: bool
    """Whether this is one of the slices in which the model has the lowest metric."""
    best: bool
    """Whether no other model has a higher metric in this slice."""


@dataclass(frozen=True)
class SliceRow:
    """One slice of the queries as a table row: its size and the metric of every model."""

    name: str
    queries: int
    few: bool
    """Whether the slice has too few queries to judge a model by."""
    cells: list[SliceCell]
    """One cell for each model, in the order of the leaderboard."""


def group_slices(board: Leaderboard, history: HistoryMode) -> dict[str, list[SliceRow]]:
    """Return the rows of the slice tables by family of slices, such as "gap"."""
    models = board.ranked(history)
    weakest = {model: board.weakest(history, model) for model in models}
    overall = {model: board.figures[history][model].metrics[board.main].mean for model in models}
    families: dict[str, list[SliceRow]] = {}
    for slice_name, is_inside in board.slices[history].items():
        estimates = {model: board.figures[history][model].slices[slice_name] for model in models}
        highest = max(estimate.mean for estimate in estimates.values())
        cells = [
            SliceCell(
                estimate,
                _choose_shade(estimate.mean, overall[model]),
                weak=slice_name in weakest[model],
                best=estimate.mean == highest > 0 and len(models) > 1,
            )
            for model, estimate in estimates.items()
        ]
        family, _, name = slice_name.partition(": ")
        queries = int(is_inside.sum())
        families.setdefault(family, []).append(SliceRow(name, queries, queries < FEWEST_QUERIES, cells))
    return families


def _choose_shade(mean: float, overall: float) -> int:
    if not overall:
        return 0
    return sum(border <= mean / overall for border in SHADES) - len(SHADES) // 2
