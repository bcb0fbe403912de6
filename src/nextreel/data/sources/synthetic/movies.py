"""A catalog of invented movies: titles, genres, taste factors, quality, release dates and series."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array, Int64Array
from nextreel.data.schema import MOVIE_ID
from nextreel.data.sources.synthetic.titles import invent_titles
from nextreel.data.times import DAY

YEAR = 365.25 * DAY
OPENS = 1_609_459_200
"""2021-01-01, UTC: the earliest time of a rating."""
CLOSES = OPENS + 3 * 365 * DAY
"""End of the data: all ratings are earlier."""

N_FACTORS = 16
OWN_SHARE_OF_MOVIE = 0.45
"""Share of the variance of a movie's taste factors that is drawn for it alone; the rest comes from its genres."""
OWN_SHARE_OF_SEQUEL = 0.05
"""Share of the variance of a sequel's taste factors that is drawn anew; the rest is the first part's."""

RELEASED_INSIDE = 0.12
"""Share of the movies that are released while the data are collected: the cold-start movies."""
MEAN_AGE_YEARS, HIGHEST_AGE_YEARS = 12.0, 90
"""Mean age in years, at the start of the data, of movies released earlier, and the age at which it is cut off."""
SERIES = 0.03
"""Number of series as a share of the movies."""
MOVIES_IN_SERIES = 3
FEWEST_YEARS_TO_SEQUEL, MOST_YEARS_TO_SEQUEL = 1, 4
NUMERALS = (" II", " III")
ID_RANGE = 1.02
"""MovieIDs go up to this multiple of the number of movies: they have gaps, as those of MovieLens have."""

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
"""Relative frequency of each genre, and the genres that it is often combined with."""
COMPANION_PULL = 1.8
"""Added to a genre's log frequency if `GENRES` lists it as often combined with the movie's first genre."""
N_GENRES_SHARES = (0.5, 0.33, 0.17)
"""Shares of the movies with one, two and three genres."""


@dataclass(frozen=True)
class InventedMovies:
    """Movies with their hidden attributes, in the order of their MovieIDs."""

    frame: pl.DataFrame
    """MovieID, Title, Genres in the form of movies.csv."""
    genres: Float64Array
    """float64[n_movies, n_genres]: share of each genre in a movie; each row sums to 1."""
    factors: Float64Array
    """float64[n_movies, N_FACTORS]: taste factors of each movie, unit vectors."""
    quality: Float64Array
    """float64[n_movies]: quality of each movie, drawn from a standard normal distribution."""
    released: Int64Array
    """int64[n_movies]: release date, POSIX seconds."""
    sequel: Int64Array
    """int64[n_movies]: index of the next movie in the series, -1 for none."""


def draw_movies(n: int, genre_vectors: Float64Array, rng: np.random.Generator) -> InventedMovies:
    """Draw a catalog of n invented movies.

    Parameters
    ----------
    n : int
        Number of movies.
    genre_vectors : float64[n_genres, N_FACTORS]
        Vector of taste factors of each genre.
    rng : numpy.random.Generator
        Source of all random draws.
    """
    released = np.where(
        rng.permutation(n) < RELEASED_INSIDE * n,
        rng.uniform(OPENS, CLOSES, n),
        OPENS - np.minimum(rng.exponential(MEAN_AGE_YEARS, n), HIGHEST_AGE_YEARS) * YEAR,
    ).astype(np.int64)
    genres = _draw_genres(n, rng)
    factors = mix_factors(genres @ genre_vectors, OWN_SHARE_OF_MOVIE, rng)
    titles = invent_titles(n, rng)
    sequel = np.full(n, -1)
    in_series = rng.permutation(n)[: MOVIES_IN_SERIES * round(SERIES * n)]
    for first, *parts in in_series.reshape(-1, MOVIES_IN_SERIES):
        previous = first
        for numeral, part in zip(NUMERALS, parts[: rng.integers(1, MOVIES_IN_SERIES)], strict=False):
            wait = rng.uniform(FEWEST_YEARS_TO_SEQUEL, MOST_YEARS_TO_SEQUEL) * YEAR
            released[part] = released[previous] + min(wait, (CLOSES - released[previous]) / 2)
            genres[part] = genres[first]
            factors[part] = mix_factors(factors[[first]], OWN_SHARE_OF_SEQUEL, rng)[0]
            titles[part] = re.sub(r"(, The|, An?)?$", rf"{numeral}\1", titles[first], count=1)
            sequel[previous] = part
            previous = part
    years = released.astype("datetime64[s]").astype("datetime64[Y]")
    names = np.array(list(GENRES))
    frame = pl.DataFrame(
        {
            MOVIE_ID: np.sort(np.append(0, 1 + rng.choice(round(ID_RANGE * n), n - 1, replace=False))),
            "Title": [f"{title} ({year})" for title, year in zip(titles, years, strict=True)],
            "Genres": ["|".join(names[row > 0]) for row in genres],
        }
    )
    return InventedMovies(frame, genres, factors, rng.normal(size=n), released, sequel)


def mix_factors(common: Float64Array, own_share: float, rng: np.random.Generator) -> Float64Array:
    """Return float64[n, N_FACTORS]: unit vectors, each a mix of a row of `common` and a random vector.

    `own_share` is the share of the variance that comes from the random vector.
    """
    unit = common / np.linalg.norm(common, axis=1, keepdims=True)
    own = rng.normal(scale=N_FACTORS**-0.5, size=unit.shape)
    mixed: Float64Array = np.sqrt(1 - own_share) * unit + np.sqrt(own_share) * own
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return mixed


def _draw_genres(n: int, rng: np.random.Generator) -> Float64Array:
    """Return float64[n, n_genres]: share of each genre in a movie; its one to three genres have equal shares."""
    names = list(GENRES)
    log_frequency = np.log([frequency for frequency, _ in GENRES.values()])
    is_companion = np.array(
        [[name in companions.split() for name in names] for _, companions in GENRES.values()]
    )
    first = np.argmax(log_frequency + rng.gumbel(size=(n, len(names))), axis=1)
    score = log_frequency + COMPANION_PULL * is_companion[first] + rng.gumbel(size=(n, len(names)))
    score[np.arange(n), first] = np.inf
    rank = np.argsort(np.argsort(-score, axis=1), axis=1)
    n_genres = rng.choice([1, 2, 3], size=n, p=N_GENRES_SHARES)
    shares: Float64Array = (rank < n_genres[:, None]) / n_genres[:, None]
    return shares
