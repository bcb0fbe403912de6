"""The transformer's options."""

from typing import Self

from pydantic import Field, model_validator

from nextreel.models.base import ModelConfig


class TransformerConfig(ModelConfig):
    dimensions: int = Field(default=96, ge=2)
    """Width of the network and of the movies' embeddings."""
    layers: int = Field(default=2, ge=1)
    """Attention layers."""
    heads: int = Field(default=2, ge=1)
    """Heads of each layer; `dimensions` must be a multiple."""
    window: int = Field(default=200, ge=2)
    """Latest events of a history that are read."""
    overlap: int = Field(default=50, ge=0)
    """Events that a training window of a long history shares with the one before, as context."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the activations that are dropped in training."""
    ahead: int = Field(default=5, ge=1)
    """A question's history ends up to this many positives before it, less one."""
    next_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the questions whose history ends right before them."""
    within_share: float = Field(default=0.25, ge=0, le=1)
    """Share of the questions of several movies whose history holds some of them, as a train part may end within a
    second; the other movies are the answers."""
    disliked_weight: float = Field(default=0.4, ge=0, le=1)
    """Weight of an answer that was rated below 4."""
    rows_per_step: int = Field(default=3072, ge=1)
    """Events and questions of one step, padding included."""
    learning_rate: float = Field(default=3e-3, gt=0, allow_inf_nan=False)
    """Of AdamW, after a warm-up; it falls to zero along a cosine."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of AdamW, on matrices."""
    epochs: int = Field(default=15, ge=1)
    """Passes over the questions."""
    minutes: float | None = Field(default=None, gt=0)
    """Time that training may take, all resumed parts together; None runs all epochs."""
    held_out_share: float = Field(default=0.03, ge=0, lt=1)
    """Share of the users who aren't learned from: the loss on them chooses the epoch that is kept."""
    bfloat16: bool = True
    """Train with matrices in bfloat16; scores are float32 either way."""
    seed: int = Field(default=0, ge=0)
    """Of all that is drawn by chance."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.dimensions % self.heads:
            raise ValueError(f"dimensions ({self.dimensions}) must be a multiple of heads ({self.heads})")
        return self
