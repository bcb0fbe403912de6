"""The movie embeddings that training starts from: singular vectors of which movies follow one another.

Two movies meet when a user rated one at most `REACH` rows after the other; a meeting k rows apart counts DECAY^k. With
n_ij the meetings of movies i and j, n_i the meetings of i, and n all of them, the lift n_ij n / (n_i n_j) says how much
more often than by chance they meet. The embeddings are made of the leading singular vectors of log(1 + lift /
LIFT_SCALE), each multiplied by the square root of its singular value. Starting from them rather than from noise saves
the first epochs.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nextreel.arrays import Float32Array
from nextreel.data.dataset import Dataset
from nextreel.models.canonical_signs import canonical_signs
from nextreel.models.transformer.hyperparameters import TransformerConfig

REACH = 20
"""Maximum distance, in interactions of the same user, at which two movies meet; 0.9^20 = 0.12, so a longer reach would
add little."""
DECAY = 0.9
"""Weight of a meeting of two movies relative to one whose movies are one interaction closer to each other."""
SHRINKAGE = 20
"""Added to each movie's number of meetings when lifts are computed: rare movies would otherwise have the highest ones,
by chance."""
LIFT_SCALE = 20
"""Embeddings factorise log(1 + lift / LIFT_SCALE): about linear in lifts far below the scale, logarithmic far above."""
SVD_ITERATIONS = 3
"""Number of power iterations of the randomised SVD. More would make it more exact but take time, and training changes
the embeddings anyway."""
EMBEDDING_STD = 0.05
"""Standard deviation of the initial embeddings' elements: above that of the other embeddings, so that an event's input
depends mostly on its movie, and small enough for the first logits to be close to 0."""


def embed_by_succession(dataset: Dataset, config: TransformerConfig) -> Tensor:
    """Return the initial movie embeddings, float32[n_movies, dimensions].

    Each movie's vector is normalised, so that popular movies don't get longer ones, and the mean is subtracted. A
    random rotation, drawn from torch's default generator, spreads the leading directions over all dimensions, which the
    attention heads divide among themselves.
    """
    meetings = _count_meetings(dataset)
    n_meetings = meetings.sum(1) + SHRINKAGE  # float32[n_movies]
    scaled_lift = meetings * (n_meetings.sum() / LIFT_SCALE) / n_meetings[:, None] / n_meetings
    rank = min(config.dimensions, dataset.n_movies)
    left, singular, _ = torch.svd_lowrank(torch.from_numpy(np.log1p(scaled_lift)), rank, niter=SVD_ITERATIONS)
    padded = functional.pad(_with_canonical_signs(left) * singular.sqrt(), (0, config.dimensions - rank))
    vectors = functional.normalize(padded, dim=1)
    vectors = vectors - vectors.mean(0)
    rotation = _with_canonical_signs(torch.linalg.qr(torch.randn(config.dimensions, config.dimensions))[0])
    # The vectors are all zero if there is only one movie.
    spread = vectors.std().clamp_min(torch.finfo(torch.float32).tiny)
    embedding: Tensor = (vectors @ rotation) * (EMBEDDING_STD / spread)
    return embedding


def _with_canonical_signs(vectors: Tensor) -> Tensor:
    """Return the vectors, the columns of float32[n, n_vectors], each with its canonical sign."""
    return vectors * torch.from_numpy(canonical_signs(vectors.numpy()))


def _count_meetings(dataset: Dataset) -> Float32Array:
    """Count how often two movies meet, with closer meetings weighted more; float32[n_movies, n_movies], symmetric."""
    timeline, n_movies = dataset.timeline, dataset.n_movies
    following = np.zeros(n_movies * n_movies, dtype=np.float32)
    for apart in range(1, min(REACH, len(timeline) - 1) + 1):
        same_user = timeline.users[apart:] == timeline.users[:-apart]
        earlier, later = timeline.movies[:-apart][same_user], timeline.movies[apart:][same_user]
        pair = earlier.astype(np.int64) * n_movies + later
        counts = np.bincount(pair, minlength=len(following)).astype(np.float32)
        following += np.float32(DECAY**apart) * counts
    meetings = following.reshape(n_movies, n_movies)
    meetings += meetings.T.copy()
    return meetings
