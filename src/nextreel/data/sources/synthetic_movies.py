"""A catalog of movies that don't exist: genres, factors of taste, quality, release dates and series."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.schema import MOVIE_ID
from nextreel.data.times import DAY

Floats = Float64Array

YEAR = 365.25 * DAY
OPENS = 1_609_459_200
"""2021-01-01, UTC: the first moment anybody can rate."""
CLOSES = OPENS + 3 * 365 * DAY

N_FACTORS = 16
OWN_SHARE_OF_MOVIE = 0.45
"""The part of a movie's factors that isn't its genres'."""
OWN_SHARE_OF_SEQUEL = 0.05

RELEASED_INSIDE = 0.12
SERIES = 0.03
MEAN_AGE_YEARS = 12.0
NUMERALS = (" II", " III")

GENRES = {
    "Action": (500, "Adventure Sci-Fi Thriller"),
    "Adventure": (280, "Action Children's Fantasy"),
    "Animation": (105, "Children's Musical"),
    "Children's": (250, "Animation Comedy Fantasy"),
    "Comedy": (1200, "Romance Children's"),
    "Crime": (210, "Thriller Drama Film-Noir"),
    "Documentary": (125, ""),
    "Drama": (1600, "Romance War Crime"),
    "Fantasy": (70, "Adventure Children's"),
    "Film-Noir": (45, "Crime Mystery"),
    "Horror": (340, "Thriller Sci-Fi"),
    "Musical": (115, "Comedy Animation"),
    "Mystery": (105, "Thriller Film-Noir"),
    "Romance": (470, "Drama Comedy"),
    "Sci-Fi": (275, "Action Adventure Horror"),
    "Thriller": (490, "Action Crime Mystery"),
    "War": (145, "Drama Action"),
    "Western": (70, "Action Comedy"),
}
"""How often each one occurs, relative to the others, and what it goes well with."""
COMPANION_PULL = 1.8
N_GENRES_SHARES = (0.5, 0.33, 0.17)


@dataclass(frozen=True)
class InventedMovies:
    """Movies with what the process knows of them, in the order of their MovieIDs."""

    frame: pl.DataFrame
    """MovieID, Title, Genres in the form of movies.csv."""
    genres: Floats
    """float64[n_movies, 18]: each row sums to 1."""
    factors: Floats
    """float64[n_movies, N_FACTORS]: unit vectors."""
    quality: Floats
    released: Int64Array
    """int64[n_movies]: POSIX seconds."""
    sequel: Int64Array
    """int64[n_movies]: the movie that follows in the series, -1 for none."""


def draw_movies(n: int, genre_vectors: Floats, rng: np.random.Generator) -> InventedMovies:
    """Draw n movies; `genre_vectors` is float64[18, N_FACTORS], the taste that each genre stands for."""
    released = np.where(
        rng.permutation(n) < RELEASED_INSIDE * n,
        rng.uniform(OPENS, CLOSES, n),
        OPENS - np.minimum(rng.exponential(MEAN_AGE_YEARS, n), 90) * YEAR,
    ).astype(np.int64)
    genres = _draw_genres(n, rng)
    factors = mix_factors(genres @ genre_vectors, OWN_SHARE_OF_MOVIE, rng)
    titles = list(islice(invent_titles(rng), n))
    sequel = np.full(n, -1)
    for first, *parts in rng.permutation(n)[: 3 * round(SERIES * n)].reshape(-1, 3):
        before = first
        for numeral, part in zip(NUMERALS, parts[: rng.integers(1, 3)], strict=False):
            wait = rng.uniform(1, 4) * YEAR
            released[part] = released[before] + min(wait, (CLOSES - released[before]) / 2)
            genres[part] = genres[first]
            factors[part] = mix_factors(factors[[first]], OWN_SHARE_OF_SEQUEL, rng)[0]
            titles[part] = re.sub(r"(, The|, An?)?$", rf"{numeral}\1", titles[first], count=1)
            sequel[before] = part
            before = part
    years = released.astype("datetime64[s]").astype("datetime64[Y]")
    names = np.array(list(GENRES))
    frame = pl.DataFrame(
        {
            MOVIE_ID: np.sort(np.append(0, 1 + rng.choice(round(1.02 * n), n - 1, replace=False))),
            "Title": [f"{title} ({year})" for title, year in zip(titles, years, strict=True)],
            "Genres": ["|".join(names[row > 0]) for row in genres],
        }
    )
    return InventedMovies(frame, genres, factors, rng.normal(size=n), released, sequel)


