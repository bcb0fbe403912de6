"""Movies as the API and the page show them: typed dictionaries, which are written as JSON unchanged."""

from collections.abc import Sequence
from typing import TypedDict, TypeVar, cast

import numpy as np
import polars as pl

from nextreel.arrays import Int64Array
from nextreel.data.ids import Id
from nextreel.data.rating_scale import RatingScale
from nextreel.data.schema import MOVIE_ID, MOVIES
from nextreel.data.timeline import Histories
from nextreel.data.titles import genre_key, with_parsed_titles
from nextreel.ranking.explanations import MovieContribution
from nextreel.ranking.ranker import Ranking

MAX_REASONS = 5
"""Number of reasons (ratings that changed the score most) shown for a movie: nobody would read more."""


class MovieCard(TypedDict):
    """A movie of the catalog, as the API and the page show it."""

    movie_id: Id
    title: str | None
    genres: list[str]
    year: int | None


class ScoredMovie(MovieCard):
    """A movie with its score in a search, among similar movies or in a recommendation list."""

    score: float


class WatchedMovie(MovieCard):
    """A movie that a user watched, of data without ratings."""

    timestamp: int
    """Time of the interaction, POSIX seconds."""


class RatedMovie(WatchedMovie):
    """A movie with a user's rating of it."""

    rating: float


class WatchedReason(WatchedMovie):
    """An interaction of the history and its effect on the score of a recommended movie."""

    contribution: float
    """The movie's score minus the score that it would have without this interaction."""


class ReasonShown(RatedMovie, WatchedReason):
    """A rating of the history and its effect on the score of a recommended movie."""


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


def make_card(movie_id: Id, title: str, genres: Sequence[str]) -> MovieCard:
    """Make the card that a movie will have once it is added, from a title and genres as movies.csv has them."""
    kind = MOVIES.schema[MOVIE_ID] if isinstance(movie_id, int) else pl.String
    schema = {**MOVIES.schema, MOVIE_ID: kind}
    row = pl.DataFrame([(movie_id, title, "|".join(genres))], schema=schema, orient="row")
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


Watched = TypeVar("Watched", bound=WatchedMovie)


def as_data_have_them(movies: Sequence[Watched], scale: RatingScale) -> list[Watched]:
    """Return the movies for an answer: without the ratings that only stand inside for interactions without any."""
    if scale.rated:
        return [*movies]
    return [
        cast("Watched", {name: value for name, value in movie.items() if name != "rating"})
        for movie in movies
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
