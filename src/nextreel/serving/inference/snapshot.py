"""All interactions of the store as one process holds them in memory, caught up with the store before every answer.

The bulk is a `Timeline` from when the server started; what came since stands beside it, small and unsorted, and is
folded into it now and then. A snapshot never changes, so an answer sees one state from beginning to end. Whether
anything is new is one small query: the greatest ids of interactions and erasures and the number of added movies.
Several processes on one store thus agree: what was acknowledged anywhere counts in the next answer everywhere.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import NEVER, Histories, Timeline
from nextreel.models.popularity import Popularity
from nextreel.ranking.ranker import find_released_at
from nextreel.serving.inference.catalog import Catalog


@dataclass(frozen=True)
class Rows:
    """Interactions in the order in which they were stored."""

    users: Int64Array
    """int64[n]: UserIDs."""
    movies: Int32Array
    """int32[n]: indices in the catalog."""
    ratings: Float32Array
    """float32[n]: stars."""
    timestamps: Int64Array
    """int64[n]: POSIX seconds."""

    @classmethod
    def of(cls, frame: pl.DataFrame, catalog: Catalog) -> Self:
        """The rows of a frame; those of movies outside the catalog are left out."""
        index = catalog.find(frame[MOVIE_ID].to_numpy())
        known = index >= 0
        return cls(
            frame[USER_ID].to_numpy()[known],
            index[known].astype(np.int32),
            frame[RATING].to_numpy()[known].astype(np.float32),
            frame[TIMESTAMP].to_numpy()[known],
        )

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        return cls(
            np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64)
        )

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, rows: slice | BoolArray) -> Self:
        return type(self)(self.users[rows], self.movies[rows], self.ratings[rows], self.timestamps[rows])

    def followed_by(self, more: Self) -> Self:
        """These and then those."""
        return type(self)(
            np.concatenate([self.users, more.users]),
            np.concatenate([self.movies, more.movies]),
            np.concatenate([self.ratings, more.ratings]),
            np.concatenate([self.timestamps, more.timestamps]),
        )

    def to_timeline(self) -> Timeline:
        """Sorted by user and time; rows of one user in one second keep their order."""
        user_ids, users = np.unique(self.users, return_inverse=True)
        return Timeline.from_rows(users, self.movies, self.ratings, self.timestamps, user_ids)


@dataclass(frozen=True)
class StorePosition:
    """How far a snapshot has followed the store."""

    interaction: int
    """Greatest id of an interaction."""
    erasure: int
    """Greatest id of an erasure."""
    movies: int
    """Number of movies added to the catalog."""


@dataclass(frozen=True)
class SortedBase:
    """The rows that are sorted already."""

    timeline: Timeline
    popularity: Popularity
    totals: Float32Array
    """float32[n_movies]: interactions with each movie, of all times."""

    @classmethod
    def of(cls, timeline: Timeline, n_movies: int) -> Self:
        """Sorted once more, by time."""
        by_time = np.argsort(timeline.timestamps, kind="stable")
        popularity = Popularity.of_events(timeline.timestamps[by_time], timeline.movies[by_time], n_movies)
        totals = np.bincount(timeline.movies, minlength=n_movies).astype(np.float32)
        _ = timeline.superseded_at  # or the next answer would have to wait for it
        return cls(timeline, popularity, totals)

    def rows_of(self, user_ids: Int64Array) -> Rows:
        """All rows of some users, each in the order of time."""
        everything = self.timeline.as_of(user_ids, np.full(len(user_ids), NEVER))
        lengths = everything.lengths
        row = np.repeat(everything.starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        timeline = self.timeline
        users = np.repeat(user_ids, lengths)
        return Rows(users, timeline.movies[row], timeline.ratings[row], timeline.timestamps[row])


class LivePopularity(Popularity):
    """`Popularity` over the bulk and what came since: the same counts, quick for a query about now."""

    def __init__(self, bulk: SortedBase, recent: Rows, n_movies: int) -> None:
        super().__init__()
        self._bulk, self._recent, self._n_movies = bulk, recent, n_movies

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """float32[n_queries, n_movies]: interactions with each movie before each moment."""
        scores = np.zeros((len(timestamps), self._n_movies), dtype=np.float32)
        scores[:, : len(self._bulk.totals)] = self._count_in_bulk(histories, timestamps)
        moments, query = np.unique(timestamps, return_inverse=True)
        for i, moment in enumerate(moments if len(self._recent) else ()):
            before = self._recent.movies[self._recent.timestamps < moment]
            scores[query == i] += np.bincount(before, minlength=self._n_movies).astype(np.float32)
        return scores

    def _count_in_bulk(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        popularity, totals = self._bulk.popularity, self._bulk.totals
        stop = int(np.searchsorted(popularity.times_, timestamps[0]))
        if (timestamps != timestamps[0]).any() or stop < len(popularity.times_) // 2:
            return popularity.score(histories, timestamps)
        later = np.bincount(popularity.movies_[stop:], minlength=len(totals))
        return np.broadcast_to(totals - later.astype(np.float32), (len(timestamps), len(totals)))


@dataclass(frozen=True)
class Snapshot:
    """What is known at one moment of the server's life."""

    catalog: Catalog
    bulk: SortedBase
    recent: Rows
    """Those that came after the bulk."""
    released_at: Int64Array
    """int64[n_movies]: as `Ranker` wants it."""
    mark: StorePosition

    def __len__(self) -> int:
        return len(self.bulk.timeline) + len(self.recent)

    def histories(self, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
        """What was known of each UserID strictly before each moment."""
        came = np.isin(self.recent.users, user_ids) if len(self.recent) else np.zeros(0, dtype=np.bool_)
        if not came.any():
            return self.bulk.timeline.as_of(user_ids, timestamps)
        rows = self.bulk.rows_of(np.unique(user_ids)).followed_by(self.recent[came])
        return rows.to_timeline().as_of(user_ids, timestamps)

    @cached_property
    def popularity(self) -> Popularity:
        """As of any moment, with what came since."""
        return LivePopularity(self.bulk, self.recent, len(self.catalog))

    @cached_property
    def latest(self) -> int | None:
        """The latest Timestamp, POSIX seconds; None if nothing is stored."""
        times = [
            part.max() for part in (self.bulk.popularity.times_[-1:], self.recent.timestamps) if len(part)
        ]
        return int(max(times)) if times else None

    def followed_by(self, rows: Rows, catalog: Catalog, mark: StorePosition) -> "Snapshot":
        """With rows that came, in a catalog that may have grown."""
        released_at = self.released_at
        if len(catalog) > len(released_at):
            opened = find_released_at(Rows.none().to_timeline(), catalog.movies)
            released_at = np.concatenate([released_at, opened[len(released_at) :]])
        if len(rows):
            released_at = released_at.copy()
            np.minimum.at(released_at, rows.movies, rows.timestamps + 1)
        return replace(
            self, catalog=catalog, recent=self.recent.followed_by(rows), released_at=released_at, mark=mark
        )

    def folded(self) -> "Snapshot":
        """The same with everything in the bulk."""
        rows = self.bulk.rows_of(self.bulk.timeline.user_ids).followed_by(self.recent)
        return _fold(rows.to_timeline(), self.catalog, self.mark)

    def without_users(self, user_ids: Int64Array) -> "Snapshot":
        """As if these people had never rated anything."""
        timeline = self.bulk.timeline
        stays = ~np.isin(timeline.user_ids, user_ids)
        left = timeline.keep(np.repeat(stays, np.diff(timeline.offsets)))
        recent = self.recent[~np.isin(self.recent.users, user_ids)]
        return _fold(left, self.catalog, self.mark).followed_by(recent, self.catalog, self.mark)


def _fold(timeline: Timeline, catalog: Catalog, mark: StorePosition) -> Snapshot:
    bulk = SortedBase.of(timeline, len(catalog))
    return Snapshot(catalog, bulk, Rows.none(), find_released_at(timeline, catalog.movies), mark)
