"""Ratings of a large synthetic data set, drawn for a block of users at a time and read back in the order of time.

The ratings of a block are put into a file by week. When all blocks are drawn, one week after another is read from the
file, sorted and rated. So neither the memory nor what is drawn depends on the number of blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array, Int32Array, Int64Array
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic.movies import CLOSES, OPENS, InventedMovies
from nextreel.data.sources.synthetic.pools import PooledChoice
from nextreel.data.sources.synthetic.stars import NOISE_IN_RATING, Opinions, StarScale
from nextreel.data.sources.synthetic.visits import KeyedDraws, draw_visits
from nextreel.data.times import WEEK
from nextreel.parallel import map_in_threads

ROWS_AT_ONCE, CELLS_AT_ONCE = 400_000, 2**25
"""Highest numbers of ratings and of (user, movie) pairs in a block of several users, because of the memory."""
RATINGS_FOR_SCALE = 1_000_000
"""About the highest number of ratings from which the scale of stars is found."""
N_WEEKS = -(-(CLOSES - OPENS) // WEEK)
COLUMNS = USER, MOVIE, SECOND = range(3)
"""Columns of the rows in the file: user, position of the movie in the catalog, seconds since the data's beginning."""


@dataclass(frozen=True)
class LargeSample:
    """What the ratings are drawn from."""

    catalog: InventedMovies
    taste: Float64Array
    """float64[n_users, N_FACTORS]: the users' taste factors."""
    activity: Int64Array
    """int64[n_users]: the users' numbers of ratings."""
    generosity: Float64Array
    """float64[n_users]: what the users add to each of their ratings."""
    choice: PooledChoice
    seed: int

    def draw(self, scratch: Path) -> Iterator[pl.DataFrame]:
        """Yield the ratings in the order of time, those in the same second by user.

        Parameters
        ----------
        scratch : Path
            Name of a file that is written and read; it gets twelve bytes for each rating.
        """
        rows = _RowsByWeek(scratch)
        for block in map_in_threads(self._draw_block, self._divide_users()):
            rows.append(block)
        scale = self._find_scale(rows)
        yield from map_in_threads(lambda week: self._finish(rows.read(week), scale), range(N_WEEKS))

    def _divide_users(self) -> Iterator[Int64Array]:
        """Yield the users of each block, the most active first: those of a block have about as many pages."""
        users = np.argsort(-self.activity, kind="stable")
        ratings = np.cumsum(self.activity[users])
        most_users = max(1, CELLS_AT_ONCE // len(self.catalog.quality))
        first = 0
        while first < len(users):
            most_ratings = (ratings[first - 1] if first else 0) + ROWS_AT_ONCE
            next_ = min(first + most_users, int(np.searchsorted(ratings, most_ratings, side="right")))
            next_ = max(first + 1, next_)
            yield users[first:next_]
            first = next_

    def _draw_block(self, users: Int64Array) -> Int32Array:
        """Return int32[n_ratings, 3]: the rows of some users, by user, then time."""
        activity = self.activity[users]
        position = np.arange(activity.sum()) - np.repeat(np.cumsum(activity) - activity, activity)
        of_ratings = KeyedDraws(self.seed, "visits", np.repeat(users, activity), position)
        schedule = draw_visits(activity, of_ratings, KeyedDraws(self.seed, "joining", users))
        rows = np.empty((len(position), len(COLUMNS)), dtype=np.int32)
        rows[:, USER] = users[schedule.user]
        rows[:, MOVIE] = self.choice.choose(users, self.taste[users], schedule)
        rows[:, SECOND] = schedule.timestamp - OPENS
        return rows

    def _find_scale(self, rows: "_RowsByWeek") -> StarScale:
        one_of = -(-int(self.activity.sum()) // RATINGS_FOR_SCALE)
        kept = [week[week[:, USER] % one_of == 0] for week in map(rows.read, range(N_WEEKS))]
        return StarScale.of(self._judge(np.concatenate(kept)))

    def _finish(self, rows: Int32Array, scale: StarScale) -> pl.DataFrame:
        second = rows[:, SECOND].astype(np.int64)
        rows = rows[np.argsort(second << 32 | rows[:, USER], kind="stable")]
        return pl.DataFrame(
            {
                USER_ID: rows[:, USER].astype(np.int64),
                MOVIE_ID: self.catalog.frame[MOVIE_ID].to_numpy()[rows[:, MOVIE]],
                RATING: scale.rate(self._judge(rows)),
                TIMESTAMP: rows[:, SECOND].astype(np.int64) + OPENS,
            }
        )

    def _judge(self, rows: Int32Array) -> Opinions:
        user, movie = rows[:, USER], rows[:, MOVIE]
        return Opinions(
            affinity=np.einsum("ij,ij->i", self.taste[user], self.catalog.factors[movie]),
            quality=self.catalog.quality[movie],
            generosity=self.generosity[user],
            noise=KeyedDraws(self.seed, "noise", user, movie).normal(NOISE_IN_RATING, len(rows)),
        )


class _RowsByWeek:
    """A file of rows that are appended in blocks and read by week, each week in the order in which it was appended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._n_rows = 0
        self._slices: list[list[tuple[int, int]]] = [[] for _ in range(N_WEEKS)]
        """Where rows of each week begin in the file, and how many."""

    def append(self, rows: Int32Array) -> None:
        week = (rows[:, SECOND] // WEEK).astype(np.uint8)
        by_week = np.argsort(week, kind="stable")
        with self._path.open("ab") as file:
            file.write(rows[by_week].tobytes())
        counts = np.bincount(week, minlength=N_WEEKS)
        for number, (count, end) in enumerate(zip(counts.tolist(), np.cumsum(counts).tolist(), strict=True)):
            if count:
                self._slices[number].append((self._n_rows + end - count, count))
        self._n_rows += len(rows)

    def read(self, week: int) -> Int32Array:
        parts = [np.empty(0, dtype=np.int32)]
        with self._path.open("rb") as file:
            for first, count in self._slices[week]:
                file.seek(first * len(COLUMNS) * np.dtype(np.int32).itemsize)
                parts.append(np.fromfile(file, dtype=np.int32, count=count * len(COLUMNS)))
        return np.concatenate(parts).reshape(-1, len(COLUMNS))
