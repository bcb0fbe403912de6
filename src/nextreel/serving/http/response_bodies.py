"""What the API answers with, as pydantic models: they describe the answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Movie(BaseModel):
    """A movie of the catalog."""

    movie_id: int
    title: str | None
    genres: list[str]
    year: int | None


class Rated(Movie):
    """A movie with the rating that it got."""

    rating: float
    timestamp: int


class Reason(Rated):
    """A rating of the history that moved a score."""

    contribution: float
    """The score with it minus the score without it."""


class Scored(Movie):
    """A movie with a score."""

    score: float


class Recommended(Scored):
    """A movie of the list."""

    reasons: list[Reason] | None = None
    """Only if asked for: the strongest first, whatever the sign."""


class Model(BaseModel):
    """What answered."""

    name: str
    version: str
    trained_at: str
    data_until: str
    """The latest interaction that the model learned from."""


class Recommendation(BaseModel):
    """The list for one query."""

    user_id: int
    as_of: int
    """POSIX seconds: only what happened strictly before was used."""
    movies: list[Recommended]
    """Best first; k of them, or `shortfall` says why not."""
    history_length: int
    """Ratings before that moment, on which the list is based."""
    fallback: Literal["popularity"] | None
    """Set where the model had nothing personal to say."""
    fallback_reason: str | None
    shortfall: str | None
    """Why there are fewer than k movies, where there are."""
    learned_from_later: bool
    """Whether the model's weights (never the history) were learned from later ratings too."""
    model: Model


class RecommendationAnswer(Recommendation):
    """The answer to one query."""

    request_id: str


class RecommendationBatchAnswer(BaseModel):
    """The answers, in the order of the queries."""

    answers: list[Recommendation]
    request_id: str


class Stored(BaseModel):
    """What became of a rating."""

    user_id: int
    movie_id: int
    rating: float
    timestamp: int
    outcome: Literal["added", "known"]
    """known: the same stands already, nothing was written."""


class StoredBatch(BaseModel):
    """What became of each rating, in their order."""

    added: int
    known: int
    conflicts: int
    """Same user, movie and second as a rating that stands with other stars, which stays."""
    outcomes: list[Literal["added", "known", "conflict"]]


class MovieList(BaseModel):
    """Movies, best first."""

    movies: list[Scored]


class History(BaseModel):
    """What a person rated before a moment, latest first; of a movie rated twice, the later rating."""

    user_id: int
    before: int | None
    length: int
    """All ratings before that moment, also those beyond this page."""
    history: list[Rated]


class ExportedRating(BaseModel):
    """A rating as it was stored."""

    movie_id: int
    rating: float
    timestamp: int


class GivenList(BaseModel):
    """A list that was given during an experiment."""

    at: int
    version: str
    movie_ids: list[int]


class Person(BaseModel):
    """All that is kept about a person."""

    user_id: int
    interactions: list[ExportedRating]
    recommendations: list[GivenList]


class Erased(BaseModel):
    """What was removed."""

    user_id: int
    removed: int
    """Ratings."""


class ModelVersion(BaseModel):
    """A version in the model's directory."""

    name: str
    current: bool
    model: str | None
    created_at: str | None
    data_until: str | None
    validation_ndcg: float | None
    problem: str | None
    """Why it can't be used, if its manifest is damaged."""


class ModelVersions(BaseModel):
    """All versions, latest first."""

    versions: list[ModelVersion]


class FieldProblem(BaseModel):
    """What was wrong with one field."""

    field: str
    detail: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem")

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] | None = None
