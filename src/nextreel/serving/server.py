"""Starting a server: the import into an empty store, the listening socket, and the worker processes."""

import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uvicorn import Config, Server

from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_ids
from nextreel.data.reading.table_reader import read_dataset, read_tables
from nextreel.errors import ConfigError, DataError, StoreError
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saving import load_mapped
from nextreel.serving.app import Settings, create_app
from nextreel.serving.http.connections.bounded_protocol import BoundedProtocol
from nextreel.serving.http.prometheus_metrics import MULTIPROCESS
from nextreel.serving.http.request_limits import HEALTH_CHECKS
from nextreel.serving.http.request_log import describe_logging
from nextreel.serving.memory_need import require_memory_to_serve
from nextreel.serving.storage.data_lineage import Overlap, find_difference, require_lineage
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from nextreel.serving.worker_supervisor import WorkerSupervisor

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

GRACE_SECONDS = 30
"""Time that running requests have to finish after the server was told to stop."""
BACKLOG = 2048
"""Number of connections that may wait to be accepted."""
ALMOST_ALL = 0.99
"""Share of the model's ratings in the store from which on nothing is said of the others, such as erased users'."""
SPARE_FILES = 500
"""Files that a process may need to open beside its connections, such as those of the store and the model."""
START_SECONDS = 120
"""Time that a worker has to load the model and the store before it counts as dead."""


@dataclass(frozen=True)
class PreparedStore:
    """What the start of a server did with its store."""

    imported: int
    """Number of interactions imported."""
    notes: tuple[str, ...] = ()
    """What whoever started the server should know of the store, in sentences."""


def prepare_store(
    settings: Settings,
    data: Path | None,
    on_progress: Callable[[int, int], None],
    on_stage: Callable[[str], None] = lambda stage: None,
    workers: int = 1,
) -> PreparedStore:
    """Import a data set into the store if it is empty, or check that what the store holds belongs to the model.

    `on_progress` gets the number of rows imported and that of all rows, and `on_stage` what is done. The data set is
    the one that the model was fitted on or, if given, that of the directory `data`, whose movies that the model doesn't
    know are added to the catalog.

    Raises
    ------
    ArtifactError
        There is no current version of the model, it is damaged, or it was fitted on other data than the store holds.
    QueryError
        The version of the experiment doesn't exist.
    StoreError
        The store can't be read or written.
    TooLargeError
        So many workers would need more memory than there is.
    DataError
        The directory `data` holds no valid data set, or another one than the store was filled from.
    """
    versions = VersionDirectory.open(settings.model_directory)
    version = versions.current
    served = [version.path]
    if settings.experiment is not None:
        served.append(versions.find(settings.experiment.version).path)
    with Store.open(settings.store_url) as store:
        is_empty = store.is_empty
        will_be_imported = is_empty and data is None
        require_memory_to_serve(
            {model: will_be_imported or _is_mapped(model, store) for model in served}, workers
        )
        if is_empty:
            on_stage("loading the model")
            learned = load_mapped(version.path)[0].dataset
            if data is not None:
                on_stage("reading the data")
            dataset = learned if data is None else _read_extended(data, learned, store)
            on_stage("")
            is_empty = _import(dataset, store, on_progress, learned)
        if is_empty:
            imported, notes = len(dataset.timeline), []
        else:
            imported, notes = 0, [] if data is None else _recognise(data, store, version.path)
        for model in served:
            notes += _check_lineage(store, model)
        if store.warning:
            notes.append(f"Note: {store.warning}")
    return PreparedStore(imported, tuple(notes))


def _import(
    dataset: Dataset, store: Store, on_progress: Callable[[int, int], None], learned: Dataset
) -> bool:
    """Import a data set into the empty store; return False if another server on the store was quicker."""
    try:
        store.import_dataset(dataset, on_progress, learned.fingerprint)
    except StoreError:
        if store.is_empty:
            raise
        return False
    return True


