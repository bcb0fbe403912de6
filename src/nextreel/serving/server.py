"""From a model and a store to a server that listens: the import at the first start, the socket, the processes."""

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
from nextreel.serving.http.slow_clients import PatientProtocol
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

GRACE_SECONDS = 30
"""How long requests that run may take to end after the server was told to stop."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""
KEPT_SECONDS = 30
"""How long a connection stays open for another request."""
START_SECONDS = 120
"""How long a worker may take to load the model and the store, and still count as alive."""


def prepare_store(settings: Settings, data: Path | None, on_progress: Callable[[int, int], None]) -> int:
    """Import a data set into an empty store; the number of interactions imported, 0 where it had some.

    The data set is the model's own, or that of the directory `data`, whose further movies join the catalog. Raises
    what keeps a server from starting: ArtifactError, StoreError, QueryError for an experiment's missing version.
    """
    versions = VersionDirectory.open(settings.model_directory)
    version = versions.current
    if settings.experiment is not None:
        versions.find(settings.experiment.version)
    with Store.open(settings.store_url) as store:
        if not store.is_empty:
            return 0
        learned = load(version.path).dataset
        dataset = learned if data is None else _read_fuller(data, learned, store)
        store.import_dataset(dataset, on_progress)
        return len(dataset.timeline)


def _read_fuller(directory: Path, learned: Dataset, store: Store) -> Dataset:
    tables = read_tables(directory)
    dataset = Dataset.from_frames(tables.interactions, tables.movies, tables.users)
    if tables.movies is not None:
        new = tables.movies.filter(learned.index_of_movies(tables.movies["MovieID"].to_numpy()) < 0)
        for movie_id, title, genres in new.select("MovieID", "Title", "Genres").iter_rows():
            store.add_movie(movie_id, title or "", (genres or "").split("|"))
    return dataset


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, so that who connects from now on waits; port 0 takes any free one.

    ConfigError if the address can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise ConfigError(f"can't listen on {host}, port {port}: {error.strerror or error}") from error
    bound.set_inheritable(True)
    return bound


def run(settings: Settings, bound: socket.socket, workers: int = 1) -> None:
    """Serve until told to stop by a signal; requests that run are finished."""
    config = Config(
        partial(create_app, settings),
        factory=True,
        workers=workers,
        http=partial(PatientProtocol, limits=settings.limits),  # type: ignore[arg-type]
        ws="none",
        access_log=False,
        server_header=False,
        log_config=describe_logging(),
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    if workers == 1:
        Server(config).run([bound])
        return
    with tempfile.TemporaryDirectory(prefix="nextreel-metrics-") as shared:
        os.environ[MULTIPROCESS] = shared
        Multiprocess(config, [bound]).run()
