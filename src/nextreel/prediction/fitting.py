"""Fitting a model by name, and what the process that fits it has held in memory."""

import resource
import sys
from pathlib import Path

from nextreel.data.dataset import Dataset, require_dataset
from nextreel.models.registry import DEFAULT_MODEL, create_model
from nextreel.prediction.predictor import Predictor


def fit(dataset: Dataset, model: str = DEFAULT_MODEL, **options: object) -> Predictor:
    """A predictor with the named model, fitted on the dataset; options are those of the model's config."""
    require_dataset(dataset)
    return Predictor(create_model(model, options).fit(dataset), dataset)


def measure_peak_memory() -> float:
    """GiB that this process has held at most so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands ru_maxrss on to a child; this figure is the process's own.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 2**20
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
