"""Which models a Ray cluster fits: those whose blocks don't depend on each other, and networks."""

from nextreel.errors import ConfigError
from nextreel.models.base import Recommender
from nextreel.models.registry import model_name
from nextreel.wording import join_names

FITTED_BY_TASKS = ("als", "blend", "ease", "item-knn", "sequential-ridge", "transformer")
"""The models of nextreel that a cluster fits. To ask all classes would import torch."""


def require_fit_by_tasks(model: Recommender) -> None:
    """Raise ConfigError, which names the models that a cluster fits, unless this is one of them."""
    if not model.fits_by_tasks:
        raise ConfigError(
            f"{model_name(model)} is fitted on one machine: leave --on out; a Ray cluster fits "
            f"{join_names(FITTED_BY_TASKS)}"
        )
