"""Why a movie is in a recommendation list: a sentence, and the ratings that changed its score most, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from starlette.datastructures import QueryParams

from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.times import end_of_this_second
from nextreel.errors import QueryError
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.movie_cards import ReasonShown
from nextreel.serving.inference.service import Service
from nextreel.serving.page.history_strip import LIST_LENGTH
from nextreel.serving.page.new_user import NEW_USER_ID
from nextreel.serving.page.posters import MovieWithPoster, Poster, with_poster
from nextreel.serving.page.rendering import View
from nextreel.serving.page.url_parameters import NewUserForm, read_id, require_id, require_time
from nextreel.wording import join_names


class ReasonBar(ReasonShown):
    """A rating of the user and the bar that shows its effect on the score of the recommended movie."""

    poster: Poster
    share: float
    """Length of the bar, -1 to 1: the rating's contribution divided by the largest absolute one of the movie."""


MAIN_SHARE = 0.5
"""Share of all that speaks for a movie from which on a single rating is called the main reason."""
MOVIES_NAMED = 3
"""Number of ratings that the sentence names at most as speaking for a movie."""
DISLIKED_BELOW = 3.0
"""A rating below this many stars says that the movie wasn't liked."""


@dataclass(frozen=True)
class MovieReasonsView(View):
    """A recommended movie and the ratings that had the largest effect on its score."""

    movie: MovieWithPoster
    sentence: str
    """The main reasons in words."""
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
        scale = service.engine_for(NEW_USER_ID).scale
        request = form.to_request(NEW_USER_ID, end_of_this_second(), LIST_LENGTH, scale, explain=True)
    else:
        as_of = require_time(parameters, "at")
        request = RecommendationRequest(user_id, as_of, LIST_LENGTH, explain=True)
    engine = service.engine_for(request.user_id)
    result = engine.recommend([request])[0]
    for movie, reasons in zip(result.movies, result.reasons or [], strict=True):
        if movie["movie_id"] == movie_id:
            bars = _make_bars(reasons)
            who = "you" if user_id is None else "they"
            return MovieReasonsView(with_poster(movie), tell_reasons(bars, who, engine.scale), bars)
    raise QueryError(f"movie {movie_id} isn't in this list")


def _make_bars(reasons: list[ReasonShown]) -> list[ReasonBar]:
    largest = max((abs(reason["contribution"]) for reason in reasons), default=0.0) or 1.0
    return [
        {**reason, "poster": Poster.of(reason), "share": reason["contribution"] / largest}
        for reason in reasons
    ]


def tell_reasons(reasons: Sequence[ReasonBar], who: str, scale: RatingScale = STARS) -> str:
    """Say in a sentence or two which ratings speak for a movie, such as "Mostly because you liked Heat."

    Parameters
    ----------
    reasons : sequence of ReasonBar
        The ratings with the largest effect on the movie's score.
    who : str
        Whose ratings they are: "you" or "they".
    scale : RatingScale
        What the ratings mean.
    """
    speaking_for = sorted((r for r in reasons if r["contribution"] > 0), key=lambda r: -r["contribution"])
    against = min(reasons, key=lambda r: r["contribution"], default=None)
    if against is None:
        return "The list is what is popular: no rating speaks for or against it."
    if not speaking_for:
        return f"No single movie that {who} rated speaks for it; only all of them together do."
    strengths = [reason["contribution"] for reason in speaking_for]
    is_main = strengths[0] >= MAIN_SHARE * sum(strengths)
    named = speaking_for[: 1 if is_main else MOVIES_NAMED]
    sentence = f"{'Mostly because' if is_main else 'Because'} {who} {_list_verdicts(named, scale)}."
    if -against["contribution"] >= MAIN_SHARE * strengths[0]:
        sentence += f" That {who} {_verdict(against, scale)} {against['poster'].title} speaks against it."
    return sentence


def _list_verdicts(reasons: Sequence[ReasonBar], scale: RatingScale) -> str:
    """Return such as "liked Heat and Alien, and disliked Big", in the order of the first rating of each verdict."""
    titles_by_verdict: dict[str, list[str]] = {}
    for reason in reasons:
        titles_by_verdict.setdefault(_verdict(reason, scale), []).append(reason["poster"].title)
    parts = [f"{verdict} {join_names(titles)}" for verdict, titles in titles_by_verdict.items()]
    return ", and ".join(parts)


def _verdict(reason: ReasonBar, scale: RatingScale) -> str:
    if not scale.rated:
        return "watched"
    if reason["rating"] >= scale.liked_from:
        return "liked"
    stars = scale.to_stars(np.array([reason["rating"]], dtype=np.float32))[0]
    return "disliked" if stars < DISLIKED_BELOW else "watched"
