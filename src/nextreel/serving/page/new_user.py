"""Being somebody new: ratings that stand in the address alone, and the list that they make."""

from typing import Any

from starlette.datastructures import QueryParams

from nextreel.data.schema import LARGEST_INTEGER
from nextreel.data.times import end_of_this_second
from nextreel.errors import QueryError
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.service import Service
from nextreel.serving.page.posters import show_list, tell_changes, with_poster
from nextreel.serving.page.svg_charts import LISTED
from nextreel.serving.page.url_parameters import Wishes

FOUND = 6
"""Movies that a search shows."""
NOBODY = LARGEST_INTEGER
"""A UserID that nobody has: what is known of other people mustn't count."""


def show(service: Service, address: QueryParams, whole: bool) -> dict[str, Any]:
    """The view of the ratings, the search and the wishes in the address."""
    wishes = Wishes.read(address)
    engine = service.engine_for(NOBODY)
    rated = [_rated(engine, movie_id, stars) for movie_id, stars in wishes.ratings.items()]
    asked = [wishes.ask(NOBODY, end_of_this_second(), LISTED)]
    if rated:
        asked.append(wishes.without_latest().ask(NOBODY, asked[0].timestamp, LISTED))
    answers = engine.recommend(asked)
    movies = show_list(answers[0], answers[1] if rated else None, LISTED)
    found = [with_poster(movie) for movie in engine.search(wishes.search, FOUND)] if wishes.search else []
    return {
        "wishes": wishes,
        "rated": rated[::-1],
        "found": [movie for movie in found if movie["movie_id"] not in wishes.ratings],
        "known": sum(movie["movie_id"] in wishes.ratings for movie in found),
        "answer": answers[0],
        "movies": movies,
        "told": tell_changes(movies),
        "genres": engine.catalog.genres,
        "years": _span_years(engine),
        "model": engine.model_facts,
    }


def _rated(engine: Engine, movie_id: int, stars: float) -> dict[str, Any]:
    movie = engine.movie(movie_id)
    if movie is None:
        raise QueryError(f"movie {movie_id} isn't in the catalog")
    return {**with_poster(movie), "rating": stars}


def _span_years(engine: Engine) -> tuple[int, int]:
    years = engine.catalog.movies["Year"].drop_nulls()
    return (int(years.min()), int(years.max())) if len(years) else (1900, 2100)  # type: ignore[arg-type]
