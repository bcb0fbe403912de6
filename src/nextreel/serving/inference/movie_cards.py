"""Movies as the API and the page show them: typed dictionaries, which are written as JSON unchanged."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.timeline import Histories
from nextreel.data.titles import genre_key, with_parsed_titles
from nextreel.ranking.explanations import MovieContribution
from nextreel.ranking.ranker import Ranking

MAX_REASONS = 5
"""Number of reasons (ratings that changed the score most) shown for a movie: nobody would read more."""


class MovieCard(TypedDict):
    """A movie of the catalog, as the API and the page show it."""

    movie_id: int
    title: str | None
    genres: list[str]
    year: int | None


class ScoredMovie(MovieCard):
    """A movie with its score in a search, among similar movies or in a recommendation list."""

    score: float


class RatedMovie(MovieCard):
    """A movie with a user's rating of it."""

    rating: float
    timestamp: int
    """Time of the rating, POSIX seconds."""


class ReasonShown(RatedMovie):
    """A rating of the history and its effect on the score of a recommended movie."""

    contribution: float
    """The movie's score minus the score that it would have without this rating."""


class ReplayedMovie(RatedMovie):
    """A movie with a user's rating, and its rank in the user's recommendation list just before that rating."""

    rank: int | None
    """Rank from 1; None if the movie was ranked below LOWEST_REPLAYED_RANK or had been rated before."""


def make_cards(movies: pl.DataFrame) -> list[MovieCard]:
    """Make a card for each row of a catalog, a frame with the columns MovieID, Title, Genres (list) and Year."""
    columns = (movies[MOVIE_ID], movies["Title"], movies["Genres"].fill_null([]), movies["Year"])
    rows = zip(*(column.to_list() for column in columns), strict=True)
    return [
        {"movie_id": movie_id, "title": title, "genres": genres, "year": year}
        for movie_id, title, genres, year in rows
    ]


def make_card(movie_id: int, title: str, genres: Sequence[str]) -> MovieCard:
    """Make the card that a movie will have once it is added, from a title and genres as movies.csv has them."""
    row = pl.DataFrame([(movie_id, title, "|".join(genres))], schema=MOVIES.schema, orient="row")
    return make_cards(with_parsed_titles(row))[0]


def is_same_movie(one: MovieCard, other: MovieCard) -> bool:
    """Return whether two cards describe the same movie; the spelling of its genres makes no difference."""
    return (one["title"], one["year"]) == (other["title"], other["year"]) and (
        [genre_key(genre) for genre in one["genres"]] == [genre_key(genre) for genre in other["genres"]]
    )


def ranked_movies(ranking: Ranking, cards: Sequence[MovieCard]) -> list[list[ScoredMovie]]:
    """Return each query's movies with their scores, without those that only fill up a list that is too short."""
    filler = -np.inf
    movies: list[list[int]] = ranking.movies.tolist()
    scores: list[list[float]] = ranking.scores.tolist()
    return [
        [{**cards[movie], "score": score} for movie, score in zip(*row, strict=True) if score != filler]
        for row in zip(movies, scores, strict=True)
    ]


def rated_movies(histories: Histories, rows: Int64Array, cards: Sequence[MovieCard]) -> list[RatedMovie]:
    """Return the ratings at these row indices of the histories' timeline, in the order of `rows`."""
    timeline = histories.timeline
    movies: list[int] = timeline.movies[rows].tolist()
    ratings: list[float] = timeline.ratings[rows].tolist()
    timestamps: list[int] = timeline.timestamps[rows].tolist()
    return [
        {**cards[movie], "rating": rating, "timestamp": timestamp}
        for movie, rating, timestamp in zip(movies, ratings, timestamps, strict=True)
    ]


def strongest_reasons(
    contributions: Sequence[MovieContribution], histories: Histories, cards: Sequence[MovieCard]
) -> list[ReasonShown]:
    """Return, for one recommended movie, up to MAX_REASONS reasons with the largest absolute contributions."""
    strongest = sorted(contributions, key=lambda one: -abs(one.contribution))[:MAX_REASONS]
    rows = np.array([contribution.row for contribution in strongest], dtype=np.int64)
    return [
        {**movie, "contribution": contribution.contribution}
        for movie, contribution in zip(rated_movies(histories, rows, cards), strongest, strict=True)
    ]
