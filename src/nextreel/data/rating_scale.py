"""The scale of a data set's ratings: its ends, and from where on a rating counts as liked."""

from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat

from nextreel.arrays import Float32Array
from nextreel.data.schema import HIGHEST_RATING, LOWEST_RATING, POSITIVE

WATCHED_RATING = HIGHEST_RATING
"""Rating that stands inside for an interaction of data without ratings, such as a play or a click."""


class RatingScale(BaseModel):
    """What the ratings of a data set mean. The default is MovieLens': 0.5 to 5 stars, liked from 4 on."""

    model_config = ConfigDict(frozen=True)

    lowest: FiniteFloat = LOWEST_RATING
    """Lowest rating of the scale."""
    highest: FiniteFloat = HIGHEST_RATING
    """Highest rating of the scale."""
    liked_from: FiniteFloat = POSITIVE
    """Lowest rating that makes an interaction a positive: the user liked the movie."""
    rated: bool = True
    """Whether the data have ratings. Without them, every interaction counts as liked."""

    @classmethod
    def of(cls, ratings: Float32Array, liked_from: float | None) -> Self:
        """Return the scale of data whose column of ratings holds these values, float32[n].

        Without `liked_from`, the ratings are stars. With it, the scale is that of stars if all ratings lie within it;
        otherwise it reaches from the lowest to the highest rating.
        """
        if liked_from is None:
            return cls()
        lowest, highest = (float(ratings.min()), float(ratings.max())) if len(ratings) else (0.0, 0.0)
        if lowest >= LOWEST_RATING and highest <= HIGHEST_RATING:
            return cls(liked_from=liked_from)
        return cls(lowest=lowest, highest=highest, liked_from=liked_from)

    @classmethod
    def without_ratings(cls) -> Self:
        """Return the scale of data without ratings."""
        return cls(rated=False)

    @property
    def is_stars(self) -> bool:
        """Whether the ratings are stars, 0.5 to 5."""
        return (self.lowest, self.highest) == (LOWEST_RATING, HIGHEST_RATING)

    def to_stars(self, ratings: Float32Array) -> Float32Array:
        """Return float32[n]: the ratings as stars, 0.5 to 5, for models that expect these.

        Stars stay as they are. On another scale, the lowest rating becomes 0.5, the lowest liked one 4 and the highest
        one 5, with straight lines between; ratings beyond the ends of the scale become 0.5 or 5. Half stars result,
        rounded down, so that a rating below `liked_from` never becomes a liked one.
        """
        if self.is_stars:
            return ratings
        low, liked, high = self.lowest, self.liked_from, self.highest
        below = LOWEST_RATING + (POSITIVE - LOWEST_RATING) * (ratings - low) / max(liked - low, 1e-9)
        above = POSITIVE + (HIGHEST_RATING - POSITIVE) * (ratings - liked) / max(high - liked, 1e-9)
        is_liked = ratings >= np.float32(liked)
        stars = np.where(is_liked, np.maximum(above, POSITIVE), np.minimum(below, POSITIVE - 0.5))
        halves: Float32Array = (np.floor(2 * np.clip(stars, LOWEST_RATING, HIGHEST_RATING)) / 2).astype(
            np.float32
        )
        return halves

    def from_stars(self, stars: float) -> float:
        """Return the rating on this scale that stands for a number of stars: the one that `to_stars` shows as these."""
        if self.is_stars:
            return stars
        if stars < POSITIVE:
            share = (stars - LOWEST_RATING) / (POSITIVE - LOWEST_RATING)
            return self.lowest + share * (self.liked_from - self.lowest)
        share = (stars - POSITIVE) / (HIGHEST_RATING - POSITIVE)
        return self.liked_from + share * (self.highest - self.liked_from)


STARS = RatingScale()
"""The scale of MovieLens: 0.5 to 5 stars, liked from 4 on."""
