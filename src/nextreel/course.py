"""A predictor with the interface that the notebook of the course behind nextreel expects of a model.

The course's task was to beat a simplified Funk-SVD; nextreel began as a solution to it.
"""

from collections.abc import Iterable
from typing import SupportsInt

import numpy as np

from nextreel.arrays import Int64Array
from nextreel.evaluation.protocol import freeze_histories
from nextreel.prediction.predictor import Predictor


class CourseModel:
    """Wrap a predictor so that the `evaluate` loop of the course's notebook accepts it as a model.

    Histories are frozen: they hold only the interactions that the model was fitted on. The notebook's own model also
    recommends movies that the user has already rated; `exclude_seen=False` does the same.
    """

    def __init__(self, model: Predictor, exclude_seen: bool = True, k: int = 10) -> None:
        self.model = model
        self.exclude_seen = exclude_seen
        self.k = k

    def eval_predict_onestep(self, query: Iterable[SupportsInt]) -> Int64Array:
        """Return int64[k]: the MovieIDs recommended for one query, best first.

        `query` is [UserID, Timestamp] as a list, or as an array of numpy, torch or TensorFlow.
        """
        user_id, timestamp = (int(value) for value in query)
        timestamps = np.array([timestamp])
        histories = freeze_histories(self.model.dataset, np.array([user_id]), timestamps)
        ranking = self.model.ranker.rank(histories, timestamps, self.k, self.exclude_seen)
        movie_ids: Int64Array = self.model.dataset.movie_ids[ranking.movies[0]]
        return movie_ids
