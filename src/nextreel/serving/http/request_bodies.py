"""What goes over the wire, as pydantic models: bodies are checked against them, answers are described by them."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema

from nextreel.data.schema import HIGHEST_RATING, LARGEST_INTEGER, LOWEST_RATING
from nextreel.data.times import LATEST_TIMESTAMP, parse_timestamp
from nextreel.errors import QueryError

MOST_QUERIES = 1_000
"""Queries, or interactions, of one batch."""
MOST_MOVIES = 1_000
"""Highest k."""
MOST_FILTERED = 10_000
"""MovieIDs of one list in a request."""

ISO_8601 = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
TITLE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
GENRE = r"^[^|\x00-\x1f\x7f]*[^|\x00-\x20\x7f][^|\x00-\x1f\x7f]*$"
KEY = r"^[!-~]+$"
VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
EXPECTED = {
    TITLE: "expected one line of text",
    GENRE: "expected one line of text without '|'",
    KEY: "expected letters, digits and signs of ASCII without blanks",
    VERSION: "expected a version's name: letters, digits, '.', '_' and '-'",
}
"""What a problem says of a text that doesn't fit a pattern."""
NO_MOMENT = "expected POSIX seconds or ISO 8601, such as 2001-01-31T18:00:00Z"


def _read_whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is whole, but true and "5" are none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | str):
        raise ValueError("expected a whole number")
    return value


def _read_number_in_address(value: str) -> int:
    if not re.fullmatch("-?[0-9]{1,30}", value):
        raise ValueError("expected a whole number")
    return int(value)


def _read_moment(value: Any) -> int:
    """Of a body: a number is POSIX seconds, and a text is ISO 8601, so that "20010131" can't be taken for the other."""
    fits = re.fullmatch(ISO_8601, value) if isinstance(value, str) else type(value) in (int, float)
    if not fits:
        raise ValueError(NO_MOMENT)
    try:
        return parse_timestamp(value if isinstance(value, str) else str(_read_whole(value)))
    except QueryError as error:
        raise ValueError(str(error)) from None


def _read_moment_in_address(value: Any) -> int:
    return _read_moment(int(value) if re.fullmatch("[0-9]{1,18}", value) else value)


Number = Annotated[int, BeforeValidator(_read_number_in_address)]
"""In an address, where everything is text."""
Id = Annotated[Number, Field(ge=0, le=LARGEST_INTEGER)]
Whole = Annotated[int, BeforeValidator(_read_whole)]
WholeId = Annotated[Whole, Field(ge=0, le=LARGEST_INTEGER)]
_AS_MOMENT = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "exclusiveMaximum": LATEST_TIMESTAMP},
            {"type": "string", "pattern": f"^{ISO_8601}$"},
        ],
        "description": "POSIX seconds, or ISO 8601 (UTC where no zone is named); 1970 to 2099.",
    }
)
Moment = Annotated[int, BeforeValidator(_read_moment_in_address), _AS_MOMENT]
WholeMoment = Annotated[int, BeforeValidator(_read_moment), _AS_MOMENT]
Count = Annotated[Number, Field(ge=1, le=MOST_MOVIES)]
WholeCount = Annotated[Whole, Field(ge=1, le=MOST_MOVIES)]
Share = Annotated[float, Field(ge=0, le=1)]
StrictShare = Annotated[float, Field(ge=0, le=1, strict=True)]
Stars = Annotated[float, Field(ge=LOWEST_RATING, le=HIGHEST_RATING, strict=True)]
Year = Annotated[Whole, Field(ge=1800, le=2200)]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=TITLE)]
Genre = Annotated[str, Field(min_length=1, max_length=100, pattern=GENRE)]


class Body(BaseModel):
    """A request's body: an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class GuestRating(Body):
    """A rating that counts for one request only."""

    movie_id: WholeId
    rating: Stars
    timestamp: WholeMoment | None = None
    """Absent: just before the query's moment, in the order given."""


class Query(Body):
    """One query of a batch."""

    user_id: WholeId
    timestamp: WholeMoment | None = None
    """As of when; absent means now, this second included. Only what happened strictly before counts."""
    k: WholeCount = 10
    """How many movies."""
    exclude_seen: StrictBool = True
    """Leave movies out that the user has rated before that moment."""
    exclude: Annotated[list[WholeId], Field(max_length=MOST_FILTERED)] = []
    """MovieIDs that mustn't come."""
    include_genres: Annotated[list[Genre], Field(max_length=100)] = []
    """At least one of these; empty asks for none."""
    exclude_genres: Annotated[list[Genre], Field(max_length=100)] = []
    """None of these."""
    year_min: Year | None = None
    year_max: Year | None = None
    diversity: StrictShare = 0.0
    """Strength of maximal marginal relevance on genres; with calibration at most 1."""
    calibration: StrictShare = 0.0
    """Strength of calibration to the genres that the user likes."""
    history: Annotated[list[GuestRating], Field(max_length=MOST_FILTERED)] | None = None
    """A guest's ratings, in place of what is stored of user_id; nothing is stored."""


class RecommendationQuery(Query):
    """What should this person watch next, as of this moment?"""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": 1, "k": 10},
                {"user_id": 1, "timestamp": "2022-06-01T20:00:00Z", "k": 5, "explain": True},
            ]
        }
    )
    explain: StrictBool = False
    """Say for each movie which of the user's ratings moved its score most."""


class QueryBatch(Body):
    """Up to 1,000 queries."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"queries": [{"user_id": 1}, {"user_id": 2, "k": 5}]}]}
    )
    queries: Annotated[list[Query], Field(min_length=1, max_length=MOST_QUERIES)]


class Interaction(Body):
    """A rating."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": 1, "movie_id": 1, "rating": 4.5, "timestamp": 1_656_000_000}]
        }
    )
    user_id: WholeId
    movie_id: WholeId
    rating: Stars
    timestamp: WholeMoment | None = None
    """Absent means now; at most a day ahead of the server's clock. Needed beside an Idempotency-Key."""


class InteractionBatch(Body):
    """Up to 1,000 ratings, stored together or not at all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"interactions": [{"user_id": 1, "movie_id": 1, "rating": 4, "timestamp": 1_656_000_000}]}
            ]
        }
    )
    interactions: Annotated[list[Interaction], Field(min_length=1, max_length=MOST_QUERIES)]


class NewMovie(Body):
    """A movie to add to the catalog."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"movie_id": 900_001, "title": "The Long Reel", "year": 2023, "genres": ["Drama"]}]
        }
    )
    movie_id: WholeId
    title: Text
    year: Year | None = None
    genres: Annotated[list[Genre], Field(max_length=20)] = []
