"""Sequential ridge: the next movies as a linear function of the ordered history, in closed form."""

from nextreel.models.sequential_ridge.model import SequentialRidge, SequentialRidgeConfig

__all__ = ["SequentialRidge", "SequentialRidgeConfig"]
