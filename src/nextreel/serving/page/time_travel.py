"""Time travel: a user's recommendation list as of a time in their past, compared with what they rated next.

The slider has a step for each second in which the user rated, and a last one just after all their ratings.
"""

from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from nextreel.data.ids import Id
from nextreel.data.timeline import NEVER
from nextreel.serving.inference.engine import Engine, ModelFacts
from nextreel.serving.inference.list_requests import RecommendationRequest, RecommendationResult
from nextreel.serving.inference.movie_cards import RatedMovie
from nextreel.serving.inference.service import Service
from nextreel.serving.inference.user_histories import LOWEST_REPLAYED_RANK, SampledUser
from nextreel.serving.page.history_strip import LIST_LENGTH, Strip, draw_strip
from nextreel.serving.page.posters import ListedMovie, Poster, describe_changes, list_movies
from nextreel.serving.page.rendering import View
from nextreel.serving.page.url_parameters import read_id, read_number, require_id

SAMPLE_SIZE, USERS_SUGGESTED = 200, 6
"""Number of users sampled as candidates, and number of those that the page suggests to travel through."""
MIN_RATINGS, MAX_RATINGS = 40, 400
"""Range for the number of ratings of a suggested user: an interesting history that can still be replayed fast."""
PAST_SHOWN, NEXT_SHOWN = 12, 10
"""Numbers of ratings shown at a step of the slider: the last ones before it, and the first ones from it on."""


class PastRating(RatedMovie):
    """A rating from before the slider's current step."""

    poster: Poster


class NextRating(RatedMovie):
    """A rating from the slider's current step on, that second included."""

    poster: Poster
    rank: int | None
    """Rank of the movie in the recommendation list as of the step; None below LOWEST_REPLAYED_RANK."""


class ComparedMovie(ListedMovie):
    """A movie of the recommendation list, and whether the user rated it soon after."""

    watched: bool
    """Whether the movie is among the user's NEXT_SHOWN next ratings."""


@dataclass(frozen=True)
class TimeTravelView(View):
    """A user's recommendation list as of one step of the slider, and their ratings before and from that step on."""

    people: list[SampledUser]
    """Users whom the page suggests; empty if only the changing part of the page is shown."""
    user: Id
    timestamp: int
    """Time of the slider's current step, POSIX seconds."""
    step: int
    """Index of the slider's current step, from 0 to `last_step`."""
    last_step: int
    result: RecommendationResult
    movies: list[ComparedMovie]
    coming: list[NextRating]
    """The user's next ratings from the step on, earliest first; at most NEXT_SHOWN."""
    past: list[PastRating]
    """The user's last ratings before the step, latest first; at most PAST_SHOWN."""
    past_length: int
    """Number of movies that the user rated before the step, whether shown in `past` or not."""
    hits: int
    """Number of ratings in `coming` whose movie is in the recommendation list of the step."""
    changes: str
    """Sentences that tell a screen reader what has changed in the list."""
    model: ModelFacts

    def address(self) -> str:
        """Return the path and the parameters that show this view again."""
        return f"/time-travel?{urlencode({'user': self.user, 'moment': self.step})}"


@dataclass(frozen=True)
class StripView(View):
    """The chart of a user's ratings over time."""

    strip: Strip


def show(service: Service, parameters: QueryParams, is_full_page: bool) -> TimeTravelView:
    """Show the list of the URL's `user` as of the slider's step `moment`; only the full page suggests users.

    Without `user`, it is the suggested user whose history spans the longest time; without `moment`, the middle step.
    Raises QueryError if `user` is no UserID of the data, or `moment` isn't a whole number.
    """
    people = _suggest_users(service.engine) if is_full_page else []
    user_id = read_id(parameters, "user", service.engine.format.user_ids)
    if user_id is None:
        user_id = max(people, key=attrgetter("span")).user_id if people else 0
    timestamps = _find_steps(service.engine_for(user_id), user_id)
    step = read_number(parameters, "moment")
    if step is None:
        step = len(timestamps) // 2
    return _show_step(service, people, user_id, timestamps, min(step, len(timestamps) - 1))


def show_strip(service: Service, parameters: QueryParams, is_full_page: bool) -> StripView:
    """Show the chart of the ratings of the URL's `user`.

    Raises QueryError if `user` is missing or no UserID of the data. The chart is a view of its own, loaded after
    the list, because each bar costs a query.
    """
    user_id = require_id(parameters, "user", service.engine.format.user_ids)
    engine = service.engine_for(user_id)
    return StripView(draw_strip(engine.histories.replay(user_id, MAX_RATINGS), _find_steps(engine, user_id)))


def _suggest_users(engine: Engine) -> list[SampledUser]:
    """Return the sampled users with the longest time from first to last rating, ordered by number of ratings."""
    users = engine.histories.sample_users(SAMPLE_SIZE)
    suitable = [user for user in users if MIN_RATINGS <= user.n_ratings <= MAX_RATINGS] or users
    return sorted(sorted(suitable, key=attrgetter("span"))[-USERS_SUGGESTED:], key=attrgetter("n_ratings"))


def _find_steps(engine: Engine, user_id: Id) -> list[int]:
    """Return the timestamp of each step of the slider, ascending.

    For a user without ratings, the only step is just after the latest rating in the store.
    """
    ratings = engine.histories.rated_next(user_id, timestamp=0, limit=NEVER)
    timestamps = list(dict.fromkeys(movie["timestamp"] for movie in ratings))
    last = timestamps[-1] if timestamps else engine.follower.last_snapshot.latest_timestamp or 0
    return [*timestamps, last + 1]


def _show_step(
    service: Service, people: list[SampledUser], user_id: Id, timestamps: list[int], step: int
) -> TimeTravelView:
    engine, timestamp = service.engine_for(user_id), timestamps[step]
    queried = [timestamp] if step == 0 else [timestamp, timestamps[step - 1]]
    requests = [RecommendationRequest(user_id, as_of, LOWEST_REPLAYED_RANK) for as_of in queried]
    results = [result for result, _ in service.recommend(requests)]
    coming = _rank_next(engine.histories.rated_next(user_id, timestamp, NEXT_SHOWN), results[0])
    watched = {movie["movie_id"] for movie in coming}
    listed = list_movies(results[0], results[1] if len(results) > 1 else None, LIST_LENGTH)
    past = engine.histories.as_of(user_id, timestamp)
    return TimeTravelView(
        people=people,
        user=user_id,
        timestamp=timestamp,
        step=step,
        last_step=len(timestamps) - 1,
        result=results[0],
        movies=[{**movie, "watched": movie["movie_id"] in watched} for movie in listed],
        coming=coming,
        past=[{**movie, "poster": Poster.of(movie)} for movie in past[:PAST_SHOWN]],
        past_length=len(past),
        hits=sum(movie["rank"] is not None and movie["rank"] <= LIST_LENGTH for movie in coming),
        changes=describe_changes(listed),
        model=engine.model_facts,
    )


def _rank_next(ratings: list[RatedMovie], result: RecommendationResult) -> list[NextRating]:
    ranks = {movie["movie_id"]: rank for rank, movie in enumerate(result.movies, 1)}
    return [{**movie, "poster": Poster.of(movie), "rank": ranks.get(movie["movie_id"])} for movie in ratings]
