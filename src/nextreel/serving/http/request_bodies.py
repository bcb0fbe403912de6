"""Request bodies and parameters as pydantic models and types: requests are validated against them."""

import re
from base64 import b64decode
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from nextreel.data.exports.export_files import ExportFile
from nextreel.data.times import LATEST_TIMESTAMP, check_seconds, parse_timestamp
from nextreel.errors import QueryError
from nextreel.ranking.joint_lists import MOST_PEOPLE, JointRule
from nextreel.serving.http.data_values import MovieIdField, RatingField, UserIdField

MAX_BATCH = 1_000
"""Queries, or interactions, in one batch."""
MAX_K = 1_000
"""Movies of one recommendation list."""
MAX_LIST = 10_000
"""MovieIDs, or ratings of a guest, in one list of a request."""
MAX_FAILURES = 10_000
"""Failures of a body that are described; the response lists only the first of them."""

ISO_8601_PATTERN = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
    r"|(19[7-9][0-9]|20[0-9]{2})([0-9]{4})?"
)
LOST_PLUS = re.compile(r"(.{10}[T ][0-9:.]{5,15}) ([0-9]{2}:[0-9]{2})")
"""A time whose plus, unescaped in an address, has become a blank: 2001-01-31T18:00 02:00."""
TITLE_PATTERN = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
GENRE_PATTERN = r"^[^|\x00-\x1f\x7f]*[^|\x00-\x20\x7f][^|\x00-\x1f\x7f]*$"
IDEMPOTENCY_KEY_PATTERN = r"^[!-~]+$"
BASE64_PATTERN = r"^[A-Za-z0-9+/]+={0,2}$"
VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
EXPECTED_BY_PATTERN = {
    TITLE_PATTERN: "expected one line of text",
    GENRE_PATTERN: "expected one line of text without '|'",
    IDEMPOTENCY_KEY_PATTERN: "expected printable ASCII characters without spaces",
    BASE64_PATTERN: "expected base64 without line breaks",
    VERSION_PATTERN: "expected the name of a version: letters, digits, '.', '_' and '-'",
}
"""What a problem says of a text that doesn't match a pattern."""
EXPECTED_TIMESTAMP = "expected POSIX seconds or ISO 8601, such as 2001-01-31T18:00:00Z"


