"""The transformer's options: its size, its training and its training queries."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from nextreel.models.base import ModelConfig
from nextreel.options import Choice, Range


class TransformerConfig(ModelConfig):
    # What a CPU trains within an hour; all are multiples of every number of heads below.
    dimensions: Annotated[int, Field(ge=2, le=4096), Choice((64, 96, 128, 192))] = 96
    """Width of the network, and length of the movie embeddings."""
    # On MovieLens-1M, a third layer improves NDCG@10 by less than 1 %, for a quarter more time.
    layers: Annotated[int, Field(ge=1, le=64), Range(1, 4)] = 2
    """Number of layers, each of attention and a feed-forward part."""
    # Every choice divides every width above.
    heads: Annotated[int, Field(ge=1, le=256), Choice((1, 2, 4))] = 2
    """Number of attention heads in each layer; must divide `dimensions`."""
    window: int = Field(default=200, ge=2, le=4096)
    """Maximum number of events (interactions) that the network reads at once: of a query's history, the latest ones."""
    overlap: int = Field(default=50, ge=0, le=4096)
    """Maximum number of events that a training window shares with the previous one, as context, where a long history is
    divided into several windows."""
    # Below, training doesn't finish in its epochs; above, it diverges.
    learning_rate: Annotated[float, Field(gt=0), Range(5e-4, 1e-2, log=True)] = 3e-3
    """Highest learning rate of AdamW, reached after the warm-up; it then falls to 0 along a cosine. That of Muon, which
    learns the matrices of the layers, is in proportion to it."""
    # From none to so much that too little is left to learn from.
    dropout: Annotated[float, Field(ge=0, lt=1), Range(0.0, 0.5)] = 0.1
    """Probability that an activation is set to 0 in training."""
    # From next to none to a tenth.
    weight_decay: Annotated[float, Field(ge=0), Range(1e-4, 0.1, log=True)] = 0.01
    """Weight decay of Muon and AdamW; applies to matrices only."""
    # From the next positive alone to twice as many as a test part has of each user.
    ahead: Annotated[int, Field(ge=1, le=1000), Range(1, 10)] = 5
    """How far ahead training queries look: the history of a query for a basket (the movies rated in its second) ends
    before one of the `ahead - 1` preceding positives, as with frozen history."""
    # From none to all.
    next_share: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 1.0
    """Probability, in each epoch, that a basket is also asked for by a query whose history ends right before it."""
    # From none to all.
    within_share: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 1.0
    """Probability, in each epoch, that a movie of a basket after its first is asked for by a query of its own, whose
    history ends right before it: pages show movies in an order, which users follow."""
    # From liked targets only to equal weights.
    disliked_weight: Annotated[float, Field(ge=0, le=1), Range(0.0, 1.0)] = 1.0
    """Weight in the loss of a target movie that the user didn't like, relative to one that the user liked."""
    negatives: int | None = Field(default=None, ge=1, le=1_000_000)
    """Number of movies drawn in each step as negatives of its softmax. None takes all movies in a catalog of up to
    10,000, and draws 2,048 in a larger one."""
    rows_per_step: int = Field(default=3072, ge=1, le=10_000_000)
    """Maximum number of events and queries in the batch of one training step, padding included."""
    epochs: int = Field(default=10, ge=1, le=100_000)
    """Maximum number of passes over the training data; fewer are made where the held-out loss no longer falls."""
    minutes: float | None = Field(default=None, gt=0)
    """Training time in minutes, summed over all parts of a resumed fit; None runs all epochs."""
    held_out_share: float = Field(default=0.03, ge=0, lt=1)
    """Share of the users held out of training; the model keeps the epoch with the lowest loss on them."""
    bfloat16: bool | None = None
    """Whether training computes matrix products in bfloat16; None does where the processor has instructions for it (AMX
    or AVX-512 BF16, or a GPU's), since others are faster in float32. Scores are float32 either way."""
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    """Seed of all random numbers of a fit."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.dimensions % self.heads:
            raise ValueError(f"dimensions ({self.dimensions}) must be a multiple of heads ({self.heads})")
        return self
