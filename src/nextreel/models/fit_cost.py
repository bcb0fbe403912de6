"""What a fit will take: its memory and its time, estimated before anything is allocated."""

from dataclasses import dataclass
from typing import Self

SORTING_STEPS = 20
"""Steps of a FitCost that sorting takes for each interaction."""


@dataclass(frozen=True)
class FitCost:
    """Estimate of a fit's memory and work; `+` adds up two fits, the second after the first."""

    memory: float
    """Bytes at the peak, beyond those of the data set."""
    products: float = 0.0
    """Multiplications in products and decompositions of dense float32 matrices."""
    steps: float = 0.0
    """Elementary steps of other kinds, each about as long as one multiplication in a product of sparse matrices."""
    seconds: float = 0.0
    """Seconds that don't depend on the processor, such as a time budget."""
    advice: str = ""
    """What to change if the memory isn't enough, as the end of a sentence: "set most_movies lower"."""

    def __add__(self, other: Self) -> "FitCost":
        return FitCost(
            max(self.memory, other.memory),
            self.products + other.products,
            self.steps + other.steps,
            self.seconds + other.seconds,
            self.advice if self.memory >= other.memory else other.advice,
        )
