"""What stands in an address: numbers, and a newcomer's ratings and wishes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from nextreel.data.schema import HIGHEST_RATING, LARGEST_INTEGER, LOWEST_RATING
from nextreel.errors import QueryError
from nextreel.ranking.filters import Filters
from nextreel.serving.inference.engine import RecommendationRequest
from nextreel.serving.storage.store import NewInteraction

RATED, NEW = "stars-", "new-"
"""Names of fields, before a MovieID: a rating that was there, the latest first, and one that comes now."""
MOST_RATINGS = 200
LONGEST_SEARCH = 200


def read_number(address: QueryParams, name: str) -> int | None:
    """A whole number from 0 on; None where there is none."""
    text = address.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > LARGEST_INTEGER:
        raise QueryError(f"{name} is {text!r}; expected a whole number")
    return int(text)


def need_number(address: QueryParams, name: str) -> int:
    """As `read_number`, where there must be one."""
    number = read_number(address, name)
    if number is None:
        raise QueryError(f"{name} is missing")
    return number


@dataclass(frozen=True)
class Wishes:
    """What somebody new has rated, and what they want to see."""

    ratings: dict[int, float]
    """Stars by MovieID, the latest rating last."""
    search: str = ""
    genres: tuple[str, ...] = ()
    year_min: int | None = None
    year_max: int | None = None
    diversity: int = 0
    """Percent."""

    @classmethod
    def read(cls, address: QueryParams) -> "Wishes":
        """From the fields of the form; QueryError for what can't stand in one."""
        fields = address.multi_items()
        before = [*_read_ratings(fields, RATED)][::-1]
        ratings: dict[int, float] = {}
        for movie_id, stars in (*before, *_read_ratings(fields, NEW)):
            ratings.pop(movie_id, None)
            ratings[movie_id] = stars
        forgotten = read_number(address, "forget")
        if forgotten is not None:
            ratings.pop(forgotten, None)
        if len(ratings) > MOST_RATINGS:
            raise QueryError(f"{len(ratings)} ratings; at most {MOST_RATINGS} fit into an address")
        return cls(
            ratings,
            address.get("q", "").strip()[:LONGEST_SEARCH],
            tuple(dict.fromkeys(address.getlist("genre"))),
            read_number(address, "year_min"),
            read_number(address, "year_max"),
            min(100, read_number(address, "diversity") or 0),
        )

    def ask(self, user_id: int, timestamp: int, k: int, explain: bool = False) -> RecommendationRequest:
        """The request for the list; the ratings count as if they were given just before, one a second."""
        history = tuple(
            NewInteraction(user_id, movie_id, stars, timestamp - len(self.ratings) + place)
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

    def without_latest(self) -> "Wishes":
        """As it was before the latest rating."""
        return replace(self, ratings=dict([*self.ratings.items()][:-1]))

    def to_address(self) -> str:
        """The fields of the form again, for a link."""
        fields: list[tuple[str, object]] = [
            (f"{RATED}{movie_id}", f"{stars:g}") for movie_id, stars in reversed(self.ratings.items())
        ]
        fields += [("genre", genre) for genre in self.genres]
        wanted = {"year_min": self.year_min, "year_max": self.year_max, "diversity": self.diversity or None}
        fields += [(name, value) for name, value in wanted.items() if value is not None]
        return urlencode(fields)


def _read_ratings(fields: list[tuple[str, str]], prefix: str) -> Iterator[tuple[int, float]]:
    for name, value in fields:
        if not name.startswith(prefix):
            continue
        movie_id = read_number(QueryParams({name: name.removeprefix(prefix)}), name)
        try:
            stars = float(value)
        except ValueError:
            stars = 0.0
        if movie_id is None or not LOWEST_RATING <= stars <= HIGHEST_RATING:
            raise QueryError(f"{name} is {value!r}; expected {LOWEST_RATING:g} to {HIGHEST_RATING:g} stars")
        yield movie_id, stars
