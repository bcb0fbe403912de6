"""Typographic posters for movies, and a recommendation list as a row of them.

The most telling genre of a movie decides the palette and the motif of its poster, the next genre the accent colour, and
the decade the possible styles of lettering. The MovieID chooses one of these styles and how the motif is turned. So a
movie has the same poster everywhere, except in a list where another movie has this motif already: there it takes
another motif of its genres. The type size is computed here, because a style sheet can't know whether a title fits.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nextreel.data.ids import Id, encode_id
from nextreel.serving.inference.list_requests import RecommendationResult
from nextreel.serving.inference.movie_cards import MovieCard, ScoredMovie

TELLING_GENRES = (
    *("film-noir", "western", "horror", "war", "musical", "animation", "documentary", "sci-fi", "mystery"),
    *("fantasy", "children", "crime", "romance", "thriller", "adventure", "action", "comedy", "drama"),
)
"""The genres with a poster design of their own, the most telling first: a war drama looks like a war movie."""
MOTIFS = {
    "action": ("action", "burst", "bolt"),
    "adventure": ("adventure", "compass"),
    "children": ("children", "balloon"),
    "comedy": ("comedy", "hat", "parasol", "bow", "bubbles"),
    "crime": ("crime", "city"),
    "drama": ("drama", "stairs", "window", "tree", "rain"),
    "fantasy": ("fantasy", "castle"),
    "horror": ("horror", "house"),
    "musical": ("musical", "notes"),
    "romance": ("romance", "heart", "letter", "flower", "arrow"),
    "sci-fi": ("sci-fi", "rocket", "saucer"),
    "thriller": ("thriller", "eye"),
    "war": ("war", "parachute"),
}
"""The motifs (drawings) for the most frequent genres. Every other genre has a single motif, named like itself."""
NOTHING_TAKEN: Mapping[str, int] = {}
TURNS = 6
"""Number of orientations in which a poster's motif (its drawing) can be turned."""
YEAR_AT_THE_END = re.compile(r"\s*\([0-9]{4}\)$")

SIZES = (21, 18.5, 16, 14, 12, 10.5, 9, 7.5, 6.3)
"""Type sizes for titles, in hundredths of the poster's width; the style sheet has a class for each."""
TITLE_WIDTH, TITLE_HEIGHT = 82, 44
"""Width and height of the space for the title, both in hundredths of the poster's width."""


@dataclass(frozen=True)
class Lettering:
    """A typographic style for the title on a poster."""

    name: str
    letter_width: float
    """Mean width of a letter in units of the type size, slightly overestimated."""
    line_height: float
    """Distance between the baselines of two lines, in units of the type size."""


PLAYBILL, CUTOUT, MARQUEE = (
    Lettering("playbill", 0.84, 1.08),
    Lettering("cutout", 0.6, 1.0),
    Lettering("marquee", 0.56, 0.98),
)
CREDITS, BLOCK = Lettering("credits", 0.78, 1.2), Lettering("block", 0.47, 0.95)
DECADES = (
    (1949, (PLAYBILL,)),
    (1959, (CUTOUT, PLAYBILL)),
    (1969, (CUTOUT,)),
    (1989, (MARQUEE, CUTOUT, MARQUEE)),
    (1999, (CREDITS, BLOCK, MARQUEE)),
    (9999, (BLOCK, CREDITS, CUTOUT)),
)
"""Last year of each period, with its styles of lettering; a style that is listed twice is chosen twice as often."""
YEAR_IF_UNKNOWN = 2000


