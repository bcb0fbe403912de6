"""Ids and ratings in requests: what is valid depends on the data that the server serves.

Where ids are numbers, a request names them by JSON numbers, and by digits in an address. Where they are texts, it names
them by JSON strings, and by any text in an address. A rating lies on the scale of the data; data without ratings take
none. Each request notes the format of the data before its fields are read.
"""

import re
from contextvars import ContextVar
from typing import Annotated, Literal

from pydantic import Field, JsonValue, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.ids import Id, IdKind
from nextreel.data.rating_scale import STARS, WATCHED_RATING
from nextreel.data.schema import LARGEST_INTEGER, LONGEST_ID
from nextreel.data.value_checks import parse_cell
from nextreel.serving.http.request_rewriting import unescape_part

Entity = Literal["user", "movie"]

served_format: ContextVar[DataFormat] = ContextVar("served_format", default=ANY_FORMAT)
"""Format of the data that the server serves, set at the beginning of each request."""

EXPECTED_NUMBER = "expected a whole number"


def read_id_in_address(text: str, entity: Entity) -> Id:
    """Return an id from the text of a path or a query parameter.

    Raises
    ------
    ValueError
        Ids of this entity are of another kind here.
    """
    if kind_here(entity) == "text":
        return _check_text(text)
    if not re.fullmatch("-?[0-9]{1,30}", text):
        raise ValueError(EXPECTED_NUMBER)
    return _check_number(int(text))


def read_id_in_body(value: JsonValue, entity: Entity) -> Id:
    """Return an id from a JSON value; raises ValueError for a value of another kind than ids have here."""
    if kind_here(entity) == "text":
        if isinstance(value, str):
            return _check_text(value)
        wanted = f'"{value}"' if type(value) is int else 'such as "17"'
        raise ValueError(f"expected a text, {wanted}: the ids of {entity}s are texts here")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ValueError(f"{EXPECTED_NUMBER}: the ids of {entity}s are numbers here")
    return _check_number(value)


def kind_here(entity: Entity) -> IdKind:
    """Return of which kind the ids of users or of movies are in the data that are served."""
    format_ = served_format.get()
    return (format_.user_ids if entity == "user" else format_.movie_ids) or "number"


def read_rating(value: JsonValue) -> float:
    """Return a rating on the scale of the data; for data without ratings, where it must be missing, WATCHED_RATING.

    Raises
    ------
    ValueError
        The rating isn't on the scale, is missing, or the data have no ratings.
    """
    scale = served_format.get().scale or STARS
    if not scale.rated:
        if value is not None:
            raise ValueError("these data have no ratings: leave it out")
        return WATCHED_RATING
    if value is None:
        raise PydanticCustomError("missing", "Field required")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number from {scale.lowest:g} to {scale.highest:g}")
    if value < scale.lowest:
        raise ValueError(f"Input should be greater than or equal to {scale.lowest:g}")
    if not value <= scale.highest:
        raise ValueError(f"Input should be less than or equal to {scale.highest:g}")
    return float(value)


def _check_number(number: int) -> int:
    if number < 0:
        raise ValueError("Input should be greater than or equal to 0")
    if number > LARGEST_INTEGER:
        raise ValueError(f"Input should be less than or equal to {LARGEST_INTEGER}")
    return number


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a text without single surrogates") from None
    parse_cell("text id", text)
    return text


def _read_user_in_address(text: str) -> Id:
    return read_id_in_address(unescape_part(text), "user")


def _read_movie_in_address(text: str) -> Id:
    return read_id_in_address(unescape_part(text), "movie")


def _read_user_in_body(value: JsonValue) -> Id:
    return read_id_in_body(value, "user")


def _read_movie_in_body(value: JsonValue) -> Id:
    return read_id_in_body(value, "movie")


_ID_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER},
            {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
        ],
        "description": "A number or a text, as the ids of the served data are.",
    }
)
_RATING_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "Rating on the scale of the data."}
)

UserIdParameter = Annotated[Id, PlainValidator(_read_user_in_address), _ID_SCHEMA]
MovieIdParameter = Annotated[Id, PlainValidator(_read_movie_in_address), _ID_SCHEMA]
UserIdField = Annotated[Id, PlainValidator(_read_user_in_body), _ID_SCHEMA]
MovieIdField = Annotated[Id, PlainValidator(_read_movie_in_body), _ID_SCHEMA]
RatingField = Annotated[
    float, PlainValidator(read_rating), _RATING_SCHEMA, Field(default=None, validate_default=True)
]
