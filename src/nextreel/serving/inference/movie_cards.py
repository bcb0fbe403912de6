"""Lists, ratings and reasons as plain dicts, ready for JSON and for the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.timeline import Histories
from nextreel.data.titles import with_parsed_titles
from nextreel.ranking.explanations import MovieContribution
from nextreel.ranking.ranker import Ranking

Card = dict[str, Any]
"""A movie as answers show it: movie_id, title, genres, year."""

REASONS = 5
"""How many movies of the history explain a recommended one."""


def list_movies(ranking: Ranking, cards: Sequence[Card]) -> list[list[dict[str, Any]]]:
    """Each query's movies with their scores, without those that only filled the list up."""
    nothing = -np.inf
    return [
        [{**cards[movie], "score": score} for movie, score in zip(*row, strict=True) if score != nothing]
        for row in zip(ranking.movies.tolist(), ranking.scores.tolist(), strict=True)
    ]


def show_rows(histories: Histories, rows: Int64Array, cards: Sequence[Card]) -> list[dict[str, Any]]:
    """Ratings of a timeline as movies with their rating and timestamp."""
    timeline = histories.timeline
    return [
        {**cards[movie], "rating": rating, "timestamp": timestamp}
        for movie, rating, timestamp in zip(
            timeline.movies[rows].tolist(),
            timeline.ratings[rows].tolist(),
            timeline.timestamps[rows].tolist(),
            strict=True,
        )
    ]


def show_reasons(
    reasons: Sequence[MovieContribution], histories: Histories, cards: Sequence[Card]
) -> list[dict[str, Any]]:
    """The REASONS strongest ones, whatever their sign: ratings with their contribution."""
    strongest = sorted(reasons, key=lambda reason: -abs(reason.contribution))[:REASONS]
    shown = show_rows(histories, np.array([reason.row for reason in strongest], dtype=np.int64), cards)
    return [
        {**row, "contribution": reason.contribution} for row, reason in zip(shown, strongest, strict=True)
    ]


def show_movie(movie_id: int, title: str, genres: Sequence[str]) -> Card:
    """A movie with a title and genres in the form of movies.csv, as the catalog will show it once it is added."""
    row = pl.DataFrame([(movie_id, title, "|".join(genres))], schema=MOVIES.schema, orient="row")
    return _show(with_parsed_titles(row))[0]


def _show(movies: pl.DataFrame) -> list[Card]:
    shown = movies.select(
        movie_id=MOVIE_ID, title="Title", genres=pl.col("Genres").fill_null([]), year="Year"
    )
    return shown.to_dicts()
