"""Response bodies as pydantic models, which describe the responses in the OpenAPI description."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from nextreel.data.ids import Id


class ResponseBody(BaseModel):
    """Base of the response bodies."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Movie(ResponseBody):
    """A movie of the catalog."""

    movie_id: Id
    """MovieID."""
    title: str | None
    """Title, which may end in the year; null if unknown."""
    genres: list[str]
    """Genres."""
    year: int | None
    """Release year; null if unknown."""


class Rated(Movie):
    """A movie with the user's rating."""

    rating: float | None = None
    """On the scale of the data, such as 0.5 to 5 stars; missing if the data have no ratings."""
    timestamp: int
    """Time of the rating, POSIX seconds."""


class Reason(Rated):
    """A rating of the history that changed the score of a recommended movie."""

    contribution: float
    """Score with this rating minus score without it."""


class Scored(Movie):
    """A movie with a score."""

    score: float
    """Score; higher is better."""


class Recommended(Scored):
    """A recommended movie."""

    reasons: list[Reason] | None = None
    """With `explain`: the ratings with the strongest contribution, positive or negative, strongest first."""


class Model(ResponseBody):
    """The model that served a request."""

    name: str
    """Name of the model."""
    version: str
    """Name of its version."""
    trained_at: str
    """When it was saved, ISO 8601, UTC."""
    data_until: str
    """Time of the latest interaction that it was fitted on, ISO 8601, UTC."""


class Recommendation(ResponseBody):
    """The recommendation list for one query."""

    user_id: Id
    """User of the query."""
    as_of: int
    """Timestamp of the query, POSIX seconds: only interactions strictly before it were used."""
    movies: list[Recommended]
    """Recommended movies, best first: k of them, or fewer if `shortfall` is set."""
    history_length: int
    """Number of ratings before the timestamp, on which the list is based."""
    fallback: Literal["popularity"] | None
    """Set if the model had no personal result: the list holds the most popular movies."""
    fallback_reason: str | None
    """Why there is a fallback."""
    shortfall: str | None
    """Why there are fewer than k movies; null if there are k."""
    learned_from_later: bool
    """Whether the weights of the model were also learned from ratings at or after the timestamp. The history never
    holds any."""
    model: Model
    """Model that made the list."""


class RecommendationAnswer(Recommendation):
    """The response to one query."""

    request_id: str
    """Id of the request in the server's log."""


class RecommendationBatchAnswer(ResponseBody):
    """The response to a batch of queries."""

    answers: list[Recommendation]
    """One recommendation list per query, in the order of the queries."""
    request_id: str
    """Id of the request in the server's log."""


class Stored(ResponseBody):
    """A rating and the outcome of storing it."""

    user_id: Id
    """User who rated."""
    movie_id: Id
    """Movie that was rated."""
    rating: float | None = None
    """On the scale of the data, such as 0.5 to 5 stars; missing if the data have no ratings."""
    timestamp: int
    """Time of the rating, POSIX seconds."""
    outcome: Literal["added", "known"]
    """added: it was stored. known: it had been stored before, so nothing was written."""
    counts_from: int
    """Lists as of this time, POSIX seconds, and later use the rating. It lies ahead if the rating's timestamp does."""


class StoredBatch(ResponseBody):
    """The outcomes of storing a batch of ratings."""

    added: int
    """Number of ratings that were stored."""
    known: int
    """Number of ratings that had been stored before."""
    conflicts: int
    """Number of ratings that were refused, because another rating of the same user, movie and second is stored."""
    outcomes: list[Literal["added", "known", "conflict"]]
    """One outcome per rating, in the order of the ratings."""
    counts_from: list[int | None]
    """For each rating, the time, POSIX seconds, from which on lists use it; null for a conflict."""


class MovieList(ResponseBody):
    """A list of movies with scores."""

    movies: list[Scored]
    """Movies, best first."""


class History(ResponseBody):
    """A page of a user's history; of a movie rated more than once, the latest rating."""

    user_id: Id
    """User."""
    before: int | None
    """Only ratings strictly before this time, POSIX seconds; null for all ratings."""
    length: int
    """Number of ratings in the whole history, beyond this page too."""
    history: list[Rated]
    """Ratings of this page, latest first."""


class ExportedRating(ResponseBody):
    """A rating as it was stored."""

    movie_id: Id
    """Movie that was rated."""
    rating: float | None = None
    """On the scale of the data, such as 0.5 to 5 stars; missing if the data have no ratings."""
    timestamp: int
    """Time of the rating, POSIX seconds."""


class GivenList(ResponseBody):
    """A list that was shown during an experiment."""

    at: int
    """When the list was shown, POSIX seconds."""
    version: str
    """Name of the model version that made the list."""
    movie_ids: list[Id]
    """Movies of the list, best first."""


class Person(ResponseBody):
    """All stored data about a user."""

    user_id: Id
    """User."""
    interactions: list[ExportedRating]
    """Ratings, oldest first."""
    recommendations: list[GivenList]
    """Lists that were shown during experiments."""


class Erased(ResponseBody):
    """The result of erasing a user."""

    user_id: Id
    """User."""
    removed: int
    """Number of ratings deleted."""
    complete: bool
    """Whether the database's files no longer contain the user's data. If not, because another process was reading the
    rows or the file is large, the server tries again every second; lists and exports never contain the user."""
    kept_in_versions: list[str]
    """Versions of the model that contain the user's data, or that can't be read: refit, and delete these versions."""


