"""How many stars the users of a synthetic data set give to the movies that they chose."""

from dataclasses import dataclass

import numpy as np

from nextreel.arrays import Float64Array, Int64Array

STAR_SHARES = (0.05, 0.10, 0.28, 0.34, 0.23)
"""Shares of 1 to 5 stars, about those of MovieLens 1M."""
TASTE_IN_RATING, QUALITY_IN_RATING, GENEROSITY, NOISE_IN_RATING = 0.6, 0.5, 0.4, 0.7
"""Standard deviations of taste, quality, the user's generosity and noise, whose sum is cut into 1 to 5 stars."""


@dataclass(frozen=True)
class Opinions:
    """What each rating is the sum of; float64[n_ratings] each."""

    affinity: Float64Array
    """Product of the taste factors of the user and of the movie."""
    quality: Float64Array
    generosity: Float64Array
    noise: Float64Array

    def add_up(self, mean: float, deviation: float) -> Float64Array:
        """Return the sums, given the mean and the standard deviation of affinity in the data set."""
        total: Float64Array = (
            TASTE_IN_RATING * (self.affinity - mean) / deviation
            + QUALITY_IN_RATING * self.quality
            + self.generosity
            + self.noise
        )
        return total


@dataclass(frozen=True)
class StarScale:
    """Turns opinions into stars with the shares of STAR_SHARES."""

    mean: float
    deviation: float
    cuts: Float64Array

    @classmethod
    def of(cls, opinions: Opinions) -> "StarScale":
        """Find the scale that gives these opinions the shares."""
        mean, deviation = float(opinions.affinity.mean()), float(opinions.affinity.std())
        cuts = np.quantile(opinions.add_up(mean, deviation), np.cumsum(STAR_SHARES)[:-1])
        return cls(mean, deviation, cuts)

    def rate(self, opinions: Opinions) -> Int64Array:
        """Return int64[n_ratings]: 1 to 5 stars."""
        stars: Int64Array = 1 + np.searchsorted(self.cuts, opinions.add_up(self.mean, self.deviation))
        return stars
