"""The movie embeddings that training starts from: singular vectors of which movies follow one another.

Two movies meet when a user rated one at most `REACH` rows after the other; a meeting k rows apart counts DECAY^k. With
n_ij the meetings of movies i and j, n_i the meetings of i, and n all of them, the lift n_ij n / (n_i n_j) says how much
more often than by chance they meet. The embeddings are made of the leading singular vectors of log(1 + lift /
LIFT_SCALE), each multiplied by the square root of its singular value. Starting from them rather than from noise saves
the first epochs.

Most movies never meet, and the logarithm of 1 is 0, so the matrix is sparse, and its memory grows with the number of
interactions rather than with the square of the number of movies. The singular vectors are those of randomised subspace
iteration (Halko et al., "Finding Structure with Randomness", SIAM Review 2011), which only multiplies by the matrix.
"""

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor
from torch.nn import functional

from nextreel.data.dataset import Dataset
from nextreel.models.canonical_signs import canonical_signs
from nextreel.models.transformer.hyperparameters import TransformerConfig

REACH = 20
"""Maximum distance, in interactions of the same user, at which two movies meet; 0.9^20 = 0.12, so a longer reach would
add little."""
MOST_MEETINGS = 100_000_000
"""Maximum number of meetings that are counted, at 8 bytes each if all are of different movies: with more than a
twentieth as many interactions the reach becomes shorter, since many interactions make up for it."""
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
    scaled_lift = _scale_lift(_count_meetings(dataset))
    rank = min(config.dimensions, dataset.n_movies)
    left, singular = _find_singular_vectors(scaled_lift, rank)
    padded = functional.pad(left * singular.sqrt(), (0, config.dimensions - rank))
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


def _count_meetings(dataset: Dataset) -> csr_array:
    """Count how often two movies meet, with closer meetings weighted more: float32[n_movies, n_movies], sparse.

    A pair stands once, above the diagonal; a movie doesn't meet itself.
    """
    timeline, n_movies = dataset.timeline, dataset.n_movies
    meetings = csr_array((n_movies, n_movies), dtype=np.float32)
    reach = max(1, min(REACH, MOST_MEETINGS // max(1, len(timeline)), len(timeline) - 1))
    for apart in range(1, reach + 1):
        earlier, later = timeline.movies[:-apart], timeline.movies[apart:]
        meet = (timeline.users[apart:] == timeline.users[:-apart]) & (earlier != later)
        pair = np.minimum(earlier, later)[meet], np.maximum(earlier, later)[meet]
        weight = np.full(len(pair[0]), DECAY**apart, dtype=np.float32)
        meetings = meetings + coo_array((weight, pair), shape=meetings.shape).tocsr()
    return meetings


def _scale_lift(meetings: csr_array) -> csr_array:
    """Return log(1 + lift / LIFT_SCALE) for each pair, sparse like `meetings`, float32[n_movies, n_movies]."""
    n_meetings = meetings.sum(axis=0) + meetings.sum(axis=1) + np.float32(SHRINKAGE)  # float32[n_movies]
    of_row = np.repeat(n_meetings, np.diff(meetings.indptr))
    lift = meetings.data * (n_meetings.sum() / LIFT_SCALE) / of_row / n_meetings[meetings.indices]
    return csr_array((np.log1p(lift), meetings.indices, meetings.indptr), shape=meetings.shape)


def _find_singular_vectors(upper: csr_array, rank: int) -> tuple[Tensor, Tensor]:
    """Return the leading singular vectors, float32[n, rank], and singular values of a symmetric matrix.

    `upper` is the part of the matrix above its diagonal, which is 0. The vectors have canonical signs.
    """

    def multiply(vectors: Tensor) -> Tensor:
        array = vectors.numpy()
        return torch.from_numpy(upper @ array + upper.T @ array)

    basis = torch.linalg.qr(multiply(torch.randn(upper.shape[0], rank)))[0]
    for _ in range(2 * SVD_ITERATIONS):
        basis = torch.linalg.qr(multiply(basis))[0]
    left, singular, _ = torch.linalg.svd(multiply(basis), full_matrices=False)
    return _with_canonical_signs(left), singular
