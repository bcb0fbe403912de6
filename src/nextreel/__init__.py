"""Recommend movies: which movies should a user watch next, as of a given time?

    import nextreel

    dataset = nextreel.read_dataset("ml-1m")    # or nextreel.Dataset.from_frames(frame) of pandas, polars, ...
    predictor = nextreel.fit(dataset)
    predictor.recommend(5, at="2000-12-31")     # ten movies for user 5, as of that day
    predictor.recommend([(5, 978300760)])       # the same for many pairs of UserID and Timestamp, or a frame of them

Each name is imported when it is first used, which keeps `import nextreel` fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nextreel.version import __version__ as __version__

if TYPE_CHECKING:
    from nextreel.data.dataset import Dataset as Dataset
    from nextreel.data.reading.table_reader import read_dataset as read_dataset
    from nextreel.data.reading.table_reader import read_interactions as read_interactions
    from nextreel.data.splitting.split_rules import SplitRule as SplitRule
    from nextreel.data.splitting.split_rules import split_interactions as split_interactions
    from nextreel.errors import NextreelError as NextreelError
    from nextreel.evaluation.model_evaluation import evaluate as evaluate
    from nextreel.models.base import Recommender as Recommender
    from nextreel.models.registry import create_model as create_model
    from nextreel.models.registry import register_model as register_model
    from nextreel.prediction.fitting import fit as fit
    from nextreel.prediction.predictor import Predictor as Predictor
    from nextreel.prediction.saving import load as load
    from nextreel.prediction.saving import save as save

_MODULES = {
    "Dataset": "nextreel.data.dataset",
    "NextreelError": "nextreel.errors",
    "Predictor": "nextreel.prediction.predictor",
    "Recommender": "nextreel.models.base",
    "SplitRule": "nextreel.data.splitting.split_rules",
    "create_model": "nextreel.models.registry",
    "evaluate": "nextreel.evaluation.model_evaluation",
    "fit": "nextreel.prediction.fitting",
    "load": "nextreel.prediction.saving",
    "read_dataset": "nextreel.data.reading.table_reader",
    "read_interactions": "nextreel.data.reading.table_reader",
    "register_model": "nextreel.models.registry",
    "save": "nextreel.prediction.saving",
    "split_interactions": "nextreel.data.splitting.split_rules",
}
__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'nextreel' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
