"""What users rated: their histories, their next ratings, and the ranks that a model would have given to these."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nextreel.arrays import Int64Array
from nextreel.data.ids import Id, encode_id
from nextreel.data.timeline import NEVER, Histories
from nextreel.ranking.ranker import Ranker
from nextreel.serving.inference.movie_cards import RatedMovie, ReplayedMovie, rated_movies
from nextreel.serving.inference.snapshot import Snapshot
from nextreel.serving.inference.store_follower import StoreFollower

LOWEST_REPLAYED_RANK = 100
"""Lowest rank that a replay of a user's ratings computes; users hardly look further down a list."""


@dataclass(frozen=True)
class SampledUser:
    """A user with at least one rating, drawn by `UserHistories.sample_users`."""

    user_id: Id
    n_ratings: int
    first: int
    """Time of the first rating, POSIX seconds."""
    latest: int
    """Time of the latest rating, POSIX seconds."""

    @property
    def span(self) -> int:
        """Seconds between the first and the latest rating."""
        return self.latest - self.first


class UserHistories:
    """The users' ratings as the store has them now; safe to share between threads.

    Every method raises StoreError if the store can't be read.
    """

    def __init__(self, follower: StoreFollower, ranker_for: Callable[[Snapshot], Ranker]) -> None:
        self._follower, self._ranker_for = follower, ranker_for

    def as_of(self, user_id: Id, timestamp: int | None = None) -> list[RatedMovie]:
        """Return a user's history as of a timestamp, or all of it, latest first.

        Of a movie that was rated twice by then, only the later rating is part of the history.
        """
        snapshot = self._follower.catch_up()
        histories = _history_of(snapshot, user_id, NEVER if timestamp is None else timestamp)
        _, rows = histories.rows()
        return rated_movies(histories, rows[::-1], snapshot.catalog.cards)

    def rated_next(self, user_id: Id, timestamp: int, limit: int = 10) -> list[RatedMovie]:
        """Return the user's first ratings from a timestamp on, that second included, earliest first."""
        snapshot = self._follower.catch_up()
        n_earlier = int(_history_of(snapshot, user_id, timestamp).lengths[0])
        all_time = _history_of(snapshot, user_id, NEVER)
        return rated_movies(all_time, _rows_of(all_time)[n_earlier:][:limit], snapshot.catalog.cards)

    def replay(self, user_id: Id, latest: int = 200) -> list[ReplayedMovie]:
        """Return the user's `latest` last ratings, earliest first, each with its movie's rank just before the rating.

        The rank is that in the user's recommendation list; None if it is below LOWEST_REPLAYED_RANK or the movie had
        been rated before.
        """
        snapshot = self._follower.catch_up()
        all_time = _history_of(snapshot, user_id, NEVER)
        rows = _rows_of(all_time)[-latest:]
        if not len(rows):
            return []
        timestamps = all_time.timeline.timestamps[rows]
        histories = snapshot.histories(np.full(len(rows), encode_id(user_id)), timestamps)
        k = min(LOWEST_REPLAYED_RANK, len(snapshot.catalog))
        ranking = self._ranker_for(snapshot).rank(histories, timestamps, k)
        is_rated = ranking.movies == all_time.timeline.movies[rows][:, None]
        is_hit = is_rated & ~np.isneginf(ranking.scores)
        ranks = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1, 0).tolist()
        movies = rated_movies(all_time, rows, snapshot.catalog.cards)
        return [{**movie, "rank": rank or None} for movie, rank in zip(movies, ranks, strict=True)]

    def sample_users(self, count: int = 20) -> list[SampledUser]:
        """Return up to `count` users, spread evenly from the shortest to the longest history.

        Interactions that arrived since the snapshot's last merge into its sorted base don't count yet.
        """
        timeline = self._follower.catch_up().base.timeline
        lengths = np.diff(timeline.offsets)
        by_length = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
        if not len(by_length):
            return []
        sample = by_length[np.unique(np.linspace(0, len(by_length) - 1, count).astype(np.int64))]
        ids = self._follower.decode_users(timeline.user_ids[sample].tolist())
        return [
            SampledUser(
                user_id=ids[int(timeline.user_ids[user])],
                n_ratings=int(lengths[user]),
                first=int(timeline.timestamps[timeline.offsets[user]]),
                latest=int(timeline.timestamps[timeline.offsets[user + 1] - 1]),
            )
            for user in sample
            if int(timeline.user_ids[user]) in ids
        ]


def _history_of(snapshot: Snapshot, user_id: Id, timestamp: int) -> Histories:
    return snapshot.histories(np.array([encode_id(user_id)]), np.array([timestamp]))


def _rows_of(histories: Histories) -> Int64Array:
    """Return the timeline rows of the only history in `histories`, also those of ratings that were replaced later."""
    return np.arange(histories.starts[0], histories.stops[0])
