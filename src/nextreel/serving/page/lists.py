"""The ten movies as both views show them: as posters, and what changed since the list before."""

from collections.abc import Sequence
from typing import Any

from nextreel.serving.inference.engine import Answer
from nextreel.serving.page.posters import Poster


def with_poster(movie: dict[str, Any]) -> dict[str, Any]:
    """A movie as the engine shows it, with `poster`."""
    return {**movie, "poster": Poster.of(movie)}


def show_list(answer: Answer, before: Answer | None, count: int) -> list[dict[str, Any]]:
    """The first movies of an answer with `rank` and `change`: places won since the list before, None if it is new.

    Without a list before, nothing has changed.
    """
    earlier = answer if before is None else before
    old = {movie["movie_id"]: rank for rank, movie in enumerate(earlier.movies[:count], 1)}
    return [
        {
            **with_poster(movie),
            "rank": rank,
            "change": old[movie["movie_id"]] - rank if movie["movie_id"] in old else None,
        }
        for rank, movie in enumerate(answer.movies[:count], 1)
    ]


def tell_changes(movies: Sequence[dict[str, Any]]) -> str:
    """What a screen reader says when the list has changed."""
    if not movies:
        return "The list is empty."
    new = sum(movie["change"] is None for movie in movies)
    return f"{len(movies)} movies, {new} new. First: {movies[0]['poster'].title}."
