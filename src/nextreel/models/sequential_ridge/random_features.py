"""The directions of the random features: H in the package's formulas.

A random feature is max(0, (v - m) h + b), with the user's taste v, the mean taste m, a random direction h and a random
number b. Tastes differ much more in some directions than in others, and the scores depend most on those. So h isn't
drawn evenly but from the normal distribution whose covariance is a power of that of the tastes. A metric fitted to the
data does the same for kernels (Radhakrishnan et al., "Mechanism for feature learning in neural networks and
backpropagation-free machine learning models", Science 2024).
"""

import numpy as np

from nextreel.arrays import Float32Array, Float64Array
from nextreel.data.timeline import Histories
from nextreel.models.sequential_ridge.baskets import BasketSequences
from nextreel.models.sequential_ridge.features import FeatureMap
from nextreel.models.sequential_ridge.normal_equations import INTERACTIONS_AT_ONCE, divide

SAMPLED_INTERACTIONS = 65_536
"""About how many interactions' tastes the covariance is computed from."""
LATEST_INTERACTIONS = 1000
"""Number of a sampled user's latest interactions that count, so that the sample has many users."""
SPREAD = 2.0
"""Standard deviation of (v - m) h over the tastes, and of b: that of v h with a standard normal h, since v is made of
four unit vectors."""
LEAST_VARIANCE = 1e-12
"""Smallest variance that a feature's input is divided by the root of, so that tastes which never vary add nothing."""


def draw_directions(
    features: FeatureMap,
    everyone: Histories,
    hidden: int,
    covariance_power: float,
    random: np.random.Generator,
) -> Float32Array:
    """Return the matrix H of the random features, float32[n_taste + 1, hidden]; its last row is added as a constant.

    Parameters
    ----------
    features : FeatureMap
        Computes the tastes; its random features aren't used.
    everyone : Histories
        The whole histories of all users, of which a sample is used.
    hidden : int
        Number of random features.
    covariance_power : float
        Power of the covariance that the directions are stretched by; with 0, H is standard normal.
    random : np.random.Generator
        Draws the directions.
    """
    n_taste = 2 * features.embeddings.shape[0] * features.embeddings.shape[2]
    directions = random.standard_normal((n_taste + 1, hidden), dtype=np.float32)
    if covariance_power == 0 or hidden == 0:
        return directions
    mean, covariance = _describe_tastes(features, everyone, n_taste)
    values, vectors = np.linalg.eigh(covariance)
    stretched = (vectors * np.maximum(values, 0) ** covariance_power) @ (vectors.T @ directions[:-1])
    variance = np.sum(stretched * (covariance @ stretched), axis=0)
    stretched *= SPREAD / np.sqrt(np.maximum(variance, LEAST_VARIANCE))
    return np.vstack([stretched, SPREAD * directions[-1] - mean @ stretched]).astype(np.float32)


def _describe_tastes(
    features: FeatureMap, everyone: Histories, n_taste: int
) -> tuple[Float64Array, Float64Array]:
    """Return the mean of the tastes after the interactions of a sample of users, float64[n_taste], and their covariance
    matrix."""
    latest = everyone.last(LATEST_INTERACTIONS)
    sample = latest[:: 1 + int(latest.lengths.sum()) // SAMPLED_INTERACTIONS]
    total, products, count = np.zeros(n_taste), np.zeros((n_taste, n_taste)), 0
    for histories in divide(sample, INTERACTIONS_AT_ONCE):
        sequences = BasketSequences.of(histories)
        rows = np.arange(len(sequences.users))
        tastes = features.of_rows(sequences, rows)[:, :n_taste].astype(np.float64)
        total += tastes.sum(axis=0)
        products += tastes.T @ tastes
        count += len(tastes)
    mean = total / count
    return mean, products / count - np.outer(mean, mean)
