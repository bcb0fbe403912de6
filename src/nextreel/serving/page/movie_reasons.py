"""Why a movie is in a recommendation list: the ratings that changed its score most, and by how much."""

from dataclasses import dataclass

from starlette.datastructures import QueryParams

from nextreel.data.times import end_of_this_second
from nextreel.errors import QueryError
from nextreel.serving.inference.engine import RecommendationRequest
from nextreel.serving.inference.movie_cards import ReasonShown
from nextreel.serving.inference.service import Service
from nextreel.serving.page.new_user import NEW_USER_ID
from nextreel.serving.page.posters import MovieWithPoster, Poster, with_poster
from nextreel.serving.page.rendering import View
from nextreel.serving.page.svg_charts import LIST_LENGTH
from nextreel.serving.page.url_parameters import NewUserForm, read_id, require_id, require_number


class ReasonBar(ReasonShown):
    """A rating of the user and the bar that shows its effect on the score of the recommended movie."""

    poster: Poster
    share: float
    """Length of the bar, -1 to 1: the rating's contribution divided by the largest absolute one of the movie."""


@dataclass(frozen=True)
class MovieReasonsView(View):
    """A recommended movie and the ratings that had the largest effect on its score."""

    movie: MovieWithPoster
    reasons: list[ReasonBar]
    """Largest effect on the score first; empty if popularity ranked the list instead of the model."""


def show(service: Service, parameters: QueryParams, is_full_page: bool) -> MovieReasonsView:
    """Explain `movie` in the list of `user` as of `at` or, without `user`, in the list of the ratings in the URL.

    Raises QueryError if a parameter is missing or wrong, or the movie isn't in the list.
    """
    format_ = service.engine.format
    movie_id = require_id(parameters, "movie", format_.movie_ids)
    user_id = read_id(parameters, "user", format_.user_ids)
    if user_id is None:
        form = NewUserForm.read(parameters, format_.movie_ids or "number")
        request = form.to_request(NEW_USER_ID, end_of_this_second(), LIST_LENGTH, explain=True)
    else:
        as_of = require_number(parameters, "at")
        request = RecommendationRequest(user_id, as_of, LIST_LENGTH, explain=True)
    result = service.engine_for(request.user_id).recommend([request])[0]
    for movie, reasons in zip(result.movies, result.reasons or [], strict=True):
        if movie["movie_id"] == movie_id:
            return MovieReasonsView(with_poster(movie), _make_bars(reasons))
    raise QueryError(f"movie {movie_id} isn't in this list")


def _make_bars(reasons: list[ReasonShown]) -> list[ReasonBar]:
    largest = max((abs(reason["contribution"]) for reason in reasons), default=0.0) or 1.0
    return [
        {**reason, "poster": Poster.of(reason), "share": reason["contribution"] / largest}
        for reason in reasons
    ]