def _draw_genres(n: int, rng: np.random.Generator) -> Floats:
    names = list(GENRES)
    log_frequency = np.log([frequency for frequency, _ in GENRES.values()])
    goes_with = np.array(
        [[name in companions.split() for name in names] for _, companions in GENRES.values()]
    )
    first = np.argmax(log_frequency + rng.gumbel(size=(n, len(names))), axis=1)
    score = log_frequency + COMPANION_PULL * goes_with[first] + rng.gumbel(size=(n, len(names)))
    score[np.arange(n), first] = np.inf
    rank = np.argsort(np.argsort(-score, axis=1), axis=1)
    how_many = rng.choice([1, 2, 3], size=n, p=N_GENRES_SHARES)
    shares: Floats = (rank < how_many[:, None]) / how_many[:, None]
    return shares


def mix_factors(common: Floats, own_share: float, rng: np.random.Generator) -> Floats:
    """Unit vectors: a common part and a random part of their own."""
    unit = common / np.linalg.norm(common, axis=1, keepdims=True)
    own = rng.normal(scale=N_FACTORS**-0.5, size=unit.shape)
    blended: Floats = np.sqrt(1 - own_share) * unit + np.sqrt(own_share) * own
    blended /= np.linalg.norm(blended, axis=1, keepdims=True)
    return blended


ADJECTIVES = """
    Amber Ashen Borrowed Brittle Bronze Clockwork Copper Crooked Distant Drowsy Faraway Feathered
    Forgetful Gilded Hollow Hushed Inked Ivory Lopsided Marbled Midwinter Mossy Motionless Nameless
    Nettled Painted Paper Patient Pewter Quarrelsome Restless Rusted Salted Sleepless Slanted
    Stubborn Tangled Threadbare Tidal Unfinished Unlit Velvet Wandering Weathered Windless
"""


NOUNS = """
    Acrobat Almanac Apiary Archivist Atlas Barometer Beekeeper Bellmaker Bookbinder Carousel
    Cartographer Clockmaker Compass Conservatory Courier Cuckoo Driftwood Ferry Ferryman Foghorn
    Gardener Glassblower Harbor Heron Inkwell Kite Lantern Ledger Locksmith Marionette Meadow
    Metronome Milliner Nightjar Orchard Paperweight Pendulum Postmaster Quarry Reservoir Sawmill
    Semaphore Signalman Sparrow Switchboard Tailor Telegraph Thimble Tinker Toymaker Umbrella
    Viaduct Wharf Windmill Woodcutter
"""


PLACES = """
    Alderwick Brackenmoor Calder's~Reach Carrowby Dunmarrow Eastering Fennimore Glasswater
    Harrowmere Isle~of~Thrum Juniper~Row Kestrel~Bay Larkhollow Mossgate Nettlecombe Oxbow~Lane
    Pellworth Quillhaven Rookminster Saltmarsh~Street Tarrowgate Umberfield Velmouth Wexcombe
    Yarrowdale Zephyr~Point
"""


NAMES = """
    Adelgund Barnaby Celestine Dorothea Emmerich Florian Gwendolyn Hortensia Ignatius Jacinta
    Konstantin Lucinda Mortimer Nadezhda Octavia Percival Quentina Rosalba Sebastian Theodora Ulrich
    Valentina Wilhelmina Xanthe Yolanda Zacharias
"""


TITLES = (
    "{adjective} {noun}, The",
    "{adjective} {noun}, The",
    "{noun} of {place}, The",
    "{name} and the {noun}",
    "{name}'s {adjective} {noun}",
    "Last {noun} in {place}, The",
    "{adjective} {noun}, {article}",
    "{adjective} Days in {place}",
    "Letters to {place}",
    "Nobody Told {name}",
    "{name}, {other_name} and the {adjective} {noun}",
    'Calling "{adjective} {noun}"',
    "Café {place}",
    "{noun}, the {other_noun} and the Sea, The",
)


def invent_titles(rng: np.random.Generator) -> Iterator[str]:
    """Titles without end, in MovieLens' form, none twice; there are over a million."""
    adjectives, nouns, places, names = (words.split() for words in (ADJECTIVES, NOUNS, PLACES, NAMES))
    used: set[str] = set()
    while True:
        noun, other_noun = rng.choice(nouns, 2, replace=False)
        name, other_name = rng.choice(names, 2, replace=False)
        template, adjective = rng.choice(TITLES), rng.choice(adjectives)
        title = template.format(
            adjective=adjective,
            article="An" if adjective[0] in "AEIOU" else "A",
            noun=noun,
            other_noun=other_noun,
            place=rng.choice(places).replace("~", " "),
            name=name,
            other_name=other_name,
        )
        if title not in used:
            used.add(title)
            yield title