@dataclass(frozen=True)
class Poster:
    """How a movie's poster looks, in names that the style sheet and the templates know."""

    title: str
    """Title of the movie without the year; "Movie" and the MovieID if it has none."""
    year: int | None
    look: str
    """The genre, one of TELLING_GENRES, that gives the palette."""
    motif: str
    """Name of the drawing on the poster."""
    accent: str
    """The genre, one of TELLING_GENRES, that gives the second colour."""
    lettering: str
    turn: int
    """Orientation of the motif, 0 to TURNS - 1."""
    size: int
    """Size of the title's type, as an index into SIZES."""

    @classmethod
    def of(cls, movie: MovieCard, taken: Mapping[str, int] = NOTHING_TAKEN) -> "Poster":
        """Design the poster of a movie from its title, genres, year and MovieID.

        `taken` says how many other posters of a list have each motif: this one gets the first motif of its genres that
        the fewest have, turned in another way than theirs.
        """
        title = title_without_year(movie)
        looks = rank_looks(movie["genres"])
        year = movie["year"] or YEAR_IF_UNKNOWN
        styles = next(styles for last_year, styles in DECADES if year <= last_year)
        choice, turn = divmod(zlib.crc32(str(movie["movie_id"]).encode()), TURNS)
        lettering = styles[choice % len(styles)]
        size = next((i for i in range(len(SIZES)) if _fits(title, SIZES[i], lettering)), len(SIZES) - 1)
        designs = [(look, motif) for look in looks for motif in _turn(MOTIFS.get(look, (look,)), choice // 7)]
        look, motif = min(designs, key=lambda design: taken.get(design[1], 0))
        turn = (turn + taken.get(motif, 0)) % TURNS
        accent = next((other for other in looks if other != look), look)
        return cls(title, movie["year"], look, motif, accent, lettering.name, turn, size)


class MovieWithPoster(MovieCard):
    """A movie of the catalog with its poster."""

    poster: Poster


class ListedMovie(ScoredMovie):
    """A movie at its place in a recommendation list."""

    poster: Poster
    rank: int
    """Rank in the recommendation list, from 1."""
    change: int | None
    """Places gained since the earlier list that it is compared with; None if the movie wasn't in that one."""


def with_poster(movie: MovieCard) -> MovieWithPoster:
    """Return the fields of a movie and its poster."""
    return {**movie, "poster": Poster.of(movie)}


def design_posters(movies: Iterable[MovieCard]) -> dict[Id, Poster]:
    """Return the poster of each movie of a list by MovieID, with a motif of its own as far as its genres have one.

    The order of the list has no influence, so that a movie that only changes its place keeps its poster.
    """
    posters: dict[Id, Poster] = {}
    for movie in sorted(movies, key=lambda movie: encode_id(movie["movie_id"])):
        taken = Counter(poster.motif for poster in posters.values())
        posters[movie["movie_id"]] = Poster.of(movie, taken)
    return posters


def list_movies(
    result: RecommendationResult, earlier: RecommendationResult | None, count: int
) -> list[ListedMovie]:
    """Return the first `count` movies of a list, with their change of rank since the earlier list.

    Without an earlier list, every change is 0.
    """
    compared = result if earlier is None else earlier
    old_ranks = {movie["movie_id"]: rank for rank, movie in enumerate(compared.movies[:count], 1)}
    posters = design_posters(result.movies[:count])
    listed: list[ListedMovie] = []
    for rank, movie in enumerate(result.movies[:count], 1):
        old_rank = old_ranks.get(movie["movie_id"])
        change = None if old_rank is None else old_rank - rank
        listed.append({**movie, "poster": posters[movie["movie_id"]], "rank": rank, "change": change})
    return listed


def describe_changes(movies: Sequence[ListedMovie]) -> str:
    """Return the sentences that a screen reader says when the list has changed."""
    if not movies:
        return "The list is empty."
    n_new = sum(movie["change"] is None for movie in movies)
    return f"{len(movies)} movies, {n_new} new. First: {movies[0]['poster'].title}."


def title_without_year(movie: MovieCard) -> str:
    """Return the title of a movie without the year; "Movie" and the MovieID if it has none."""
    return YEAR_AT_THE_END.sub("", movie["title"] or f"Movie {movie['movie_id']}")


def rank_looks(genres: Sequence[str]) -> list[str]:
    """Return the poster designs for a movie's genres, as names in TELLING_GENRES, the most telling first.

    A genre that isn't in TELLING_GENRES always borrows the design of the same one that is.
    """
    names = {genre.casefold().removesuffix("'s").replace(" ", "-") for genre in genres} or {"drama"}
    looks = {
        name if name in TELLING_GENRES else TELLING_GENRES[zlib.crc32(name.encode()) % len(TELLING_GENRES)]
        for name in names
    }
    return sorted(looks, key=TELLING_GENRES.index)


def _turn(motifs: Sequence[str], start: int) -> list[str]:
    """Return the motifs from the one at `start` on, and then those before it."""
    start %= len(motifs)
    return [*motifs[start:], *motifs[:start]]


def _fits(title: str, size: float, lettering: Lettering) -> bool:
    """Return whether a title fits into TITLE_WIDTH by TITLE_HEIGHT, with line breaks only between words."""
    letter_width, n_lines, room = size * lettering.letter_width, 1, float(TITLE_WIDTH)
    for word in title.split():
        width = len(word) * letter_width
        if width > TITLE_WIDTH:
            return False
        if width > room:
            n_lines, room = n_lines + 1, float(TITLE_WIDTH)
        room -= width + letter_width
    return n_lines * size * lettering.line_height <= TITLE_HEIGHT
