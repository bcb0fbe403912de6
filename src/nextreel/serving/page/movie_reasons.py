"""Why a movie stands in a list: which ratings moved its score, and how far."""

from typing import Any

from starlette.datastructures import QueryParams

from nextreel.data.times import end_of_this_second
from nextreel.errors import QueryError
from nextreel.serving.inference.engine import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.page.new_user import NOBODY
from nextreel.serving.page.posters import with_poster
from nextreel.serving.page.svg_charts import LISTED
from nextreel.serving.page.url_parameters import Wishes, need_number, read_number


def show(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """The reasons of `movie` in the list of `user` as of `at`, or in that of the ratings in the address."""
    movie_id, user = need_number(address, "movie"), read_number(address, "user")
    if user is None:
        asked = Wishes.read(address).ask(NOBODY, end_of_this_second(), LISTED, explain=True)
    else:
        asked = RecommendationRequest(user, need_number(address, "at"), LISTED, explain=True)
    engine = service.engine_for(asked.user_id)
    answer = engine.recommend([asked])[0]
    found = next((movie for movie in answer.movies if movie["movie_id"] == movie_id), None)
    if found is None:
        raise QueryError(f"movie {movie_id} isn't in this list")
    strongest = max((abs(reason["contribution"]) for reason in found["reasons"]), default=0.0) or 1.0
    reasons = [
        {**with_poster(reason), "share": reason["contribution"] / strongest} for reason in found["reasons"]
    ]
    return {"movie": with_poster(found), "reasons": reasons, "answer": answer, "address": address}
