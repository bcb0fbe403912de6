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
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import NEVER, Histories, Timeline
from nextreel.models.popularity import Popularity
from nextreel.ranking.ranker import find_released_at
from nextreel.serving.inference.catalog import Catalog


@dataclass(frozen=True)
class StorePosition:
    """How much of the store a snapshot contains; two processes at the same position hold the same data."""

    interaction: int
    """Greatest interaction id in the store that the snapshot includes."""
    erasure: int
    """Greatest erasure id in the store that the snapshot takes into account."""
    movies: int
    """Number of movies that were added to the model's own catalog."""
    movie_change: int
    """Id of the last deletion or restoration of a movie that the snapshot takes into account."""


@dataclass(frozen=True)
class UnsortedInteractions:
    """Interactions as columns, in the order in which they were stored."""

    users: Int64Array
    """int64[n]: UserID of each interaction, or the code of a text id."""
    movies: Int32Array
    """int32[n]: index of each interaction's movie in the catalog."""
    ratings: Float32Array
    """float32[n]: rating of each interaction, on the scale of the data."""
    timestamps: Int64Array
    """int64[n]: time of each interaction, POSIX seconds."""

    @classmethod
    def of(cls, frame: pl.DataFrame, catalog: Catalog) -> Self:
        """Convert a frame of UserID, MovieID, Rating and Timestamp; movies outside the catalog are left out."""
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
        """Return an object with 0 interactions."""
        return cls(
            np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int64)
        )

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, rows: slice | BoolArray) -> Self:
        return type(self)(self.users[rows], self.movies[rows], self.ratings[rows], self.timestamps[rows])

    def extended_by(self, more: Self) -> Self:
        """Return these interactions followed by `more`."""
        return type(self)(
            np.concatenate([self.users, more.users]),
            np.concatenate([self.movies, more.movies]),
            np.concatenate([self.ratings, more.ratings]),
            np.concatenate([self.timestamps, more.timestamps]),
        )

    def to_timeline(self, scale: RatingScale = STARS) -> Timeline:
        """Return the interactions sorted by user and timestamp; those of one user in one second keep their order.

        `scale` says what the ratings mean.
        """
        user_ids, users = np.unique(self.users, return_inverse=True)
        return Timeline.from_rows(users, self.movies, self.ratings, self.timestamps, user_ids, scale)


