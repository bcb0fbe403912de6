"""Reading the parameters in the URLs of the page: numbers, and the form of the new-user view."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from nextreel.data.ids import Id, IdKind
from nextreel.data.rating_scale import RatingScale
from nextreel.data.schema import HIGHEST_RATING, LARGEST_INTEGER, LOWEST_RATING
from nextreel.data.times import check_seconds
from nextreel.data.titles import genre_key
from nextreel.data.value_checks import parse_cell
from nextreel.errors import QueryError
from nextreel.ranking.filters import Filters
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.storage.store import NewInteraction

EARLIER_RATING, NEW_RATING = "stars-", "new-"
"""Prefixes of URL parameters such as stars-318=4.5, named by MovieID: earlier ratings (latest first), and a new one."""
MAX_RATINGS_IN_URL = 200
"""Greatest number of ratings, so that the URL stays shorter than the limits of servers and browsers."""
MAX_SEARCH_LENGTH = 200


@dataclass(frozen=True)
class NewUserForm:
    """What a visitor entered in the form of the new-user view: ratings, search text and filters."""

    ratings: dict[Id, float]
    """Stars by MovieID, the latest rating last."""
    search: str = ""
    genres: tuple[str, ...] = ()
    """Only movies of at least one of these genres are recommended; empty for all genres."""
    year_min: int | None = None
    year_max: int | None = None
    diversity: int = 0
    """How strongly the list is made more varied, in percent."""

    @classmethod
    def read(cls, parameters: QueryParams, movie_ids: IdKind = "number") -> "NewUserForm":
        """Read the form from the URL, with MovieIDs of this kind.

        Raises QueryError for a parameter that the form can't have.
        """
        fields = parameters.multi_items()
        earlier = [*_read_ratings(fields, EARLIER_RATING, movie_ids)][::-1]
        ratings: dict[Id, float] = {}
        for movie_id, stars in (*earlier, *_read_ratings(fields, NEW_RATING, movie_ids)):
            ratings.pop(movie_id, None)  # so that a movie rated again becomes the latest
            ratings[movie_id] = stars
        for text in parameters.getlist("forget"):
            forgotten = read_id(QueryParams({"forget": text}), "forget", movie_ids)
            if forgotten is not None:
                ratings.pop(forgotten, None)
        if len(ratings) > MAX_RATINGS_IN_URL:
            raise QueryError(f"{len(ratings)} ratings; at most {MAX_RATINGS_IN_URL} fit into an address")
        return cls(
            ratings,
            parameters.get("q", "").strip()[:MAX_SEARCH_LENGTH],
            tuple(dict.fromkeys(genre.strip() for genre in parameters.getlist("genre") if genre.strip())),
            read_number(parameters, "year_min"),
            read_number(parameters, "year_max"),
            min(100, read_number(parameters, "diversity") or 0),
        )

    def to_request(
        self, user_id: Id, timestamp: int, k: int, scale: RatingScale, explain: bool = False
    ) -> RecommendationRequest:
        """Return the request for the visitor's list; ratings count as given in the last seconds before `timestamp`.

        The visitor's stars become ratings on the scale of the data.
        """
        history = tuple(
            NewInteraction(user_id, movie_id, scale.from_stars(stars), timestamp - len(self.ratings) + place)
            for place, (movie_id, stars) in enumerate(self.ratings.items())
        )
        filters = Filters(frozenset(self.genres), year_min=self.year_min, year_max=self.year_max)
        return RecommendationRequest(
            user_id,
            timestamp,
            k,
            filters=filters,
            diversity=self.diversity / 100,
            explain=explain,
            history=history,
        )

    @property
    def n_filters(self) -> int:
        """Number of genres and other filters that are set."""
        others = (self.year_min is not None, self.year_max is not None, self.diversity > 0)
        return len(self.genres) + sum(others)

    def without_filters(self) -> "NewUserForm":
        """Return the form with the ratings only."""
        return NewUserForm(self.ratings)

    def spelt_as_in(self, genres: Sequence[str]) -> "NewUserForm":
        """Return the form with its genres in the spelling of the catalog, whose genres these are."""
        spelling = {genre_key(genre): genre for genre in genres}
        spelt = (spelling.get(genre_key(genre), genre) for genre in self.genres)
        return replace(self, genres=tuple(dict.fromkeys(spelt)))

    def without_latest_rating(self) -> "NewUserForm":
        """Return the form as it was before the latest rating."""
        return replace(self, ratings=dict([*self.ratings.items()][:-1]))

    def to_url_parameters(self, with_search: bool = False) -> str:
        """Return ratings and filters as the parameters of a URL; the search text only if asked for."""
        fields = [
            (f"{EARLIER_RATING}{movie_id}", f"{stars:g}")
            for movie_id, stars in reversed(self.ratings.items())
        ]
        fields += [("genre", genre) for genre in self.genres]
        numbers = {"year_min": self.year_min, "year_max": self.year_max, "diversity": self.diversity or None}
        fields += [(name, str(number)) for name, number in numbers.items() if number is not None]
        if with_search and self.search:
            fields.append(("q", self.search))
        return urlencode(fields)


def read_number(parameters: QueryParams, name: str) -> int | None:
    """Read a whole number from 0 on; None if the parameter is missing. Raises QueryError for any other text."""
    text = parameters.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > LARGEST_INTEGER:
        raise QueryError(f"{name} is {text!r}; expected a whole number")
    return int(text)


def require_number(parameters: QueryParams, name: str) -> int:
    """Read a whole number from 0 on. Raises QueryError if the parameter is missing or holds any other text."""
    number = read_number(parameters, name)
    if number is None:
        raise QueryError(f"{name} is missing")
    return number


def require_time(parameters: QueryParams, name: str) -> int:
    """Read a time in POSIX seconds. Raises QueryError if it is missing, no number, or not between 1970 and 2100."""
    seconds = require_number(parameters, name)
    try:
        return check_seconds(seconds)
    except QueryError as error:
        raise QueryError(f"{name}: {error}") from None


def read_id(parameters: QueryParams, name: str, kind: IdKind | None) -> Id | None:
    """Read an id of this kind; None if the parameter is missing. Raises QueryError for any other text."""
    if kind != "text":
        return read_number(parameters, name)
    text = parameters.get(name, "")
    try:
        return cast("str", parse_cell("text id", text)) if text else None
    except ValueError as error:
        raise QueryError(f"{name}: {error}") from None


def require_id(parameters: QueryParams, name: str, kind: IdKind | None) -> Id:
    """Read an id of this kind. Raises QueryError if the parameter is missing or holds any other text."""
    found = read_id(parameters, name, kind)
    if found is None:
        raise QueryError(f"{name} is missing")
    return found


def _read_ratings(
    fields: list[tuple[str, str]], prefix: str, movie_ids: IdKind
) -> Iterator[tuple[Id, float]]:
    """Yield MovieID and stars of each URL parameter whose name is this prefix and a MovieID."""
    for name, value in fields:
        if not name.startswith(prefix):
            continue
        movie_id = read_id(QueryParams({name: name.removeprefix(prefix)}), name, movie_ids)
        try:
            stars = float(value)
        except ValueError:
            stars = 0.0
        if movie_id is None or not LOWEST_RATING <= stars <= HIGHEST_RATING:
            raise QueryError(f"{name} is {value!r}; expected {LOWEST_RATING:g} to {HIGHEST_RATING:g} stars")
        yield movie_id, stars
