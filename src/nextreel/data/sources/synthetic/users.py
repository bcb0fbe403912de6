"""Invented users: demographic attributes in the codes of MovieLens, and taste factors."""

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array
from nextreel.data.schema import USER_ID
from nextreel.data.sources.synthetic.movies import mix_factors

AGES = {1: 220, 18: 1100, 25: 2100, 35: 1190, 45: 550, 50: 500, 56: 380}
"""MovieLens' age codes with their relative frequencies."""
OCCUPATIONS = (71, 53, 27, 17, 76, 11, 24, 68, 2, 9, 20, 13, 39, 14, 30, 14, 24, 50, 7, 7, 28)
"""Relative frequencies of MovieLens' occupation codes 0 to 20."""
PUPIL, PUPILS_AMONG_CHILDREN = 10, 0.8
"""Occupation code of pupils, and their share among users of the lowest age code."""
MEN = 0.72
ZIP_PLUS_4 = 0.02
"""Share of the users whose ZIP code has nine digits."""

N_CLUSTERS = 12
CLUSTER_CONCENTRATION = 0.3
"""Concentration of the Dirichlet distribution of genres in a cluster of users' taste; below 1, few genres dominate."""
OWN_SHARE_OF_USER = 0.35
"""Share of the variance of a user's taste factors that is drawn for them alone; clusters give the rest."""
LEANING_SPREAD, DEMOGRAPHIC_LEANING = 1.5, 0.6
"""Standard deviations of the two random parts of a user's log weight for each cluster of taste: their own, and that of
each of their demographic groups (age, gender, occupation)."""


def draw_users(
    n: int, genre_vectors: Float64Array, rng: np.random.Generator
) -> tuple[pl.DataFrame, Float64Array]:
    """Draw n invented users: their attributes and their taste factors.

    Parameters
    ----------
    n : int
        Number of users.
    genre_vectors : float64[n_genres, N_FACTORS]
        Vector of taste factors of each genre.
    rng : numpy.random.Generator
        Source of all random draws.

    Returns
    -------
    polars.DataFrame, float64[n, N_FACTORS]
        UserID, Gender, Age, Occupation, ZipCode; and the users' taste factors, unit vectors.
    """
    age = rng.choice(len(AGES), size=n, p=_shares(list(AGES.values())))
    man = rng.random(n) < MEN
    occupation = rng.choice(len(OCCUPATIONS), size=n, p=_shares(OCCUPATIONS))
    occupation[(age == 0) & (rng.random(n) < PUPILS_AMONG_CHILDREN)] = PUPIL
    leaning = rng.normal(scale=LEANING_SPREAD, size=(n, N_CLUSTERS))
    for groups, member in ((len(AGES), age), (2, man.astype(np.int64)), (len(OCCUPATIONS), occupation)):
        leaning += rng.normal(scale=DEMOGRAPHIC_LEANING, size=(groups, N_CLUSTERS))[member]
    clusters = (
        rng.dirichlet(np.full(len(genre_vectors), CLUSTER_CONCENTRATION), size=N_CLUSTERS) @ genre_vectors
    )
    taste = mix_factors(np.exp(leaning) @ clusters, OWN_SHARE_OF_USER, rng)
    plus_4 = np.where(rng.random(n) < ZIP_PLUS_4, rng.integers(1, 10_000, n), 0)
    frame = pl.DataFrame(
        {
            USER_ID: np.arange(n),
            "Gender": np.where(man, "M", "F"),
            "Age": np.array(list(AGES))[age],
            "Occupation": occupation,
            "ZipCode": [
                f"{zip_:05d}-{more:04d}" if more else f"{zip_:05d}"
                for zip_, more in zip(rng.integers(1_000, 100_000, n), plus_4, strict=True)
            ],
        }
    )
    return frame, taste


def _shares(frequencies: list[int] | tuple[int, ...]) -> Float64Array:
    return np.array(frequencies) / sum(frequencies)