@dataclass(frozen=True)
class SortedBase:
    """The interactions of a snapshot that are sorted by user and timestamp; newer ones stay unsorted beside them."""

    timeline: Timeline
    popularity: Popularity
    """Popularity model that counts only the interactions of `timeline`."""
    totals: Float32Array
    """float32[n_movies]: number of interactions with each movie in `timeline`, whatever their time."""

    @classmethod
    def of(cls, timeline: Timeline, n_movies: int) -> Self:
        """Build the base from a timeline, with the popularity and the totals of its interactions."""
        popularity = Popularity.of_events(*timeline.by_time, n_movies)
        totals = popularity.count_all()
        _ = timeline.superseded_by  # computed now, otherwise the next query would have to wait for it
        return cls(timeline, popularity, totals)

    def rows_of(self, user_ids: Int64Array) -> UnsortedInteractions:
        """Return all interactions of these users, user after user, those of each user in the order of time."""
        timeline = self.timeline
        histories = timeline.as_of(user_ids, np.full(len(user_ids), NEVER))
        lengths = histories.lengths
        rows = np.repeat(histories.starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        users = np.repeat(user_ids, lengths)
        return UnsortedInteractions(
            users, timeline.movies[rows], timeline.ratings[rows], timeline.timestamps[rows]
        )


class LivePopularity(Popularity):
    """`Popularity` over a sorted base and the recent, unsorted interactions; fast for a query about now."""

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
        """Return the counts of `Popularity.score` for the base alone.

        If all queries have the same, late timestamp, the few later interactions are subtracted from the totals.
        """
        popularity, totals = self._base.popularity, self._base.totals
        stop = int(np.searchsorted(popularity.times_, timestamps[0]))
        if (timestamps != timestamps[0]).any() or stop < len(popularity.times_) // 2:
            return popularity.score(histories, timestamps)
        later = np.bincount(popularity.movies_[stop:], minlength=len(totals))
        return np.broadcast_to(totals - later.astype(np.float32), (len(timestamps), len(totals)))


@dataclass(frozen=True)
class Snapshot:
    """All interactions and the catalog of the store as of one `StorePosition`."""

    catalog: Catalog
    base: SortedBase
    recent: UnsortedInteractions
    """Interactions that arrived since `base` was sorted; they aren't part of it."""
    released_at: Int64Array
    """int64[n_movies]: POSIX seconds from which on each movie may be recommended, see `find_released_at`."""
    position: StorePosition

    @classmethod
    def of(cls, timeline: Timeline, catalog: Catalog, position: StorePosition) -> Self:
        """Build a snapshot whose interactions are all in the sorted base."""
        base = SortedBase.of(timeline, len(catalog))
        released_at = find_released_at(timeline, catalog.movies)
        return cls(catalog, base, UnsortedInteractions.empty(), released_at, position)

    def __len__(self) -> int:
        return len(self.base.timeline) + len(self.recent)

    @property
    def users(self) -> Int64Array:
        """int64[n]: everybody with an interaction, by UserID or by the code of a text id, ascending."""
        return np.union1d(self.base.timeline.user_ids, self.recent.users)

    @property
    def scale(self) -> RatingScale:
        """What the ratings mean."""
        return self.base.timeline.scale

    @cached_property
    def listed_from(self) -> Int64Array:
        """int64[n_movies]: `released_at`, but NEVER for a deleted movie."""
        return np.where(self.catalog.is_deleted, NEVER, self.released_at)

    def histories(self, user_ids: Int64Array, timestamps: Int64Array) -> Histories:
        """Return the history of each UserID as of each timestamp, both int64[n_queries]."""
        is_theirs = np.isin(self.recent.users, user_ids) if len(self.recent) else np.zeros(0, dtype=np.bool_)
        if not is_theirs.any():
            return replace(self.base.timeline.as_of(user_ids, timestamps), may_be_cached=True)
        interactions = self.base.rows_of(np.unique(user_ids)).extended_by(self.recent[is_theirs])
        histories = interactions.to_timeline(self.scale).as_of(user_ids, timestamps)
        return replace(histories, may_be_cached=True)

    @cached_property
    def popularity(self) -> Popularity:
        """Popularity model that counts all interactions of the snapshot before a query's timestamp."""
        return LivePopularity(self.base, self.recent, len(self.catalog))

    @cached_property
    def latest_timestamp(self) -> int | None:
        """Latest timestamp of an interaction, POSIX seconds; None if there is no interaction."""
        parts = (self.base.popularity.times_[-1:], self.recent.timestamps)
        latest = [part.max() for part in parts if len(part)]
        return int(max(latest)) if latest else None

    def extended_by(self, more: UnsortedInteractions, catalog: Catalog, position: StorePosition) -> Self:
        """Return this snapshot with `more` interactions, at a newer position and with a catalog that may have grown."""
        released_at = self.released_at
        if catalog is not self.catalog:
            opened = find_released_at(UnsortedInteractions.empty().to_timeline(), catalog.movies)
            released_at = np.concatenate([released_at, opened[len(released_at) :]])
            released_at = np.minimum(
                released_at, opened
            )  # a movie may have been added again with another year
        if len(more):
            released_at = released_at.copy()
            np.minimum.at(released_at, more.movies, more.timestamps + 1)
        recent = self.recent.extended_by(more)
        return replace(self, catalog=catalog, recent=recent, released_at=released_at, position=position)

    def merged(self) -> Self:
        """Return a snapshot of the same interactions in which all of them are in the sorted base."""
        interactions = self.base.rows_of(self.base.timeline.user_ids).extended_by(self.recent)
        return self.of(interactions.to_timeline(self.scale), self.catalog, self.position)

    def without_users(self, user_ids: Int64Array) -> Self:
        """Return this snapshot without these users."""
        remaining = self.base.timeline.without_users(user_ids)
        recent = self.recent[~np.isin(self.recent.users, user_ids)]
        return self.of(remaining, self.catalog, self.position).extended_by(
            recent, self.catalog, self.position
        )
