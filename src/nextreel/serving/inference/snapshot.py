"""What one server process holds in memory of the store: an immutable snapshot of all interactions.

Most interactions are in a sorted base, a `Timeline`. Those that arrived since are few and are kept beside it unsorted,
until they are merged into the base. A snapshot never changes, so that a query sees one state of the store from
beginning to end; `StoreFollower` replaces it by a newer one.
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
class StorePosition:
    """How much of the store a snapshot contains; two processes at the same position hold the same data."""

    interaction: int
    """Greatest id of an interaction."""
    erasure: int
    """Greatest id of an erasure."""
    movies: int
    """Number of movies added to the catalog."""


@dataclass(frozen=True)
class UnsortedInteractions:
    """Interactions as columns, in the order in which they were stored."""

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
        """Convert a frame of UserID, MovieID, Rating and Timestamp, without the movies outside the catalog."""
        movies = catalog.find(frame[MOVIE_ID].to_numpy())
        in_catalog = movies >= 0
        return cls(
            frame[USER_ID].to_numpy()[in_catalog],
            movies[in_catalog].astype(np.int32),
            frame[RATING].to_numpy()[in_catalog].astype(np.float32),
            frame[TIMESTAMP].to_numpy()[in_catalog],
        )

    @classmethod
    def empty(cls) -> Self:
        """Return no interactions."""
        return cls(
            np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64)
        )

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, rows: slice | BoolArray) -> Self:
        return type(self)(self.users[rows], self.movies[rows], self.ratings[rows], self.timestamps[rows])

    def extended_by(self, more: Self) -> Self:
        """Concatenate: these interactions, then `more`."""
        return type(self)(
            np.concatenate([self.users, more.users]),
            np.concatenate([self.movies, more.movies]),
            np.concatenate([self.ratings, more.ratings]),
            np.concatenate([self.timestamps, more.timestamps]),
        )

    def to_timeline(self) -> Timeline:
        """Sort by user and timestamp; interactions of one user in one second keep their order."""
        user_ids, users = np.unique(self.users, return_inverse=True)
        return Timeline.from_rows(users, self.movies, self.ratings, self.timestamps, user_ids)


@dataclass(frozen=True)
class SortedBase:
    """The sorted part of a snapshot."""

    timeline: Timeline
    popularity: Popularity
    """Popularity by the timeline's interactions alone."""
    totals: Float32Array
    """float32[n_movies]: number of interactions with each movie."""

    @classmethod
    def of(cls, timeline: Timeline, n_movies: int) -> Self:
        """Compute popularity and totals for a timeline."""
        by_time = np.argsort(timeline.timestamps, kind="stable")
        popularity = Popularity.of_events(timeline.timestamps[by_time], timeline.movies[by_time], n_movies)
        totals = np.bincount(timeline.movies, minlength=n_movies).astype(np.float32)
        _ = timeline.superseded_at  # computed now, otherwise the next query would have to wait for it
        return cls(timeline, popularity, totals)

    def rows_of(self, user_ids: Int64Array) -> UnsortedInteractions:
        """Return all interactions of these users, user after user, each in the order of time."""
        timeline = self.timeline
        histories = timeline.as_of(user_ids, np.full(len(user_ids), NEVER))
        lengths = histories.lengths
        rows = np.repeat(histories.starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        users = np.repeat(user_ids, lengths)
        return UnsortedInteractions(
            users, timeline.movies[rows], timeline.ratings[rows], timeline.timestamps[rows]
        )


class LivePopularity(Popularity):
    """`Popularity` by a base and the recent interactions: the same counts, but fast for a query about now."""

    def __init__(self, base: SortedBase, recent: UnsortedInteractions, n_movies: int) -> None:
        super().__init__()
        self._base, self._recent, self._n_movies = base, recent, n_movies

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return float32[n_queries, n_movies]: interactions with each movie strictly before each timestamp."""
        scores = np.zeros((len(timestamps), self._n_movies), dtype=np.float32)
        scores[:, : len(self._base.totals)] = self._count_in_base(histories, timestamps)
        if not len(self._recent):
            return scores
        distinct_timestamps, query_timestamps = np.unique(timestamps, return_inverse=True)
        for i, timestamp in enumerate(distinct_timestamps):
            earlier = self._recent.movies[self._recent.timestamps < timestamp]
            counts = np.bincount(earlier, minlength=self._n_movies).astype(np.float32)
            scores[query_timestamps == i] += counts
        return scores

    def _count_in_base(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Count as `Popularity` does or, if all queries are about one late second, subtract what is later."""
        popularity, totals = self._base.popularity, self._base.totals
        stop = int(np.searchsorted(popularity.times_, timestamps[0]))
        if (timestamps != timestamps[0]).any() or stop < len(popularity.times_) // 2:
            return popularity.score(histories, timestamps)
        later = np.bincount(popularity.movies_[stop:], minlength=len(totals))
        return np.broadcast_to(totals - later.astype(np.float32), (len(timestamps), len(totals)))


@dataclass(frozen=True)
class Snapshot:
    """All interactions of the store at one position, and the catalog."""

    catalog: Catalog
    base: SortedBase
    recent: UnsortedInteractions
    """Interactions that arrived since the base was sorted."""
    released_at: Int64Array
    """int64[n_movies]: when each movie came out, POSIX seconds, as `Ranker` needs it."""
    position: StorePosition

    @classmethod
    def of(cls, timeline: Timeline, catalog: Catalog, position: StorePosition) -> Self:
        """Build a snapshot whose interactions are all in the base."""
        base = SortedBase.of(timeline, len(catalog))
        released_at = find_released_at(timeline, catalog.movies)
        return cls(catalog, base, UnsortedInteractions.empty(), released_at, position)

    def __len__(self) -> int:
        return len(self.base.timeline) + len(self.recent)

    def histories(self, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
        """Return the history of each UserID as of each timestamp, both int64[n_queries]."""
        is_theirs = np.isin(self.recent.users, user_ids) if len(self.recent) else np.zeros(0, dtype=np.bool_)
        if not is_theirs.any():
            return self.base.timeline.as_of(user_ids, timestamps)
        interactions = self.base.rows_of(np.unique(user_ids)).extended_by(self.recent[is_theirs])
        return interactions.to_timeline().as_of(user_ids, timestamps)

    @cached_property
    def popularity(self) -> Popularity:
        """Popularity as of any timestamp, by all interactions of the snapshot."""
        return LivePopularity(self.base, self.recent, len(self.catalog))

    @cached_property
    def latest_timestamp(self) -> int | None:
        """Latest timestamp of an interaction, POSIX seconds; None if there is no interaction."""
        parts = (self.base.popularity.times_[-1:], self.recent.timestamps)
        latest = [part.max() for part in parts if len(part)]
        return int(max(latest)) if latest else None

    def extended_by(self, more: UnsortedInteractions, catalog: Catalog, position: StorePosition) -> Self:
        """Return this snapshot with `more` interactions and a catalog that may have grown."""
        released_at = self.released_at
        if len(catalog) > len(released_at):
            opened = find_released_at(UnsortedInteractions.empty().to_timeline(), catalog.movies)
            released_at = np.concatenate([released_at, opened[len(released_at) :]])
        if len(more):
            released_at = released_at.copy()
            np.minimum.at(released_at, more.movies, more.timestamps + 1)
        recent = self.recent.extended_by(more)
        return replace(self, catalog=catalog, recent=recent, released_at=released_at, position=position)

    def merged(self) -> Self:
        """Return the same interactions, all of them in the base."""
        interactions = self.base.rows_of(self.base.timeline.user_ids).extended_by(self.recent)
        return self.of(interactions.to_timeline(), self.catalog, self.position)

    def without_users(self, user_ids: Int64Array) -> Self:
        """Return this snapshot without any interaction of these users."""
        timeline = self.base.timeline
        stays = ~np.isin(timeline.user_ids, user_ids)
        remaining = timeline.keep(np.repeat(stays, np.diff(timeline.offsets)))
        recent = self.recent[~np.isin(self.recent.users, user_ids)]
        return self.of(remaining, self.catalog, self.position).extended_by(
            recent, self.catalog, self.position
        )
