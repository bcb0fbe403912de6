"""The transformer's options."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from nextreel.models.base import ModelConfig
from nextreel.options import Choice, Range


class TransformerConfig(ModelConfig):
    # What a CPU trains within an hour; all are multiples of every number of heads below.
    dimensions: Annotated[int, Field(ge=2), Choice((64, 96, 128, 192))] = 96
    """Width of the network and of the movies' embeddings."""
    # Deeper networks haven't helped on data sets of this size.
    layers: Annotated[int, Field(ge=1), Range(1, 4)] = 2
    """Attention layers."""
    # Every choice divides every width above.
    heads: Annotated[int, Field(ge=1), Choice((1, 2, 4))] = 2
    """Heads of each layer; `dimensions` must be a multiple."""
    window: int = Field(default=200, ge=2)
    """Latest events of a history that are read."""
    overlap: int = Field(default=50, ge=0)
    """Events that a training window of a long history shares with the one before, as context."""
    # Below, training doesn't finish in its epochs; above, it diverges.
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False), Range(5e-4, 1e-2, log=True)] = 3e-3
    """Of AdamW, after a warm-up; it falls to zero along a cosine."""
    # From none to so much that too little is left to learn from.
    dropout: Annotated[float, Field(ge=0, lt=1), Range(0.0, 0.5)] = 0.2
    """Share of the activations that are dropped in training."""
    # From next to none to a tenth.
    weight_decay: Annotated[float, Field(ge=0), Range(1e-4, 0.1, log=True)] = 0.01
    """Of AdamW, on matrices."""
    # From the next positive alone to twice as many as a test part has of each user.
    ahead: Annotated[int, Field(ge=1), Range(1, 10)] = 5
    """A question's history ends up to this many positives before it, less one."""
    # From none to more than half.
    next_share: Annotated[float, Field(ge=0, le=1), Range(0.0, 0.6)] = 0.2
    """Share of the questions whose history ends right before them."""
    # From none to more than half.
    within_share: Annotated[float, Field(ge=0, le=1), Range(0.0, 0.6)] = 0.25
    """Share of the questions of several movies whose history holds some of them, as a train part may end within a
    second; the other movies are the answers."""
    # From liked targets only to equal weights.
    disliked_weight: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 0.4
    """Weight of an answer that was rated below 4."""
    rows_per_step: int = Field(default=3072, ge=1)
    """Events and questions of one step, padding included."""
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
