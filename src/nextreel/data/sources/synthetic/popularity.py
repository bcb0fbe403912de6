"""How popular each movie of a synthetic data set is in each week, apart from the tastes of single users."""

import numpy as np

from nextreel.arrays import Float32Array
from nextreel.data.sources.synthetic.movies import CLOSES, GENRES, OPENS, YEAR, InventedMovies
from nextreel.data.times import DAY, WEEK

NEVER_RATED = 0.03
"""Share of the movies that nobody rates."""
POPULARITY_SPREAD = 0.5
"""Standard deviation over movies of the part of log popularity that is constant in time."""
QUALITY_IN_POPULARITY = 0.3
"""Added to a movie's log popularity per unit (standard deviation) of its quality."""
LOSS_PER_YEAR = 0.02
"""Log popularity that a movie loses with every year of its age."""
RISE_DAYS, DECAY_DAYS, PREMIERE = 10.0, 60.0, 8.0
"""Time constants in days of the rise after a release and of the decay, and the height of the peak: popularity is
multiplied by up to 1 + PREMIERE."""
FASHION_STEP, DRIFT_STEP = 0.06, 0.1
"""Standard deviations of the weekly steps in the random walks of log popularity, by genre and by movie."""
REVIVED, REVIVAL, REVIVAL_DAYS = 0.05, 2.5, 25.0
"""Share of the movies that have a revival, its height in log popularity, and its standard deviation in days."""


def draw_log_popularity(catalog: InventedMovies, rng: np.random.Generator) -> Float32Array:
    """Return float32[n_weeks, n_movies]: log popularity at the start of each week; -inf before the release."""
    n = len(catalog.released)
    week_starts = np.arange(OPENS, CLOSES, WEEK)
    base = POPULARITY_SPREAD * rng.normal(size=n) + QUALITY_IN_POPULARITY * catalog.quality
    fashion = np.cumsum(rng.normal(scale=FASHION_STEP, size=(len(week_starts), len(GENRES))), axis=0)
    drift = rng.normal(scale=DRIFT_STEP, size=(len(week_starts), n))
    np.cumsum(drift, axis=0, out=drift)
    revived = rng.uniform(OPENS, CLOSES, n)
    rateable = np.where(rng.permutation(n) < NEVER_RATED * n, -np.inf, 0)
    revival = np.where(rng.random(n) < REVIVED, REVIVAL, 0)
    in_fashion = fashion @ catalog.genres.T
    popularity = np.empty(drift.shape, dtype=np.float32)
    # Week by week, because of the memory of what is added up.
    for week, starts in enumerate(week_starts):
        days = np.maximum(starts - catalog.released, 0) / DAY
        premiere = np.log1p(PREMIERE * np.exp(-days / DECAY_DAYS)) - LOSS_PER_YEAR * days * DAY / YEAR
        with np.errstate(divide="ignore"):
            rise = np.log(-np.expm1(-days / RISE_DAYS))
        of_revival = revival * np.exp(-0.5 * ((starts - revived) / (REVIVAL_DAYS * DAY)) ** 2)
        popularity[week] = base + drift[week] + premiere + rise + in_fashion[week] + rateable + of_revival
    return popularity
