"""A larger data set made from a smaller one by its own structure, for measuring speed, memory and quality together.

    python -m benchmarks.expanded_movielens DATA_DIR OUT_DIR --users 33 --movies 22

Quality on invented ratings means nothing, and no rating of a real data set may be passed on here, so a data set that
is at hand is expanded by a small matrix that is made from it (a Kronecker product, as in Belletti et al., "Scalable
Realistic Recommendation Datasets through Fractal Expansions", 2019):

1.  Users are divided into groups of equal size by taste, movies into groups of equal size by popularity. K[a, b] is
    the share of the ratings of user group a that go to movie group b.
2.  Each user becomes as many users as there are user groups, and each movie as many movies as there are movie groups.
3.  Copy a of a user rates copy b of what the user rated, where b is drawn from K[a] for each second of the history, so
    that movies rated together stay together.

Each copy of a user has as many ratings as the user, K's skew makes the catalog's long tail longer, and neighbours and
successions of movies stay within the blocks. All histories of a copy are moved by up to four weeks.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from nextreel.arrays import Float64Array, Int64Array
from nextreel.atomic_files import replacing
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.times import WEEK

LONGEST_SHIFT = 4 * WEEK
"""Highest number of seconds by which the history of a user's copy is moved."""


@dataclass(frozen=True)
class Expansion:
    """A data set and the small matrix by which it is expanded; a seed makes it reproducible."""

    dataset: Dataset
    kernel: Float64Array
    """float64[user groups, movie groups]: K in the module's docstring; each row sums to 1."""
    seed: int

    @classmethod
    def of(cls, dataset: Dataset, user_groups: int, movie_groups: int, seed: int = 0) -> "Expansion":
        """Make the matrix from the data set's own ratings."""
        timeline = dataset.timeline
        by_taste = _equal_groups(_leading_taste(dataset), user_groups)
        by_popularity = _equal_groups(
            -np.bincount(timeline.movies, minlength=dataset.n_movies).astype(np.float64), movie_groups
        )
        counts = np.zeros((user_groups, movie_groups))
        np.add.at(counts, (by_taste[timeline.users], by_popularity[timeline.movies]), 1)
        return cls(dataset, (counts + 1) / (counts + 1).sum(axis=1, keepdims=True), seed)

    def movies(self) -> pl.DataFrame:
        """Return the expanded catalog: the movies of block 0 first, then those of block 1, and so on."""
        catalog = self.dataset.movies
        n_movies, blocks = catalog.height, self.kernel.shape[1]
        return pl.concat(
            catalog.select(
                pl.Series(MOVIE_ID, np.arange(n_movies) + block * n_movies),
                # The copy's number stands before the year, so that titles keep their form.
                pl.col("Title").str.replace(r"^(.*?)( \(\d{4}\))?$", f"${{1}} no. {block + 1}${{2}}"),
                pl.col("Genres").list.join("|") if catalog["Genres"].dtype == pl.List else pl.col("Genres"),
            )
            for block in range(blocks)
        )

    def users(self) -> pl.DataFrame:
        """Return the ids of the expanded users."""
        return pl.DataFrame({USER_ID: np.arange(len(self.kernel) * self.dataset.n_users)})

    def interactions(self) -> Iterator[pl.DataFrame]:
        """Yield the interactions of one copy of all users after another."""
        timeline = self.dataset.timeline
        starts_second = np.append(True, (np.diff(timeline.users) != 0) | (np.diff(timeline.timestamps) != 0))
        second = np.cumsum(starts_second) - 1
        for copy, shares in enumerate(self.kernel):
            random = np.random.default_rng([self.seed, copy])
            block: Int64Array = random.choice(len(shares), size=second[-1] + 1, p=shares)[second]
            shift = random.integers(LONGEST_SHIFT, size=self.dataset.n_users)
            yield pl.DataFrame(
                {
                    USER_ID: timeline.users + copy * self.dataset.n_users,
                    MOVIE_ID: timeline.movies + block * self.dataset.n_movies,
                    RATING: timeline.ratings,
                    TIMESTAMP: timeline.timestamps + shift[timeline.users],
                }
            )


def write_expansion(expansion: Expansion, directory: Path) -> int:
    """Write ratings_train.csv, users.csv and movies.csv, and return the number of ratings."""
    directory.mkdir(parents=True, exist_ok=True)
    expansion.movies().write_csv(directory / "movies.csv")
    expansion.users().write_csv(directory / "users.csv")
    n_rows = 0
    with replacing(directory / "ratings_train.csv") as temporary, temporary.open("wb") as file:
        for frame in expansion.interactions():
            frame.write_csv(file, include_header=n_rows == 0)
            n_rows += frame.height
    return n_rows


def _leading_taste(dataset: Dataset) -> Float64Array:
    """Return float64[n_users]: coordinate of each user along the direction in which the users' movies differ most."""
    timeline = dataset.timeline
    ratings = csr_array(
        (np.ones(len(timeline)), (timeline.users, timeline.movies)), shape=(dataset.n_users, dataset.n_movies)
    )
    # The first singular vector says how much a user rates; the second one what.
    left, _, _ = svds(ratings, k=2, v0=np.ones(min(ratings.shape)))
    leading: Float64Array = left[:, 0] / np.maximum(np.abs(left[:, 1]), 1e-12)
    return leading


def _equal_groups(key: Float64Array, n_groups: int) -> Int64Array:
    """Return the number of the group of each element, of groups of equal size in ascending order of `key`."""
    group = np.empty(len(key), dtype=np.int64)
    group[np.argsort(key, kind="stable")] = np.arange(len(key)) * n_groups // len(key)
    return group


def main() -> None:
    """Read a data directory and write its expansion."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--users", type=int, default=33, help="copies of each user")
    parser.add_argument("--movies", type=int, default=22, help="copies of each movie")
    arguments = parser.parse_args()
    dataset = Dataset.from_tables(read_tables(arguments.data))
    n_rows = write_expansion(Expansion.of(dataset, arguments.users, arguments.movies), arguments.out)
    print(f"{arguments.out}: {n_rows:,} ratings")


if __name__ == "__main__":
    main()
