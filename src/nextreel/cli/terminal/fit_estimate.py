"""What `nextreel fit --dry-run` prints: how long a fit would take, and how much memory."""

from datetime import timedelta

from nextreel.data.dataset import Dataset
from nextreel.machine import GIB, usable_cores, usable_memory
from nextreel.models.base import Recommender
from nextreel.models.registry import model_name
from nextreel.models.training.processor_speed import Speed
from nextreel.wording import number_of


def describe_fit(model: Recommender, dataset: Dataset) -> str:
    """Return what a fit will take, in two sentences.

    Raises
    ------
    TooLargeError
        The fit would need more memory than there is.
    """
    name, cost = model_name(model), model.require_memory(dataset).fit_cost(dataset)
    what = (
        f"{name} would learn from {number_of(len(dataset.timeline), 'interaction')} of "
        f"{number_of(dataset.n_users, 'user')} and {number_of(dataset.n_movies, 'movie')}"
    )
    if cost is None:
        return f"{what}. It doesn't say how long that takes, or how much memory."
    usable = usable_memory()
    free = "" if usable is None else f"; {usable / GIB:.1f} GiB are free"
    return (
        f"{what}, in about {_describe_seconds(Speed.measure().seconds(cost))} on "
        f"{number_of(usable_cores(), 'core')}. It would need about {max(cost.memory / GIB, 0.1):.1f} GiB of memory "
        f"beside the data{free}."
    )


def _describe_seconds(seconds: float) -> str:
    """Return a duration in two significant digits, such as "less than a second", "23 s" or "1:40 h"."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} minutes"
    hours, minutes = divmod(round(timedelta(seconds=seconds) / timedelta(minutes=1)), 60)
    return f"{hours}:{minutes:02} h"
