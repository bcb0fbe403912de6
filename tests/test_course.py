import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from nextreel.arrays import Int64Array
from nextreel.course import CourseModel
from nextreel.data.dataset import Dataset
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.testing import tiny_dataset


def notebook_evaluate(
    model: CourseModel, queries: npt.NDArray[np.int64], movies: Int64Array
) -> tuple[float, float]:
    """The course notebook's loop in numpy: one query at a time, one relevant movie each."""
    ndcg, recall = [], []
    for query, movie in zip(queries, movies, strict=True):
        predicted = model.eval_predict_onestep(query)
        hits = np.flatnonzero(predicted == movie)
        recall.append(float(len(hits) > 0))
        ndcg.append(1 / math.log2(hits[0] + 2) if len(hits) else 0.0)
    return float(np.mean(ndcg)), float(np.mean(recall))


@pytest.mark.parametrize("exclude_seen", [True, False])
def test_the_notebooks_loop_gives_the_figures_of_a_batch(exclude_seen: bool) -> None:
    split = split_interactions(tiny_dataset().interactions(), SplitRule.for_rule("course", positives=3))
    train = Dataset.from_frames(split.train)
    model = Popularity().fit(train)
    result = evaluate(model, train, split.test, exclude_seen=exclude_seen)
    queries = result.queries.select("UserID", "Timestamp").to_numpy()
    course = CourseModel(Predictor(model, train), exclude_seen)
    ndcg, recall = notebook_evaluate(course, queries, result.queries["MovieID"].to_numpy())
    assert 0 < recall < 1
    assert ndcg == pytest.approx(result.metrics["NDCG@10"].mean, abs=1e-9)
    assert recall == pytest.approx(result.metrics["Recall@10"].mean, abs=1e-9)


@pytest.mark.parametrize(
    "query",
    [
        [7, 2_000_000],
        (np.int32(7), np.int64(2_000_000)),
        np.array([7, 2_000_000]),
        torch.tensor([7, 2_000_000]),
    ],
    ids=["list", "numpy scalars", "numpy array", "torch tensor"],
)
def test_a_query_may_come_in_any_integers(query: object) -> None:
    dataset = tiny_dataset()
    predicted = CourseModel(Predictor(Popularity().fit(dataset), dataset)).eval_predict_onestep(query)  # type: ignore[arg-type]
    assert len(set(predicted.tolist())) == 10
    assert set(predicted.tolist()) <= set(dataset.movie_ids.tolist())
