"""The lists of a batch don't depend on the number of threads."""

import numpy as np
import pytest

from nextreel.models.registry import create_model
from nextreel.ranking.ranker import Ranker
from nextreel.testing.conformance import tiny_dataset


@pytest.mark.parametrize("name", ["popularity", "item-knn", "ease", "sequential-ridge"])
def test_lists_and_scores_are_the_same_with_any_number_of_threads(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny_dataset()
    ranker = Ranker.of(create_model(name).fit(dataset), dataset)
    users = np.append(dataset.user_ids, 9_999)
    timestamps = np.linspace(1, 6_000_000, len(users)).astype(np.int64)
    monkeypatch.setattr("nextreel.ranking.ranker.SCORES_AT_ONCE", 5 * dataset.n_movies)
    monkeypatch.setattr("nextreel.machine.usable_cores", lambda: 8)
    rankings = []
    for threads in ("1", "2", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        rankings.append(ranker.rank(dataset.histories(users, timestamps), timestamps))
    for ranking in rankings[1:]:
        np.testing.assert_array_equal(ranking.movies, rankings[0].movies)
        np.testing.assert_array_equal(ranking.scores, rankings[0].scores)
