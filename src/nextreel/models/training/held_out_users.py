"""Users held out of a fit, as queries: what a fit may choose its best epoch and its weights by.

All but a few closed models score any user from the history alone, so holding a few users out of the training rows
costs little and asks about people whom the model never saw. Each positive of these users is a query whose history
ends up to four positives earlier, as a train part does before the positives of its test part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import USER_ID
from nextreel.data.timeline import Histories, Timeline

EARLIER_POSITIVES = 5
"""A query's history ends before one of this many positives, its own included."""
QUERIES_AT_ONCE = 512
CUTOFF = 10


@dataclass(frozen=True)
class HeldOut:
    """Queries about users whom a model doesn't learn from."""

    histories: Histories
    timestamps: Int64Array
    """int64[n_queries]: the moments asked about, POSIX seconds."""
    movies: Int32Array
    """int32[n_queries]: what was liked then."""

    @classmethod
    def split(cls, dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Self]:
        """The dataset without a share of its users, drawn by chance, and the queries about these."""
        random = np.random.default_rng(seed)
        held_out = random.random(dataset.n_users) < share
        rows = dataset.interactions()
        known = dataset.with_rows(rows.filter(~rows[USER_ID].is_in(dataset.user_ids[held_out].tolist())))
        return known, cls.of(dataset.timeline, held_out, random)

    @classmethod
    def of(cls, timeline: Timeline, users: BoolArray, random: np.random.Generator) -> Self:
        """A query for each positive of the marked users that has a history; bool[n_users]."""
        row = np.flatnonzero(timeline.is_positive() & users[timeline.users])
        user = timeline.users[row]
        first = np.searchsorted(user, user)
        earlier = np.maximum(np.arange(len(row)) - random.integers(EARLIER_POSITIVES, size=len(row)), first)
        starts, stops = timeline.offsets[user], row[earlier]
        asked = stops > starts
        row, starts, stops = row[asked], starts[asked], stops[asked]
        timestamps = timeline.timestamps[row]
        histories = Histories(timeline, timeline.user_ids[timeline.users[row]], starts, stops, timestamps + 1)
        return cls(histories, timestamps, timeline.movies[row])

    def __len__(self) -> int:
        return len(self.timestamps)

    def __getitem__(self, queries: slice | Int64Array) -> Self:
        return type(self)(self.histories[queries], self.timestamps[queries], self.movies[queries])

    def some(self, n_queries: int) -> Self:
        """About that many of the queries, evenly over users and time."""
        return self[:: 1 + len(self) // n_queries]

    def relative_scores(self, score: Callable[[Histories, Int64Array], Float32Array]) -> Float32Array:
        """float32[n_queries, n_movies]: less the score of the movie asked for; -inf for those seen."""
        scores, query = score(self.histories, self.timestamps), np.arange(len(self))
        scores = scores - scores[query, self.movies][:, None]
        seen_query, row = self.histories.rows()
        scores[seen_query, self.histories.timeline.movies[row]] = -np.inf
        scores[query, self.movies] = 0
        return scores

    def judge(self, score: Callable[[Histories, Int64Array], Float32Array]) -> tuple[float, float]:
        """Mean -log softmax of the movies asked for, and mean NDCG@10, both among the movies not seen yet."""
        loss = gain = 0.0
        for start in range(0, len(self), QUERIES_AT_ONCE):
            scores = self[start : start + QUERIES_AT_ONCE].relative_scores(score)
            top = scores.max(axis=1, keepdims=True)
            loss += float((np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]).sum())
            rank = 1 + (scores > 0).sum(axis=1)
            gain += float((1 / np.log2(1 + rank[rank <= CUTOFF])).sum())
        return loss / len(self), gain / len(self)
