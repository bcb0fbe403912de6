"""The catalog: search by title, one movie, movies like it, and adding one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from nextreel.data.times import end_of_this_second
from nextreel.serving.http import request_bodies, response_bodies
from nextreel.serving.http.dependencies import State, write_json
from nextreel.serving.http.openapi import EVERYWHERE, WITH_BODY, problems
from nextreel.serving.inference.movie_cards import show_movie

router = APIRouter(prefix="/v1", tags=["movies"])

MovieId = Annotated[request_bodies.IdParameter, Path()]
NO_SUCH_MOVIE = "movie {} isn't in the catalog"


@router.get("/movies", responses={200: {"model": response_bodies.MovieList}, **problems(*EVERYWHERE)})
async def search_movies(
    state: State,
    query: Annotated[str, Query(min_length=1, max_length=200, description="A title as people type it.")],
    limit: Annotated[request_bodies.IntParameter, Query(ge=1, le=100)] = 20,
) -> Response:
    """Movies by title: any case, accents or order of an article, with typos, or only the beginning."""
    return write_json({"movies": await state.run_reading(state.service.engine.search, query, limit)})


@router.get(
    "/movies/{movie_id}", responses={200: {"model": response_bodies.Movie}, **problems(404, *EVERYWHERE)}
)
async def get_movie(movie_id: MovieId, state: State) -> Response:
    """One movie."""
    found = await state.run_reading(state.service.engine.movie, movie_id)
    if found is None:
        raise HTTPException(404, NO_SUCH_MOVIE.format(movie_id))
    return write_json(found)


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
        Query(alias="at", description="As of when; absent means now, this second included."),
    ] = None,
) -> Response:
    """Movies that the same people liked more often than chance would have it, as of a moment."""
    asked = end_of_this_second() if timestamp is None else timestamp
    found = await state.run_reading(state.service.engine.similar, movie_id, asked, k)
    if found is None:
        raise HTTPException(404, NO_SUCH_MOVIE.format(movie_id))
    return write_json({"movies": found})


@router.post(
    "/movies",
    status_code=201,
    responses={
        201: {"model": response_bodies.Movie, "description": "Added."},
        200: {
            "model": response_bodies.Movie,
            "description": "The catalog has it, just so; nothing was written.",
        },
        **problems(409, *EVERYWHERE, *WITH_BODY),
    },
)
async def add_movie(movie: request_bodies.NewMovie, state: State) -> Response:
    """Add a movie. It can be rated and recommended at once, by its genres and year, until a refit learns it."""
    engine = state.service.engine
    dated = movie.year is None or movie.title.rstrip().endswith(f"({movie.year})")
    title = movie.title if dated else f"{movie.title} ({movie.year})"
    genres = list(dict.fromkeys(movie.genres))
    added = await state.run_writing(engine.add_movie, movie.movie_id, title, genres)
    stands = await state.run_reading(engine.movie, movie.movie_id)
    if stands is None:
        raise HTTPException(503, "the movie was added, but can't be read back yet", {"Retry-After": "1"})
    if not added and stands != show_movie(movie.movie_id, title, genres):
        what = f"{stands['title']}, {'|'.join(stands['genres']) or 'no genres'}"
        raise HTTPException(409, f"the catalog has a movie {movie.movie_id} already: {what}")
    return write_json(stands, 201 if added else 200, {"Location": f"/v1/movies/{movie.movie_id}"})
