"""A synthetic data set before its ratings are drawn, all at once or, if it is large, in parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array, Int64Array
from nextreel.atomic_files.unfinished import unfinished_file
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic.choices import choose_movies
from nextreel.data.sources.synthetic.large_samples import LargeSample
from nextreel.data.sources.synthetic.movies import GENRES, N_FACTORS, InventedMovies, draw_movies
from nextreel.data.sources.synthetic.pools import PooledChoice
from nextreel.data.sources.synthetic.popularity import draw_log_popularity
from nextreel.data.sources.synthetic.stars import GENEROSITY, NOISE_IN_RATING, Opinions, StarScale
from nextreel.data.sources.synthetic.users import draw_users
from nextreel.data.sources.synthetic.visits import FEWEST_RATINGS_PER_USER, draw_activity, draw_visits
from nextreel.errors import ConfigError
from nextreel.machine import require_memory

FEWEST_USERS, FEWEST_MOVIES, MOST_MOVIES = 10, 60, 200_000
HIGHEST_DENSITY = 0.5
"""Highest accepted share of (user, movie) pairs with a rating, so that users have movies to choose from."""
MOST_RATINGS_AT_ONCE, MOST_MOVIES_AT_ONCE = 1_000_000, 10_000
"""Highest numbers of ratings and movies of a data set that isn't large: its users choose among all movies."""
BYTES_PER_USER, BYTES_PER_MOVIE, BYTES_OF_BLOCKS = 700, 5_000, 4 * 10**8
"""Memory that a draft takes for each user and each movie, and what the blocks of a large one take."""


@dataclass(frozen=True)
class SampleSize:
    """The sizes of a synthetic data set, and the seed of its draws."""

    users: int
    movies: int
    ratings: int
    seed: int

    def check(self) -> None:
        """Raise ConfigError if the sizes don't fit together."""
        if self.seed < 0:
            raise ConfigError(f"seed: {self.seed} is negative; choose 0 or more")
        if self.users < FEWEST_USERS:
            raise ConfigError(f"users: {self.users:,} is too few; choose at least {FEWEST_USERS}")
        if not FEWEST_MOVIES <= self.movies <= MOST_MOVIES:
            raise ConfigError(
                f"movies: {self.movies:,} is out of range; choose {FEWEST_MOVIES} to {MOST_MOVIES:,}"
            )
        fewest, most = FEWEST_RATINGS_PER_USER * self.users, int(HIGHEST_DENSITY * self.users * self.movies)
        if not fewest <= self.ratings <= most:
            raise ConfigError(
                f"ratings: {self.ratings:,} is out of range; {self.users:,} users and {self.movies:,} movies can have "
                f"{fewest:,} to {most:,}"
            )

    @property
    def is_large(self) -> bool:
        """Whether the ratings are drawn in parts."""
        return self.ratings > MOST_RATINGS_AT_ONCE or self.movies > MOST_MOVIES_AT_ONCE


@dataclass(frozen=True)
class Draft:
    """A synthetic data set before its ratings are drawn."""

    size: SampleSize
    catalog: InventedMovies
    users: pl.DataFrame
    """UserID, Gender, Age, Occupation, ZipCode, in the form of users.csv."""
    taste: Float64Array
    """float64[n_users, N_FACTORS]: the users' taste factors, unit vectors."""
    activity: Int64Array
    """int64[n_users]: the users' numbers of ratings."""
    rng: np.random.Generator

    @classmethod
    def draw(cls, size: SampleSize) -> Self:
        """Draw movies and users; ConfigError or TooLargeError if the sizes aren't possible."""
        size.check()
        require_memory(
            BYTES_PER_USER * size.users + BYTES_PER_MOVIE * size.movies + BYTES_OF_BLOCKS * size.is_large,
            "A sample",
            f"for {size.users:,} users and {size.movies:,} movies",
        )
        rng = np.random.default_rng(size.seed)
        genre_vectors = rng.normal(size=(len(GENRES), N_FACTORS))
        catalog = draw_movies(size.movies, genre_vectors, rng)
        users, taste = draw_users(size.users, genre_vectors, rng)
        activity = draw_activity(size.users, size.movies, size.ratings, rng)
        return cls(size, catalog, users, taste, activity, rng)

    def draw_ratings(self, scratch: Path) -> Iterator[pl.DataFrame]:
        """Yield UserID, MovieID, Rating, Timestamp in the order of time: all at once, or a large data set in parts.

        `scratch` says where a temporary file may be, which has twelve bytes for each rating.
        """
        if not self.size.is_large:
            yield self._draw_at_once()
            return
        popularity = draw_log_popularity(self.catalog, self.rng)
        choice = PooledChoice(self.catalog, popularity, self.rng, self.size.seed)
        generosity = self.rng.normal(scale=GENEROSITY, size=len(self.taste))
        sample = LargeSample(self.catalog, self.taste, self.activity, generosity, choice, self.size.seed)
        with unfinished_file(scratch) as rows:
            yield from sample.draw(rows)

    def _draw_at_once(self) -> pl.DataFrame:
        rng = self.rng
        schedule = draw_visits(self.activity, rng, rng)
        user = schedule.user
        movie = choose_movies(schedule, self.taste, self.catalog, draw_log_popularity(self.catalog, rng), rng)
        opinions = Opinions(
            affinity=np.einsum("ij,ij->i", self.taste[user], self.catalog.factors[movie]),
            quality=self.catalog.quality[movie],
            generosity=rng.normal(scale=GENEROSITY, size=len(self.taste))[user],
            noise=rng.normal(scale=NOISE_IN_RATING, size=len(user)),
        )
        return pl.DataFrame(
            {
                USER_ID: user,
                MOVIE_ID: self.catalog.frame[MOVIE_ID].to_numpy()[movie],
                RATING: StarScale.of(opinions).rate(opinions),
                TIMESTAMP: schedule.timestamp,
            }
        ).sort(TIMESTAMP, maintain_order=True)
