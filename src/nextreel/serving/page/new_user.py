"""Being a new user: a visitor's ratings, which only the URL holds, and their recommendation list."""

import re
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from nextreel.data.ids import Id
from nextreel.data.schema import LARGEST_INTEGER
from nextreel.data.times import end_of_this_second
from nextreel.errors import QueryError
from nextreel.serving.inference.engine import Engine, ModelFacts
from nextreel.serving.inference.list_requests import RecommendationResult
from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.inference.movie_lookup import MovieLookup
from nextreel.serving.inference.service import Service
from nextreel.serving.page.history_strip import LIST_LENGTH
from nextreel.serving.page.posters import (
    ListedMovie,
    MovieWithPoster,
    Poster,
    describe_changes,
    list_movies,
    with_poster,
)
from nextreel.serving.page.rendering import View
from nextreel.serving.page.starters import N_CANDIDATES, choose_starters
from nextreel.serving.page.url_parameters import NewUserForm

MOVIES_FOUND = 6
"""Number of movies that the visitor's search by title finds at most."""
NEW_USER_ID = LARGEST_INTEGER
"""UserID of every visitor who rates movies on the page: the largest possible one, to avoid real users' ids."""
UNTITLED = re.compile(r"(?:movie )?([0-9]{1,18})", re.IGNORECASE)
"""What finds a movie without a title: its MovieID, or what its poster shows."""
YEARS_IF_UNKNOWN = (1900, 2100)
"""Range of the form's year fields if no movie of the catalog has a year."""


class VisitorRating(MovieWithPoster):
    """A movie that the visitor has rated, with this rating."""

    rating: float


@dataclass(frozen=True)
class NewUserView(View):
    """The visitor's ratings and filters, the movies found by their search, and their list."""

    form: NewUserForm
    rated: list[VisitorRating]
    """The visitor's ratings, latest first."""
    found: list[MovieWithPoster]
    """Movies whose title matches the search, without those that the visitor has rated."""
    n_rated_found: int
    """Number of movies left out of `found` because the visitor has rated them."""
    starters: list[MovieWithPoster]
    """Well-known movies that the visitor is asked about, rated or not."""
    result: RecommendationResult
    movies: list[ListedMovie]
    changes: str
    """Sentences that tell a screen reader what has changed in the list."""
    genres: list[str]
    """All genres of the catalog."""
    years: tuple[int, int]
    """The earliest and the latest year of a movie, or YEARS_IF_UNKNOWN: the range of the form's year fields."""
    model: ModelFacts

    def address(self) -> str:
        """Return the path and the parameters that show this view again."""
        parameters = self.form.to_url_parameters(with_search=True)
        return f"/you?{parameters}" if parameters else "/you"


def show(service: Service, parameters: QueryParams, is_full_page: bool) -> NewUserView:
    """Show the list for the ratings and filters in the URL, and the movies that its search finds.

    Raises QueryError if a parameter is wrong or a rated movie isn't in the catalog.
    """
    engine = service.engine_for(NEW_USER_ID)
    form = NewUserForm.read(parameters, engine.format.movie_ids or "number").spelt_as_in(
        engine.follower.catch_up().catalog.genres
    )
    rated = [_find_rated(engine.movies, movie_id, stars) for movie_id, stars in form.ratings.items()]
    requests = [form.to_request(NEW_USER_ID, end_of_this_second(), LIST_LENGTH, engine.scale)]
    if rated:
        without_latest = form.without_latest_rating()
        requests.append(
            without_latest.to_request(NEW_USER_ID, requests[0].timestamp, LIST_LENGTH, engine.scale)
        )
    results = engine.recommend(requests)
    movies = list_movies(results[0], results[1] if rated else None, LIST_LENGTH)
    found = _search(engine, form.search)
    new = [movie for movie in found if movie["movie_id"] not in form.ratings]
    catalog = engine.follower.last_snapshot.catalog
    return NewUserView(
        form=form,
        rated=rated[::-1],
        found=[with_poster(movie) for movie in new],
        n_rated_found=len(found) - len(new),
        starters=choose_starters(engine.movies.most_rated(N_CANDIDATES)),
        result=results[0],
        movies=movies,
        changes=describe_changes(movies),
        genres=catalog.genres,
        years=catalog.years or YEARS_IF_UNKNOWN,
        model=engine.model_facts,
    )


def _search(engine: Engine, text: str) -> list[MovieCard]:
    """Return the movies whose title matches the text; one without a title is found by its MovieID."""
    if not text:
        return []
    found: list[MovieCard] = [*engine.movies.search(text, MOVIES_FOUND)]
    untitled = _find_by_id(engine, text)
    if untitled is None or untitled["title"] is not None:
        return found
    return [untitled, *found][:MOVIES_FOUND]


def _find_by_id(engine: Engine, text: str) -> MovieCard | None:
    if engine.format.movie_ids == "text":
        return engine.movies.find(text) or engine.movies.find(text.removeprefix("Movie "))
    as_id = UNTITLED.fullmatch(text)
    return engine.movies.find(int(as_id[1])) if as_id else None


def _find_rated(movies: MovieLookup, movie_id: Id, stars: float) -> VisitorRating:
    movie = movies.find(movie_id)
    if movie is None:
        raise QueryError(f"movie {movie_id} isn't in the catalog")
    return {**movie, "poster": Poster.of(movie), "rating": stars}
