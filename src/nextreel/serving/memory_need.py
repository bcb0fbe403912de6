"""How much memory a server will need, estimated from the size of its model before anything is loaded."""

from pathlib import Path

from nextreel.machine import require_memory
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saved_dataset import INTERACTIONS_FILE, ORDER_FILE
from nextreel.prediction.saving import MODEL_FILE
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


def estimate_memory(model: Path, workers: int, is_mapped: bool) -> int:
    """Return about how many bytes a server will need; parameters and errors as for `require_memory_to_serve`."""
    manifest = ModelManifest.read(model)
    mapped = sum(file.stat().st_size for name in MAPPED_FILES if (file := model / name).is_file())
    bytes_per_row = BYTES_PER_LIKE if is_mapped else BYTES_PER_READ_ROW
    rows, movies = manifest.data.interactions, manifest.data.movies
    return mapped + workers * (BYTES_PER_PROCESS + BYTES_PER_MOVIE * movies + bytes_per_row * rows)


def require_memory_to_serve(model: Path, workers: int, is_mapped: bool) -> None:
    """Do nothing if there is memory enough to serve a saved model.

    Parameters
    ----------
    model : Path
        Directory of the saved model.
    workers : int
        Number of processes.
    is_mapped : bool
        Whether the store's interactions are those in the files of the model, which all processes share.

    Raises
    ------
    ArtifactError
        The model's manifest can't be read.
    TooLargeError
        The server would need more of the free memory than one task may.
    """
    data = ModelManifest.read(model).data
    require_memory(
        estimate_memory(model, workers, is_mapped),
        "A server" if workers == 1 else f"A server of {workers} workers",
        f"for {number_of(data.interactions, 'interaction')} of {number_of(data.movies, 'movie')}",
        "start fewer --workers" if workers > 1 else "",
    )
