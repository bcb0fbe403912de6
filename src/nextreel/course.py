"""Any fitted model in the shape of the course's notebook, to drop into its `evaluate` loop."""

from collections.abc import Iterable
from typing import SupportsInt

import numpy as np

from nextreel.arrays import Int64Array
from nextreel.evaluation.protocol import freeze_histories
from nextreel.prediction.predictor import Predictor


class CourseModel:
    """`eval_predict_onestep(query)` for any model: one query in, ten MovieIDs out.

    A history ends with what the model was fitted on, as in `evaluate` with `frozen` history. The notebook's own
    model recommends movies that the user has rated already; `exclude_seen=False` does the same.
    """

    def __init__(self, model: Predictor, exclude_seen: bool = True, k: int = 10) -> None:
        self.model = model
        self.exclude_seen = exclude_seen
        self.k = k

    def eval_predict_onestep(self, query: Iterable[SupportsInt]) -> Int64Array:
        """int64[k] MovieIDs, best first, for [UserID, Timestamp] of numpy, torch, TensorFlow or plain integers."""
        user_id, timestamp = (int(value) for value in query)
        timestamps = np.array([timestamp])
        histories = freeze_histories(self.model.dataset, np.array([user_id]), timestamps)
        ranking = self.model.ranker.rank(histories, timestamps, self.k, self.exclude_seen)
        movie_ids: Int64Array = self.model.dataset.movie_ids[ranking.movies[0]]
        return movie_ids
