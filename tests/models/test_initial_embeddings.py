from collections import defaultdict

import numpy as np
import pytest
import torch

from nextreel.models.transformer import TransformerConfig, initial_embeddings
from nextreel.models.transformer.initial_embeddings import (
    DECAY,
    LIFT_SCALE,
    REACH,
    SHRINKAGE,
    embed_by_succession,
)
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions

DATASET = tiny_dataset()


def scaled_lift_by_hand(reach: int) -> dict[tuple[int, int], float]:
    timeline, meetings = DATASET.timeline, defaultdict[tuple[int, int], float](float)
    for start, stop in zip(timeline.offsets[:-1], timeline.offsets[1:], strict=True):
        for row in range(start, stop):
            for other in range(row + 1, min(stop, row + 1 + reach)):
                first, second = sorted((int(timeline.movies[row]), int(timeline.movies[other])))
                meetings[first, second] += DECAY ** (other - row) if first != second else 0
    n_meetings = np.full(DATASET.n_movies, float(SHRINKAGE))
    for pair, number in meetings.items():
        n_meetings[list(pair)] += number
    return {
        (i, j): np.log1p(number * n_meetings.sum() / LIFT_SCALE / n_meetings[i] / n_meetings[j])
        for (i, j), number in meetings.items()
        if number
    }


def test_the_sparse_table_has_the_scaled_lift_of_each_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for reach in (REACH, 3):
        monkeypatch.setattr(initial_embeddings, "MOST_MEETINGS", reach * len(DATASET.timeline))
        table = initial_embeddings._scale_lift(initial_embeddings._count_meetings(DATASET)).tocoo()
        found = dict(zip(zip(*map(np.ndarray.tolist, table.coords), strict=True), table.data, strict=True))
        assert found == pytest.approx(scaled_lift_by_hand(reach), rel=1e-4)


def test_the_singular_vectors_are_those_of_the_whole_symmetric_matrix() -> None:
    torch.manual_seed(0)
    upper = initial_embeddings._scale_lift(initial_embeddings._count_meetings(DATASET))
    left, singular = initial_embeddings._find_singular_vectors(upper, 8)
    whole = torch.from_numpy((upper + upper.T).toarray())
    expected = torch.linalg.svdvals(whole)[:8]
    torch.testing.assert_close(singular[:4], expected[:4], rtol=0.02, atol=0)
    explained = torch.linalg.norm(left.T @ whole)
    assert explained > 0.97 * torch.linalg.norm(expected)


@pytest.mark.parametrize("movies", [1, 3])
def test_a_tiny_catalog_has_finite_embeddings(movies: int) -> None:
    rows = [(user, user % movies, 5, user + place) for user in range(3) for place in range(2)]
    dataset = type(DATASET).from_frames(interactions(*rows), catalog(movies))
    embedding = embed_by_succession(dataset, TransformerConfig(dimensions=8))
    assert embedding.shape == (movies, 8)
    assert torch.isfinite(embedding).all()
