"""The options of the sequential ridge."""

from typing import Annotated

from pydantic import Field

from nextreel.models.base import ModelConfig
from nextreel.options import Range

FEWEST_HIDDEN, INTERACTIONS_PER_HIDDEN = 64, 500
"""How many random features a model has if `hidden` allows it. On samples of MovieLens with 10,000 to 100,000 ratings,
more of them made it worse."""


class SequentialRidgeConfig(ModelConfig):
    # As for EASE, with one row per basket instead of one per user.
    regularization: Annotated[float, Field(gt=0), Range(20.0, 10_000.0, log=True)] = 500.0
    """Penalty on the weights from each movie in the history to each scored movie (lambda on W in the package's
    formulas)."""
    # The embedded history has far fewer weights to learn and needs far less regularization.
    dense_regularization: Annotated[float, Field(gt=0), Range(0.5, 500.0, log=True)] = 50.0
    """Penalty on the weights of the dense features, the user's taste and the history's length (mu on V in the package's
    formulas)."""
    # From the next interaction alone to the rest of the month.
    horizon: Annotated[int, Field(ge=1, le=10_000), Range(1, 50, log=True)] = 10
    """Number of interactions after the end of a history that the regression learns to predict from it."""
    # From mostly the next interaction to equal weights.
    target_decay: Annotated[float, Field(gt=0, le=1), Range(0.5, 1.0)] = 0.9
    """Weight of each of these predicted interactions relative to the one before it: the next one counts most."""
    # From liked targets only to equal weights.
    unliked_weight: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.3
    """Weight of a predicted interaction whose movie the user didn't like, relative to one that the user liked."""
    # From the ends of baskets only to every state within them.
    within_second: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.25
    """Probability that the regression also learns from a history that ends at an interaction which isn't the last of
    its second."""
    # From a coarse map of the movies to one that is finer than the time of its fit is worth.
    dimensions: Annotated[int, Field(ge=1, le=4096), Range(32, 256, log=True)] = 128
    """Length of each of a movie's two embeddings."""
    # From a nearly linear model to twice the default; the time of a fit grows with the square.
    hidden: Annotated[int, Field(ge=0, le=16_384), Range(64, 2048, log=True)] = 1024
    """Highest number of random features of the user's taste, which let the linear model fit functions that aren't
    linear. From few interactions little of that can be learned: there is one for each 500, but at least 64."""
    # From directions drawn evenly to those in which tastes vary most.
    covariance_power: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.5
    """Power of the tastes' covariance matrix that stretches the directions of the random features: 0 draws them evenly,
    0.5 in proportion to how much tastes vary."""
    rank: int = Field(default=256, ge=1, le=16_384)
    """Rank to which the weights of the dense features (V in the package's formulas) are reduced after the fit."""
    most_movies: int = Field(default=5000, ge=1, le=100_000)
    """Highest number of movies with weights of their own, the most rated ones. Others are scored by the user's taste
    alone. The time of a fit grows with the cube of it."""
    # From the ordered history alone to mostly the undirected weights.
    undirected: Annotated[float, Field(ge=0, le=100), Range(0.0, 2.0)] = 1.0
    """Weight of the undirected scores (those of EASE) relative to the regression's, each in units of its standard
    deviation over the learned movies. With more than 1,000 users it falls with the cube root of their number, since the
    regression needs more users than EASE does."""
    # From the set of movies in the latest basket alone to mostly the order in which it was rated.
    followers: Annotated[float, Field(ge=0, le=100), Range(0.0, 1.0)] = 0.3
    """Weight of how often other users rated a movie directly after the last one of the history, within one second,
    relative to the regression's scores, each in units of its standard deviation over the learned movies. It counts for
    queries in the same second as the last interaction."""
    # From the latest baskets alone to as much of the user's taste.
    taste_within_second: Annotated[float, Field(ge=0, le=100), Range(0.0, 1.0)] = 0.3
    """Weight of the scores by the dense features for queries in the same second as the last interaction, in the same
    units."""
    # From a few hours to a month.
    long_gap_days: Annotated[float, Field(gt=0), Range(0.1, 30.0, log=True)] = 1.0
    """Days from the last interaction to a query beyond which the query is scored by weights of its own, learned from
    interactions after such gaps only."""
    short_history: int = Field(default=6, ge=0, le=10_000)
    """Number of interactions below which a history is also scored by what other users chose at that point of theirs."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of the random features, of the choice of histories that end within a second, and of the computation of
    eigenvectors."""

    def count_hidden(self, n_interactions: int) -> int:
        """Return the number of random features of a model that learns from so many interactions."""
        return min(self.hidden, max(FEWEST_HIDDEN, n_interactions // INTERACTIONS_PER_HIDDEN))
