"""Routes for the catalog: search by title, look up a movie, find similar movies, add a movie."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.data.times import end_of_this_second
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.access.acting_key import Actor
from nextreel.serving.http.data_values import MovieIdParameter
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.movie_cards import is_same_movie, make_card

router = APIRouter(prefix="/v1", tags=["movies"])

MovieId = Annotated[MovieIdParameter, Path()]
NO_SUCH_MOVIE = "movie {} isn't in the catalog"


@router.get("/movies", responses={200: {"model": response_bodies.MovieList}, **problems(*EVERYWHERE)})
async def search_movies(
    state: State,
    query: Annotated[
        str,
        Query(
            min_length=1, max_length=200, description="A title or the beginning of one, as people type it."
        ),
    ],
    limit: Annotated[request_bodies.IntParameter, Query(ge=1, le=100)] = 20,
) -> Response:
    """Search movies by title. Case, accents, the place of an article and typos don't matter.

    The beginning of a title is enough.
    """
    movies = await state.run_reading(state.service.engine.movies.search, query, limit)
    return write_json({"movies": movies})


@router.get(
    "/movies/{movie_id}", responses={200: {"model": response_bodies.Movie}, **problems(404, *EVERYWHERE)}
)
async def get_movie(movie_id: MovieId, state: State) -> Response:
    """Return one movie of the catalog."""
    movie = await state.run_reading(state.service.engine.movies.find, movie_id)
    if movie is None:
        raise HTTPException(404, NO_SUCH_MOVIE.format(movie_id))
    return write_json(movie)


@router.get(
    "/movies/{movie_id}/similar",
    responses={200: {"model": response_bodies.MovieList}, **problems(404, *EVERYWHERE)},
)
async def find_similar(
    movie_id: MovieId,
    state: State,
    k: Annotated[request_bodies.IntParameter, Query(ge=1, le=100)] = 10,
    timestamp: Annotated[
        request_bodies.TimestampParameter | None,
        Query(
            alias="at", description="Only ratings strictly before this time count; without it, all until now."
        ),
    ] = None,
) -> Response:
    """Return the movies most similar to this one: those that the same users liked more often than by chance."""
    as_of = end_of_this_second() if timestamp is None else timestamp
    movies = await state.run_reading(state.service.engine.movies.similar, movie_id, as_of, k)
    if movies is None:
        raise HTTPException(404, NO_SUCH_MOVIE.format(movie_id))
    return write_json({"movies": movies})


@router.post(
    "/movies",
    status_code=201,
    responses={
        201: {"model": response_bodies.Movie, "description": "Added."},
        200: {
            "model": response_bodies.Movie,
            "description": "The catalog has the same movie already; nothing was written.",
        },
        **problems(409, *EVERYWHERE, *WITH_BODY),
    },
)
async def add_movie(
    movie: request_bodies.Received[request_bodies.NewMovie], request: Request, state: State
) -> Response:
    """Add a movie. It can be rated and recommended at once; until a refit, it is scored by its genres, year and title.

    If the catalog has another movie with this MovieID, the response is 409. A movie that was deleted comes back with
    its ratings; one of the model's own catalog does so only with the title and the genres that it had.
    """
    service = state.service
    has_year = movie.year is None or movie.title.rstrip().endswith(f"({movie.year})")
    title = movie.title if has_year else f"{movie.title} ({movie.year})"
    genres = list(dict.fromkeys(movie.genres))
    is_new = await state.run_writing(service.add_movie, movie.movie_id, title, genres)
    in_catalog = await state.run_reading(service.engine.movies.find, movie.movie_id)
    if in_catalog is None and not is_new:
        was = f"movie {movie.movie_id} of the model's catalog was deleted"
        raise HTTPException(409, f"{was}; it comes back with the title and the genres that it had")
    if in_catalog is None:
        raise HTTPException(503, "the movie was added, but can't be read back yet", {"Retry-After": "1"})
    if not is_new and not is_same_movie(in_catalog, make_card(movie.movie_id, title, genres)):
        description = f"{in_catalog['title']}, {'|'.join(in_catalog['genres']) or 'no genres'}"
        raise HTTPException(409, f"the catalog has a movie {movie.movie_id} already: {description}")
    location = f"{request.scope['root_path']}/v1/movies/{quote(str(movie.movie_id), safe='')}"
    return write_json(in_catalog, 201 if is_new else 200, {"Location": location})


@router.delete(
    "/movies/{movie_id}",
    status_code=204,
    responses={204: {"description": "Deleted, now or before."}, **problems(404, 415, *EVERYWHERE)},
)
async def delete_movie(movie_id: MovieId, state: State, actor: Actor) -> Response:
    """Delete a movie, also one of the model's own catalog: no list and no search of any worker has it from then on.

    Its ratings stay in the histories. Deleting it again changes nothing; adding it again brings it back.
    """
    if not await state.run_writing(state.service.delete_movie, movie_id, actor):
        raise HTTPException(404, NO_SUCH_MOVIE.format(movie_id))
    return Response(status_code=204)
