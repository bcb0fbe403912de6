"""The transformer's options."""

from typing import Self

from pydantic import Field, model_validator

from nextreel.models.base import ModelConfig


class TransformerConfig(ModelConfig):
    dimensions: int = Field(default=96, ge=2)
    """Width of the network, and length of the movie embeddings."""
    layers: int = Field(default=2, ge=1)
    """Number of attention layers."""
    heads: int = Field(default=2, ge=1)
    """Number of attention heads in each layer; must divide `dimensions`."""
    window: int = Field(default=200, ge=2)
    """Number of latest events of a history that the network reads."""
    overlap: int = Field(default=50, ge=0)
    """Number of events that a training window of a long history shares with the previous window, as context."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Probability that an activation is set to 0 in training."""
    ahead: int = Field(default=5, ge=1)
    """Number of places at which the history of a training query may end: right before the target basket, or before
    one of the `ahead - 1` positives preceding it."""
    next_share: float = Field(default=0.2, ge=0, le=1)
    """Probability, in each epoch, that the history of a training query ends right before the target basket."""
    within_share: float = Field(default=0.25, ge=0, le=1)
    """Probability, in each epoch, that the history of a training query ends within its target basket, if that has
    several movies; the movies after the cut are the labels. The train part of a split may end within a second, too."""
    disliked_weight: float = Field(default=0.4, ge=0, le=1)
    """Weight in the loss of a label that the user didn't like, relative to one that the user liked."""
    rows_per_step: int = Field(default=3072, ge=1)
    """Maximum number of events and queries in one step, padding included."""
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    """Highest learning rate of AdamW, reached after the warm-up; it then falls to 0 along a cosine."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay of AdamW; applies to matrices only."""
    epochs: int = Field(default=15, ge=1)
    """Number of passes over the target baskets."""
    minutes: float | None = Field(default=None, gt=0)
    """Training time, summed over all parts of a resumed fit; None runs all epochs."""
    held_out_share: float = Field(default=0.03, ge=0, lt=1)
    """Share of the users held out of training; the model keeps the epoch with the lowest loss on them."""
    bfloat16: bool = True
    """Whether training computes matrix products in bfloat16. Scores are float32 either way."""
    seed: int = Field(default=0, ge=0)
    """Seed of all random numbers."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.dimensions % self.heads:
            raise ValueError(f"dimensions ({self.dimensions}) must be a multiple of heads ({self.heads})")
        return self
