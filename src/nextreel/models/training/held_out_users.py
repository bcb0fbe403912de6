"""Queries of users held out of a fit, by which the fit chooses its best epoch or its weights.

Most models score any user from the history alone, so holding a few users out of the training data costs little and
tests the model on users whom it never saw. Each positive of a held-out user gives one query. Its history ends right
before one of the `EARLIER_POSITIVES` latest positives, the query's own included. So the history often lacks the latest
positives, like the history of a query from the test part of a split, where several positives are held out at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories, Timeline
from nextreel.keyed_random import uniform

EARLIER_POSITIVES = 5
"""Number of latest positives, the query's own included, before one of which the history of a query ends. Five is what
the default split puts into the test part of each user, so held-out queries have gaps like those of test queries."""
QUERIES_AT_ONCE = 256
"""Number of held-out queries scored in one batch; bounds the memory of their scores."""
CUTOFF = 10
"""Length of the recommendation list by which NDCG@10 of held-out queries is computed."""

ScoreFunction = Callable[[Histories, Int64Array], Float32Array]
"""A function like `Recommender.score`: it returns float32[n_queries, n_movies], the score of each movie, from the
histories and the timestamps of queries."""


@dataclass(frozen=True)
class HeldOut:
    """Queries of users from whom a model does not learn, each with the movie that the user liked at its timestamp."""

    histories: Histories
    """History of each query; it ends right before the query's own movie or some positives earlier."""
    timestamps: Int64Array
    """int64[n_queries]: timestamps of the queries, POSIX seconds."""
    movies: Int32Array
    """int32[n_queries]: the movie that the user liked at the query's timestamp; the target of the query."""

    @classmethod
    def split(cls, dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Self]:
        """Hold out a random share of the users.

        Returns
        -------
        (the dataset without the interactions of these users, the queries of these users)
        """
        held_out = uniform(seed, "held-out users", dataset.user_ids) < share
        timeline = dataset.timeline
        remaining = replace(dataset, timeline=timeline.keep(~held_out[timeline.users]))
        return remaining, cls.of(timeline, held_out, seed)

    @classmethod
    def of(cls, timeline: Timeline, users: BoolArray, seed: int) -> Self:
        """Build a query from each positive of the users marked in bool[n_users], unless its history is empty."""
        row = np.flatnonzero(timeline.is_positive() & users[timeline.users])
        user = timeline.users[row]
        first_of_user = np.searchsorted(user, user)
        place = np.arange(len(row)) - first_of_user  # of the positive among those of its user
        drawn = uniform(seed, "ends of histories", timeline.user_ids[user], place)
        n_earlier = (EARLIER_POSITIVES * drawn).astype(np.int64)
        first_hidden = np.maximum(np.arange(len(row)) - n_earlier, first_of_user)
        starts, stops = timeline.offsets[user], row[first_hidden]
        has_history = stops > starts
        row, starts, stops = row[has_history], starts[has_history], stops[has_history]
        # A rating in the history is current unless another one in the history replaces it; what comes after the
        # history, the query's own rating included, doesn't count.
        as_of = timeline.timestamps[stops]
        histories = Histories(timeline, timeline.user_ids[timeline.users[row]], starts, stops, as_of)
        return cls(histories, timeline.timestamps[row], timeline.movies[row])

    def __len__(self) -> int:
        return len(self.timestamps)

    def __getitem__(self, queries: slice | Int64Array) -> Self:
        return type(self)(self.histories[queries], self.timestamps[queries], self.movies[queries])

    def subsample(self, n_queries: int) -> Self:
        """Return at most `n_queries` of the queries, spread evenly over users and time."""
        return self[:: 1 + len(self) // n_queries]

    def scores_relative_to_target(self, score: ScoreFunction) -> Float32Array:
        """Return each movie's score minus the target's score, float32[n_queries, n_movies].

        The target has 0, a movie that the model prefers to it has more, and a movie in the history has -inf.
        """
        scores, query = score(self.histories, self.timestamps), np.arange(len(self))
        scores = scores - scores[query, self.movies][:, None]
        seen_query, row = self.histories.rows()
        scores[seen_query, self.histories.timeline.movies[row]] = -np.inf
        scores[query, self.movies] = 0
        return scores

    def evaluate(self, score: ScoreFunction) -> tuple[float, float]:
        """Return the mean loss and the mean NDCG@10, both over the movies that are not in the history.

        The loss of a query is -log softmax(scores)[target]. There must be at least one query.
        """
        loss = gain = 0.0
        for start in range(0, len(self), QUERIES_AT_ONCE):
            scores = self[start : start + QUERIES_AT_ONCE].scores_relative_to_target(score)
            highest = scores.max(axis=1, keepdims=True)
            loss += float((np.log(np.exp(scores - highest).sum(axis=1)) + highest[:, 0]).sum())
            rank = 1 + (scores > 0).sum(axis=1)
            gain += float((1 / np.log2(1 + rank[rank <= CUTOFF])).sum())
        return loss / len(self), gain / len(self)
