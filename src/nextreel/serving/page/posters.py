"""Posters made of type: what a movie is decides how its title is set.

The genre chooses the palette and the motif, a second genre the accent, the decade the manners of typesetting that
are possible, and the MovieID one of them and how the motif is turned, so that a movie always has the same poster and
neighbours rarely share one. The size of the type is computed: a style sheet can't know whether a title fits.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextreel.serving.inference.engine import RecommendationResult

TELLING_GENRES = (
    *("film-noir", "western", "horror", "war", "musical", "animation", "documentary", "sci-fi", "mystery"),
    *("fantasy", "children", "crime", "romance", "thriller", "adventure", "action", "comedy", "drama"),
)
"""The genres that have a look, those first that say most about a movie: of a war drama one thinks of war."""
MOTIFS = {
    "drama": ("drama", "stairs", "window"),
    "comedy": ("comedy", "hat", "parasol"),
    "romance": ("romance", "heart", "letter"),
}
"""Of the genres that most movies have; every other genre has one of its own name."""
TURNS = 6
"""Ways to place a motif."""
YEAR_AT_THE_END = re.compile(r"\s*\(\d{4}\)$")

SIZES = (21, 18.5, 16, 14, 12, 10.5, 9, 7.5, 6.3)
"""Heights of the type, in hundredths of the poster's width; the style sheet has a class for each."""
WIDTH, HEIGHT = 82, 44
"""Of the room for a title, in the same unit."""


@dataclass(frozen=True)
class Manner:
    """A way to set a title."""

    name: str
    letter_width: float
    """Mean width of a letter as a part of its height, on the wide side."""
    line_height: float


PLAYBILL, CUTOUT, MARQUEE = (
    Manner("playbill", 0.84, 1.08),
    Manner("cutout", 0.6, 1.0),
    Manner("marquee", 0.56, 0.98),
)
CREDITS, BLOCK = Manner("credits", 0.78, 1.2), Manner("block", 0.47, 0.95)
DECADES = (
    (1949, (PLAYBILL,)),
    (1959, (CUTOUT, PLAYBILL)),
    (1969, (CUTOUT,)),
    (1989, (MARQUEE, CUTOUT, MARQUEE)),
    (1999, (CREDITS, BLOCK, MARQUEE)),
    (9999, (BLOCK, CREDITS, CUTOUT)),
)
"""The last year of each span, and its manners."""


@dataclass(frozen=True)
class Poster:
    """How a movie's poster looks, as names that the style sheet knows."""

    title: str
    year: int | None
    look: str
    """The palette: a genre."""
    motif: str
    accent: str
    """The genre that lends the second colour."""
    manner: str
    turn: int
    """0 to TURNS - 1."""
    size: int
    """Index into SIZES."""

    @classmethod
    def of(cls, movie: Mapping[str, Any]) -> "Poster":
        """Of a movie as the engine shows it: movie_id, title, genres, year."""
        title = YEAR_AT_THE_END.sub("", movie["title"] or f"Movie {movie['movie_id']}")
        looks = _rank_looks(movie["genres"])
        manners = next(each for until, each in DECADES if (movie["year"] or 2000) <= until)
        choice, turn = divmod(zlib.crc32(str(movie["movie_id"]).encode()), TURNS)
        motifs = MOTIFS.get(looks[0], looks[:1])
        manner, motif = manners[choice % len(manners)], motifs[choice // 7 % len(motifs)]
        size = next((i for i in range(len(SIZES)) if _fits(title, SIZES[i], manner)), len(SIZES) - 1)
        accent = looks[min(1, len(looks) - 1)]
        return cls(title, movie["year"], looks[0], motif, accent, manner.name, turn, size)


def _rank_looks(genres: Sequence[str]) -> list[str]:
    """The looks of some genres, the most telling first; a genre of other data borrows one, always the same."""
    names = {genre.casefold().removesuffix("'s").replace(" ", "-") for genre in genres} or {"drama"}
    looks = {
        name if name in TELLING_GENRES else TELLING_GENRES[zlib.crc32(name.encode()) % len(TELLING_GENRES)]
        for name in names
    }
    return sorted(looks, key=TELLING_GENRES.index)


def _fits(title: str, size: float, manner: Manner) -> bool:
    """Whether the title, broken between words, stays within the room for it."""
    letter, lines, room = size * manner.letter_width, 1, float(WIDTH)
    for word in title.split():
        width = len(word) * letter
        if width > WIDTH:
            return False
        if width > room:
            lines, room = lines + 1, float(WIDTH)
        room -= width + letter
    return lines * size * manner.line_height <= HEIGHT


def with_poster(movie: dict[str, Any]) -> dict[str, Any]:
    """A movie as the engine shows it, with `poster`."""
    return {**movie, "poster": Poster.of(movie)}


def show_list(
    answer: RecommendationResult, before: RecommendationResult | None, count: int
) -> list[dict[str, Any]]:
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
