"""Requests for recommendation lists as the engine takes them, and its results."""

from dataclasses import dataclass
from typing import Literal

from nextreel.data.ids import Id
from nextreel.ranking.filters import Filters
from nextreel.ranking.joint_lists import JointRule
from nextreel.serving.inference.movie_cards import ReasonShown, ScoredMovie
from nextreel.serving.storage.store import NewInteraction

NO_FILTERS = Filters()


@dataclass(frozen=True)
class JointRequest:
    """A query of several people, and how their joint list should be made."""

    people: tuple[Id, ...] | tuple[tuple[NewInteraction, ...], ...]
    """Users of the store, or guests by their ratings."""
    timestamp: int
    """Time of the query, POSIX seconds, UTC."""
    k: int = 10
    rule: JointRule = "mean"
    exclude_seen: bool = True
    """Whether movies that anybody rated before the query's timestamp are left out."""
    explain: bool = False
    """Whether each movie comes with each person's reasons."""


@dataclass(frozen=True)
class JointResult:
    """The joint list for one request."""

    request: JointRequest
    movies: list[ScoredMovie]
    """Movies with their joint scores, best first."""
    percentiles: list[list[float]]
    """For each movie, how well it suits each person, see `JointRanking.percentiles`."""
    reasons: list[list[list[ReasonShown]]] | None
    """For each movie and each person, the ratings with the largest effect on its score."""
    history_lengths: list[int]
    """Number of ratings of each person before the query's timestamp."""
    personal: list[bool]
    """For each person, whether the model knows them; otherwise popularity stands in for their taste."""


@dataclass(frozen=True)
class RecommendationRequest:
    """A query and how its recommendation list should be made."""

    user_id: Id
    timestamp: int
    """Time of the query, POSIX seconds, UTC."""
    k: int = 10
    """Number of movies in the recommendation list."""
    exclude_seen: bool = True
    """Whether movies that the user rated before the query's timestamp are left out."""
    filters: Filters = NO_FILTERS
    diversity: float = 0.0
    """Weight of maximal marginal relevance, which makes the list more varied: 0 (none) to 1."""
    calibration: float = 0.0
    """Weight of genre calibration, which makes the list match the user's genres: 0 (none) to 1."""
    explain: bool = False
    """Whether each movie comes with its reasons: the ratings with the largest effect on its score."""
    history: tuple[NewInteraction, ...] | None = None
    """Ratings of a guest, which aren't stored and replace the user's history in the store; None to use the latter."""


@dataclass(frozen=True)
class RecommendationResult:
    """The recommendation list for one request."""

    request: RecommendationRequest
    movies: list[ScoredMovie]
    """Recommended movies with their scores, best first."""
    reasons: list[list[ReasonShown]] | None
    """For each of `movies`, the ratings with the largest effect on its score; None unless the request asks for them."""
    history_length: int
    """Number of ratings before the query's timestamp, on which the list is based."""
    fallback: Literal["popularity"] | None
    """What ranked the movies instead of the model, if it has learned no movie of the history; None if the model did."""
    fallback_reason: str | None
    """Why the fallback was needed; None without a fallback."""
    shortfall: str | None
    """Why the list has fewer than k movies; None if it has k."""
    learned_from_later: bool
    """Whether the model has weights that were fitted on interactions at or after the query's timestamp, too."""
    last_erasure: int
    """Id of the last erasure that the history takes into account."""
