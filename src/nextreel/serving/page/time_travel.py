"""Time travel: somebody's list as of each moment of their history, beside what they really watched next."""

from typing import Any

from starlette.datastructures import QueryParams

from nextreel.data.timeline import NEVER
from nextreel.serving.inference.engine import REPLAYED, Engine, RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.page.posters import show_list, tell_changes, with_poster
from nextreel.serving.page.svg_charts import LISTED, draw_strip
from nextreel.serving.page.url_parameters import need_number, read_number

LOOKED_AT, SUGGESTED = 200, 6
"""People who are looked at for some to choose from."""
FEWEST, MOST = 40, 400
"""Ratings of somebody whose history is worth a look and still quick to replay."""
LATEST_SHOWN, NEXT_SHOWN = 12, 10
"""Rows of what was watched before and of what came next."""


def show(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """The view at `user` and `moment` (an index into their moments); people to choose from only if it is `whole`.

    Without a user it is somebody whose history spans a long time, and without a moment the middle of it.
    """
    people = _suggest(service.engine) if whole else []
    user = read_number(address, "user")
    if user is None:
        user = int(max(people, key=_span, default={"user_id": 0})["user_id"])
    engine = service.engine_for(user)
    moments = _find_moments(engine, user)
    asked = read_number(address, "moment")
    moment = min(len(moments) // 2 if asked is None else asked, len(moments) - 1)
    return {"people": people, **_show_moment(service, engine, user, moments, moment)}


def show_strip(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """The bars of what `user` rated: apart from the view, because each costs a query."""
    user = need_number(address, "user")
    engine = service.engine_for(user)
    return {"strip": draw_strip(engine.replay(user, MOST), _find_moments(engine, user))}


def _suggest(engine: Engine) -> list[dict[str, Any]]:
    """Some people who came back over a long time, from short histories to long ones."""
    found = engine.find_people(LOOKED_AT)
    lively = [each for each in found if FEWEST <= each["ratings"] <= MOST] or found
    return sorted(sorted(lively, key=_span)[-SUGGESTED:], key=lambda each: int(each["ratings"]))


def _span(person: dict[str, Any]) -> int:
    return int(person["latest"]) - int(person["first"])


def _find_moments(engine: Engine, user: int) -> list[int]:
    """The seconds in which somebody rated, and the one after the last; that after everything for one who has not."""
    rated = list(dict.fromkeys(row["timestamp"] for row in engine.rated_next(user, timestamp=0, limit=NEVER)))
    return [*rated, (rated[-1] if rated else engine.log.last_snapshot.latest or 0) + 1]


def _show_moment(
    service: Service, engine: Engine, user: int, moments: list[int], moment: int
) -> dict[str, Any]:
    timestamp = moments[moment]
    times = [timestamp] if moment == 0 else [timestamp, moments[moment - 1]]
    answers = [
        answer
        for answer, _ in service.recommend([RecommendationRequest(user, each, REPLAYED) for each in times])
    ]
    ranks = {movie["movie_id"]: rank for rank, movie in enumerate(answers[0].movies, 1)}
    coming = [
        {**with_poster(row), "rank": ranks.get(row["movie_id"])}
        for row in engine.rated_next(user, timestamp, NEXT_SHOWN)
    ]
    watched = {row["movie_id"]: row for row in coming}
    movies = [
        {**movie, "watched": watched.get(movie["movie_id"])}
        for movie in show_list(answers[0], answers[1] if len(answers) > 1 else None, LISTED)
    ]
    past = engine.history(user, timestamp)
    return {
        "user": user,
        "timestamp": timestamp,
        "moment": moment,
        "last_moment": len(moments) - 1,
        "answer": answers[0],
        "movies": movies,
        "coming": coming,
        "past": [with_poster(row) for row in past[:LATEST_SHOWN]],
        "past_length": len(past),
        "hits": sum(row["rank"] is not None and row["rank"] <= LISTED for row in coming),
        "told": tell_changes(movies),
        "model": engine.model_facts,
    }