def _read_int(value: JsonValue) -> JsonValue:
    """Accept whole numbers only. JSON has one type of number, so 5.0 is whole, but true and "5" aren't numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool | str):
        raise ValueError("expected a whole number")
    return value


def _read_int_parameter(value: str | int | None) -> int:
    """Read the text of a URL, or the default of a parameter, which FastAPI validated too until 0.140."""
    if isinstance(value, int):
        return value
    if value is None or not re.fullmatch("-?[0-9]{1,30}", value):
        raise ValueError("expected a whole number")
    return int(value)


def _read_timestamp(value: JsonValue) -> int:
    """Read a number as POSIX seconds, and a text as ISO 8601, a year or a date, but never as POSIX seconds."""
    try:
        if isinstance(value, str):
            if not re.fullmatch(ISO_8601_PATTERN, value):
                raise ValueError(EXPECTED_TIMESTAMP)
            return parse_timestamp(value)
        seconds = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(seconds) is not int:
            raise ValueError(EXPECTED_TIMESTAMP)
        return check_seconds(seconds)
    except QueryError as error:
        raise ValueError(str(error)) from None


def _read_timestamp_parameter(value: str) -> int:
    if re.fullmatch("[0-9]{1,20}", value) and not re.fullmatch(ISO_8601_PATTERN, value):
        return _read_timestamp(int(value))
    return _read_timestamp(LOST_PLUS.sub(r"\1+\2", value))


_TIMESTAMP_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "exclusiveMaximum": LATEST_TIMESTAMP},
            {"type": "string", "pattern": f"^({ISO_8601_PATTERN})$"},
        ],
        "description": (
            "POSIX seconds, or ISO 8601 (UTC if no time zone is given), from 1970 to 2099. The text 2001 is the "
            "beginning of that year, the text 20010131 that of a day."
        ),
    }
)

# A parameter is part of the URL, where every value is text; a field is part of a JSON body.
IntParameter = Annotated[int, BeforeValidator(_read_int_parameter)]
IntField = Annotated[int, BeforeValidator(_read_int)]
TimestampParameter = Annotated[int, BeforeValidator(_read_timestamp_parameter), _TIMESTAMP_SCHEMA]
TimestampField = Annotated[int, BeforeValidator(_read_timestamp), _TIMESTAMP_SCHEMA]
KParameter = Annotated[IntParameter, Field(ge=1, le=MAX_K)]
KField = Annotated[IntField, Field(ge=1, le=MAX_K)]
StrengthParameter = Annotated[float, Field(ge=0, le=1)]
StrengthField = Annotated[float, Field(ge=0, le=1, strict=True)]
YearField = Annotated[IntField, Field(ge=1800, le=2200)]
TitleField = Annotated[
    str, Field(min_length=1, max_length=500, pattern=TITLE_PATTERN), AfterValidator(str.strip)
]
GenreField = Annotated[
    str, Field(min_length=1, max_length=100, pattern=GENRE_PATTERN), AfterValidator(str.strip)
]


class Body(BaseModel):
    """Base of the request bodies; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def _refuse_many_failures(value: JsonValue, validate: ValidatorFunctionWrapHandler) -> Body:
    """Validate a body; if very much is wrong with it, say only that, since describing each failure takes time."""
    try:
        body: Body = validate(value)
    except ValidationError as error:
        if error.error_count() <= MAX_FAILURES:
            raise
        raise ValueError(f"{error.error_count():,} fields or values of the body are invalid") from None
    return body


AnyBody = TypeVar("AnyBody", bound=Body)
Received = Annotated[AnyBody, WrapValidator(_refuse_many_failures)]
"""Type of a route's parameter that is the body of a request."""


class GuestRating(Body):
    """A rating that counts for one request only."""

    movie_id: MovieIdField
    """Movie of the catalog."""
    rating: RatingField
    """On the scale of the data, such as 0.5 to 5 stars; left out only if the data have no ratings."""
    timestamp: TimestampField | None = None
    """Without one, the rating counts as given just before the query, in the order of the list."""


class Query(Body):
    """A query: which movies should this user watch next?"""

    user_id: UserIdField
    """User to recommend to; may be unknown."""
    timestamp: TimestampField | None = None
    """Time of the query: only interactions strictly before it count. By default the end of the current second."""
    k: KField = 10
    """Number of movies."""
    exclude_seen: StrictBool = True
    """Whether to exclude the movies that the user rated before the timestamp."""
    exclude: Annotated[list[MovieIdField], Field(fail_fast=True, max_length=MAX_LIST)] = []
    """MovieIDs to exclude."""
    include_genres: Annotated[list[GenreField], Field(fail_fast=True, max_length=100)] = []
    """Recommend only movies with at least one of these genres, in any case; empty allows every genre."""
    exclude_genres: Annotated[list[GenreField], Field(fail_fast=True, max_length=100)] = []
    """Exclude movies with any of these genres, in any case."""
    year_min: YearField | None = None
    """Earliest release year."""
    year_max: YearField | None = None
    """Latest release year."""
    diversity: StrengthField = 0.0
    """Strength of the re-ranking for diverse genres (maximal marginal relevance); with calibration at most 1 in all."""
    calibration: StrengthField = 0.0
    """Strength of the re-ranking towards the genre shares of the user's history; with diversity at most 1 in all."""
    history: Annotated[list[GuestRating], Field(fail_fast=True, max_length=MAX_LIST)] | None = None
    """Ratings of a guest, used instead of the stored history of user_id; they aren't stored."""