def _is_mapped(model: Path, store: Store) -> bool:
    """Return whether all workers will share the interactions, from the files of a saved model."""
    noted = store.rows_of(ModelManifest.read(model).data.sha256)
    return noted is not None and noted[1] == store.last_erasure


def _recognise(directory: Path, store: Store, model: Path) -> list[str]:
    """Check that a store was filled from this data directory or an earlier state of it, and return what to say of it.

    A directory that is gone can't contradict. Raises DataError for a directory of other data.
    """
    note = f"{store.url} has data already: --data {directory} was not imported again."
    if not directory.exists():
        return [note]
    dataset = read_dataset(directory)
    if dataset.fingerprint == store.imported:
        store.remember_data(ModelManifest.read(model).data.sha256)
        return []
    if not Overlap.measure(dataset, store).is_most:
        raise DataError(
            f"--data {directory} holds other data than {store.url}: name another store, such "
            f"as --store sqlite:///{directory.absolute().name}.db, or leave out --data"
        )
    return [note]


def _check_lineage(store: Store, model: Path) -> list[str]:
    """Check that a model belongs to the store, and return what to say of ratings that the store lacks."""
    overlap = require_lineage(store, model, lambda: load_mapped(model)[0].dataset)
    if overlap is None or overlap.of_dataset >= ALMOST_ALL:
        return []
    return [
        f"About {1 - overlap.of_dataset:.0%} of the ratings that {model} was fitted on aren't in {store.url}, so "
        "histories lack them: send them to /v1/interactions/batch, or name a new --store, which imports them."
    ]


def _read_extended(directory: Path, learned: Dataset, store: Store) -> Dataset:
    """Read a data set, and add the movies that the model hasn't learned to the store.

    Raises DataError for a data set of another kind than that of the model.
    """
    tables = read_tables(directory)
    if difference := find_difference(tables.format, learned.format):
        raise DataError(f"--data {directory} {difference[0]}, but the data of the model {difference[1]}")
    dataset = Dataset.from_tables(tables)
    if tables.movies is not None:
        new = tables.movies.filter(learned.index_of_movies(encode_ids(tables.movies["MovieID"])) < 0)
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


class SingleServer(Server):
    """uvicorn's server, which says that it serves once it reacts to signals.

    An earlier signal is a KeyboardInterrupt wherever Python happens to be. Where that is in the finalizer of an object,
    Python ignores it, and the server would go on.
    """

    def __init__(self, config: Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the server serves, and begin to accept connections."""
        self._announce()
        await super().startup(sockets)


def run(settings: Settings, listener: socket.socket, announce: Callable[[], None], workers: int = 1) -> None:
    """Serve until a signal stops the server; running requests are finished first.

    `announce` is called when a signal would be heeded, and connections to the listener are answered soon.
    """
    _allow_open_files(settings.limits.connections + SPARE_FILES)
    config = Config(
        partial(create_app, settings),
        factory=True,
        workers=workers,
        http=partial(  # type: ignore[arg-type]
            BoundedProtocol, limits=settings.limits, health_paths=_list_health_paths(settings.root_path)
        ),
        ws="none",
        access_log=False,
        proxy_headers=False,  # `ForwardedHeaders` reads them, from proxies that are named as trusted
        server_header=False,
        log_config=describe_logging(),
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )
    if workers == 1:
        SingleServer(config, announce).run([listener])
        return
    with tempfile.TemporaryDirectory(prefix="nextreel-metrics-") as directory:
        os.environ[MULTIPROCESS] = directory
        WorkerSupervisor(config, [listener], announce).run()


def _list_health_paths(root_path: str) -> frozenset[bytes]:
    """Return the paths of health checks as clients send them, with the sub-path or, after a proxy, without."""
    return frozenset(f"{root}{path}".encode() for root in ("", root_path) for path in HEALTH_CHECKS)


def _allow_open_files(number: int) -> None:
    """Raise the number of files, and so of connections, that a process may open, as far as the system lets it."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