class ModelVersion(ResponseBody):
    """A version in the directory of the model."""

    name: str
    """Name of the version."""
    current: bool
    """Whether this version is served."""
    model: str | None
    """Name of the model; null if the manifest is damaged."""
    created_at: str | None
    """When it was saved, ISO 8601, UTC; null if the manifest is damaged."""
    data_until: str | None
    """Time of the latest interaction that it was fitted on, ISO 8601, UTC; null if the manifest is damaged."""
    validation_ndcg: float | None
    """NDCG@10 on the users held out of the fit; null if none were."""
    problem: str | None
    """What is wrong with the manifest; null if it isn't damaged."""


class ModelVersions(ResponseBody):
    """All versions of the model."""

    versions: list[ModelVersion]
    """Versions, latest first."""


class AuditedAct(ResponseBody):
    """An administrative act."""

    id: int
    """Grows with every act."""
    at: int
    """When it was done, POSIX seconds."""
    by: str
    """Name of the API key that it was done with; `command line`, or `no key` where no keys are required."""
    act: str
    """What was done, such as `key created` or `user erased`."""
    subject: str | None
    """Name of the key, version or backup, or id of the movie; null for an erased user."""


class AuditLog(ResponseBody):
    """A page of the log of administrative acts."""

    acts: list[AuditedAct]
    """Acts, latest first."""
    next: int | None
    """What `before` must be for the next page; null if this is the last one."""


class FieldProblem(ResponseBody):
    """An invalid field of a request."""

    field: str
    """Name of the field, such as `queries[3].k`."""
    detail: str
    """What is wrong and what was expected."""


class ProblemDetails(ResponseBody):
    """An error as problem details (RFC 9457)."""

    model_config = ConfigDict(title="Problem")

    type: str
    """Always `about:blank`: the status says what kind of problem it is."""
    title: str
    """Name of the status."""
    status: int
    """Status of the response."""
    detail: str
    """What is wrong."""
    request_id: str
    """Id of the request in the server's log."""
    errors: list[FieldProblem] | None = None
    """The invalid fields, if there are any: at most the first 50."""


class MatchedRating(ResponseBody):
    """A row of a person's own history, in the form of `history` of a query."""

    movie_id: Id
    """MovieID."""
    rating: float | None = None
    """On the scale of the data; missing if the data have no ratings."""
    timestamp: int
    """POSIX seconds; of a day, its first seconds in UTC."""


class MatchedRatingWithoutMovie(ResponseBody):
    """When a film was watched, and how it was rated."""

    rating: float | None = None
    """On the scale of the data; missing if the data have no ratings."""
    timestamp: int
    """POSIX seconds."""


class UnmatchedTitle(ResponseBody):
    """A film of an export that couldn't be matched with the catalog for certain."""

    title: str
    """Title, or the id by which the export names it."""
    year: int | None
    """Release year; null if unknown."""
    reason: str
    """Why it wasn't matched."""
    candidates: list[Movie]
    """Movies that may be meant."""
    ratings: list[MatchedRatingWithoutMovie]
    """When it was watched, and how it was rated."""


class OwnHistoryAnswer(ResponseBody):
    """What was read from a person's export; nothing of it is stored."""

    forms: list[str]
    """Names of the forms that the files have, such as Letterboxd diary."""
    films: int
    """Number of films in the export."""
    matched: int
    """Number of films that were matched."""
    history: list[MatchedRating]
    """The matched films in the order of time, for `history` of a query."""
    unmatched: list[UnmatchedTitle]
    """Films that weren't matched."""
    episodes: int
    """Number of rows left out as series, episodes, or no films otherwise."""
    left_out: int
    """Number of rows left out because something is wrong with them."""
    problems: list[str]
    """What is wrong with the first of these rows."""
    notes: list[str]
    """Sentences that say what was matched, accepted or left out."""
    as_of: int
    """Timestamp of a query about now: it comes after everything in the history."""
    request_id: str
    """Id of the request."""


class Suits(ResponseBody):
    """How well a movie of a joint list suits one person."""

    user_id: Id
    """The person."""
    percentile: float
    """Share in percent of the movies that could have been recommended to them and that they would like no more; 100
    for the first of their own list."""
    reasons: list[Reason] | None = None
    """With `explain`: the ratings with the strongest contribution, positive or negative, strongest first."""


class JointlyRecommended(Scored):
    """A movie recommended to several people; its score is in standard deviations."""

    suits: list[Suits]
    """How well it suits each of them, in the order of `user_ids`."""


class JointAnswer(ResponseBody):
    """One list for several people."""

    user_ids: list[Id]
    """The people."""
    as_of: int
    """Time of the query, POSIX seconds."""
    rule: str
    """How the people's scores became one."""
    movies: list[JointlyRecommended]
    """Best first; fewer than k if fewer were out by then and not seen by anybody."""
    history_lengths: list[int]
    """Number of ratings of each person before the query."""
    unknown: list[Id]
    """People of whom the model knows nothing; popularity stands in for their taste."""
    model: Model
    """The model that made the list."""
    request_id: str
    """Id of the request."""
