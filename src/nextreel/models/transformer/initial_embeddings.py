"""The movie embeddings that training starts from."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nextreel.data.dataset import Dataset
from nextreel.models.transformer.hyperparameters import TransformerConfig


def _embed_by_succession(dataset: Dataset, config: TransformerConfig) -> Tensor:
    """float32[n_movies, dimensions]: singular vectors of how much likelier than chance two movies meet.

    Two movies meet where a user rated one up to 20 rows after the other; a meeting k rows apart counts 0.9^k.
    """
    timeline, n_movies = dataset.timeline, dataset.n_movies
    meetings = np.zeros(n_movies * n_movies, dtype=np.float32)
    for apart in range(1, min(20, len(timeline) - 1) + 1):
        same = timeline.users[apart:] == timeline.users[:-apart]
        pair = timeline.movies[:-apart][same].astype(np.int64) * n_movies + timeline.movies[apart:][same]
        meetings += np.float32(0.9**apart) * np.bincount(pair, minlength=len(meetings)).astype(np.float32)
    table = meetings.reshape(n_movies, n_movies)
    table += table.T.copy()
    often = table.sum(1) + 20
    likelier = np.log1p(table * (often.sum() / 20) / often[:, None] / often)
    rank = min(config.dimensions, n_movies)
    left, singular, _ = torch.svd_lowrank(torch.from_numpy(likelier), rank, niter=3)
    vectors = functional.normalize(
        functional.pad(left * singular.sqrt(), (0, config.dimensions - rank)), dim=1
    )
    vectors = vectors - vectors.mean(0)
    turn = torch.linalg.qr(torch.randn(config.dimensions, config.dimensions))[0]
    embedding: Tensor = (vectors @ turn) * (0.05 / vectors.std())
    return embedding