class HistoryFile(Body):
    """A person's own export: a CSV file as text, or a file of any kind in base64."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Title,Date\nHeat,2021-03-04\n"},
                {"text": "title,year,rating\nHeat,1995,4\n"},
            ]
        }
    )
    text: Annotated[str, Field(min_length=1)] | None = None
    """A CSV file; give either this or `base64`."""
    base64: Annotated[str, Field(min_length=4, pattern=BASE64_PATTERN)] | None = None
    """A CSV file or a zip, in base64."""
    dates: Literal["day-first", "month-first"] | None = None
    """How dates such as 3/4/21 are written, if the file doesn't show it."""

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise ValueError("give either text or base64")
        return self

    def to_file(self) -> ExportFile:
        """Return the file; ValueError if `base64` isn't."""
        if self.text is not None:
            return ExportFile("text", self.text.encode("utf-8", errors="replace"))
        return ExportFile("base64", b64decode(self.base64 or "", validate=True))


class RecommendationQuery(Query):
    """A query that may ask for reasons."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": 1, "k": 10},
                {"user_id": 1, "timestamp": "2022-06-01T20:00:00Z", "k": 5, "explain": True},
            ]
        }
    )
    explain: StrictBool = False
    """Whether to return, for each movie, the ratings of the user that changed its score most."""


class JointQuery(Body):
    """A query of several people: what should they watch together?"""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_ids": [1, 2]}, {"user_ids": [1, 2], "rule": "least-misery", "explain": True}]
        }
    )
    user_ids: Annotated[list[UserIdField], Field(min_length=1, max_length=MOST_PEOPLE)]
    """The people; they may be unknown."""
    timestamp: TimestampField | None = None
    """Time of the query: only interactions strictly before it count. By default the end of the current second."""
    k: KField = 10
    """Number of movies."""
    rule: JointRule = "mean"
    """How the people's standardised scores become one: `mean`, or `least-misery`, which takes the lowest of them."""
    exclude_seen: StrictBool = True
    """Whether to exclude the movies that anybody of them rated before the timestamp."""
    explain: StrictBool = False
    """Whether to return, for each movie and person, the ratings that changed its score most."""


class QueryBatch(Body):
    """Up to 1,000 queries."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"queries": [{"user_id": 1}, {"user_id": 2, "k": 5}]}]}
    )
    queries: Annotated[list[Query], Field(min_length=1, max_length=MAX_BATCH)]
    """Queries; they needn't be of the same user or time."""


class Interaction(Body):
    """A rating to store."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": 1, "movie_id": 1, "rating": 4.5, "timestamp": 1_656_000_000}]
        }
    )
    user_id: UserIdField
    """User who rated; may be new."""
    movie_id: MovieIdField
    """Movie of the catalog."""
    rating: RatingField
    """On the scale of the data, such as 0.5 to 5 stars; left out only if the data have no ratings."""
    timestamp: TimestampField | None = None
    """Time of the rating, by default now; at most a day ahead of the server's clock. Required with an
    Idempotency-Key."""


class InteractionBatch(Body):
    """Up to 1,000 ratings, stored together or not at all."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"interactions": [{"user_id": 1, "movie_id": 1, "rating": 4, "timestamp": 1_656_000_000}]}
            ]
        }
    )
    interactions: Annotated[list[Interaction], Field(min_length=1, max_length=MAX_BATCH)]
    """Ratings to store."""


class NewMovie(Body):
    """A movie to add to the catalog."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"movie_id": 900_001, "title": "The Long Reel", "year": 2023, "genres": ["Drama"]}]
        }
    )
    movie_id: MovieIdField
    """Id that the catalog doesn't have yet."""
    title: TitleField
    """Title, which may end in the year."""
    year: YearField | None = None
    """Release year."""
    genres: Annotated[list[GenreField], Field(fail_fast=True, max_length=20)] = []
    """Genres, by which the movie can be recommended until a refit learns it."""
