"""Starting a server: the import into an empty store, the listening socket, and the worker processes."""

import os
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.errors import ConfigError
from nextreel.prediction.saving import load
from nextreel.serving.app import Settings, create_app
from nextreel.serving.http.prometheus_metrics import MULTIPROCESS
from nextreel.serving.http.request_log import describe_logging
from nextreel.serving.http.slow_clients import TimedProtocol
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

GRACE_SECONDS = 30
"""Time that running requests have to finish after the server was told to stop."""
BACKLOG = 2048
"""Number of connections that may wait to be accepted."""
KEEP_ALIVE_SECONDS = 30
"""Time that an idle connection stays open for another request."""
START_SECONDS = 120
"""Time that a worker has to load the model and the store before it counts as dead."""


def prepare_store(settings: Settings, data: Path | None, on_progress: Callable[[int, int], None]) -> int:
    """Import a data set into the store if it is empty, and return the number of interactions imported.

    The data set is the one that the model was fitted on or, if given, that of the directory `data`, whose movies that
    the model doesn't know are added to the catalog.

    Raises
    ------
    ArtifactError
        There is no current version of the model, or it is damaged.
    QueryError
        The version of the experiment doesn't exist.
    StoreError
        The store can't be read or written.
    DataError
        The directory `data` holds no valid data set.
    """
    versions = VersionDirectory.open(settings.model_directory)
    version = versions.current
    if settings.experiment is not None:
        versions.find(settings.experiment.version)
    with Store.open(settings.store_url) as store:
        if not store.is_empty:
            return 0
        learned = load(version.path).dataset
        dataset = learned if data is None else _read_extended(data, learned, store)
        store.import_dataset(dataset, on_progress)
        return len(dataset.timeline)


def _read_extended(directory: Path, learned: Dataset, store: Store) -> Dataset:
    """Read a data set, and add the movies that the model hasn't learned to the store."""
    tables = read_tables(directory)
    dataset = Dataset.from_tables(tables)
    if tables.movies is not None:
        new = tables.movies.filter(learned.index_of_movies(tables.movies["MovieID"].to_numpy()) < 0)
        for movie_id, title, genres in new.select("MovieID", "Title", "Genres").iter_rows():
            store.add_movie(movie_id, title or "", (genres or "").split("|"))
    return dataset


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free port. Connections wait until the server runs.

    Raises
    ------
    ConfigError
        The address can't be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"can't listen on {host}, port {port}: {error.strerror or error}") from error
    listener.set_inheritable(True)
    return listener


def run(settings: Settings, listener: socket.socket, workers: int = 1) -> None:
    """Serve until a signal stops the server; running requests are finished first."""
    config = Config(
        partial(create_app, settings),
        factory=True,
        workers=workers,
        http=partial(TimedProtocol, limits=settings.limits),  # type: ignore[arg-type]
        ws="none",
        access_log=False,
        server_header=False,
        log_config=describe_logging(),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    if workers == 1:
        Server(config).run([listener])
        return
    with tempfile.TemporaryDirectory(prefix="nextreel-metrics-") as directory:
        os.environ[MULTIPROCESS] = directory
        Multiprocess(config, [listener]).run()
