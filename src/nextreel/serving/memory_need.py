"""How much memory a server will need, estimated from the size of its model before anything is loaded."""

from collections.abc import Mapping
from pathlib import Path

from nextreel.machine import require_memory
from nextreel.models.registry import model_class
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saved_dataset import INTERACTIONS_FILE, ORDER_FILE
from nextreel.prediction.saving import MODEL_FILE
from nextreel.serving.inference.engine import CACHE_BYTES
from nextreel.wording import number_of

BYTES_PER_PROCESS = 150 * 2**20
"""What a worker has in memory before it loads anything: Python and the libraries."""
BYTES_PER_MOVIE = 1_700
"""What a worker has in memory for each movie: its card, and the index of titles."""
BYTES_PER_LIKE = 12
"""What a worker allocates for each interaction to find similar movies; some of it is freed again."""
BYTES_PER_READ_ROW = 110
"""What a worker allocates for each interaction that it reads from the store and sorts; most of it is freed again."""
MAPPED_FILES = (MODEL_FILE, INTERACTIONS_FILE, ORDER_FILE)


def estimate_memory(model: Path, is_mapped: bool) -> tuple[int, int]:
    """Return about how many bytes all processes share of a saved model, and how many each one needs besides.

    `is_mapped` says whether the store's interactions are those in the files of the model, which all processes share.
    """
    manifest = ModelManifest.read(model)
    data = manifest.data
    shared = sum(file.stat().st_size for name in MAPPED_FILES if (file := model / name).is_file())
    bytes_per_row = BYTES_PER_LIKE if is_mapped else BYTES_PER_READ_ROW
    of_each = BYTES_PER_MOVIE * data.movies + bytes_per_row * data.interactions
    if model_class(manifest.model).caches_histories:
        of_each += CACHE_BYTES
    return shared, of_each


def require_memory_to_serve(models: Mapping[Path, bool], workers: int) -> None:
    """Do nothing if there is memory enough to serve some saved models.

    Parameters
    ----------
    models : Mapping[Path, bool]
        Directory of each saved model, the current version first, and whether the store's interactions are those in its
        files.
    workers : int
        Number of processes.

    Raises
    ------
    ArtifactError
        The manifest of a model can't be read.
    TooLargeError
        The server would need more of the free memory than one task may.
    """
    shared, of_each = (
        sum(parts)
        for parts in zip(*(estimate_memory(model, mapped) for model, mapped in models.items()), strict=True)
    )
    data = ModelManifest.read(next(iter(models))).data
    require_memory(
        shared + workers * (BYTES_PER_PROCESS + of_each),
        "A server" if workers == 1 else f"A server of {workers} workers",
        f"for {number_of(data.interactions, 'interaction')} of {number_of(data.movies, 'movie')}",
        "start fewer --workers" if workers > 1 else "",
    )
