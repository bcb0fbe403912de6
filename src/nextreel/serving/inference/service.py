"""What one server process serves: the current version of the model and, in an experiment, a challenger.

Another version is loaded completely before it replaces the old one, so that no request is dropped: running requests
finish with the version that they started with. If the version can't be loaded, nothing changes. All processes on one
model directory serve the same version, because each of them reads the directory every second.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np

from nextreel.data.ids import Id, encode_id
from nextreel.errors import ArtifactError, NextreelError, QueryError, StoreError
from nextreel.prediction.saving import load_mapped
from nextreel.serving.inference.ab_assignment import Experiment
from nextreel.serving.inference.clock_watch import ClockWatch
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest, RecommendationResult
from nextreel.serving.inference.movie_cards import is_same_movie, make_card
from nextreel.serving.storage.administration.audit_log import COMMAND_LINE, Act
from nextreel.serving.storage.administration.audited_promotions import (
    record_promotion,
    record_served_version,
)
from nextreel.serving.storage.data_lineage import UnrelatedDataError, require_lineage
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.people.model_copies import find_copies
from nextreel.serving.storage.people.user_export import UserExport
from nextreel.serving.storage.store import Impression, NewInteraction, Outcome, Store
from nextreel.serving.storage.stored_versions import StoredVersion

NOW_SECONDS = 60
"""A query at most this many seconds in the past is about now: its list counts as shown to the user, an impression."""

RETRY_SECONDS = 0.1
"""How long another attempt to complete an erasure waits for who still reads what was deleted: writers wait too."""

logger = logging.getLogger("nextreel")


@dataclass(frozen=True)
class Erasure:
    """What an erasure removed, and what it left."""

    removed: int
    """Number of ratings deleted."""
    complete: bool
    """Whether the database's files are free of the user; if not, upkeep tries again every second."""
    kept_in_versions: list[str]
    """Names of the versions of the model that hold the user's data, or that can't be read."""


class Service:
    """The engines of one process and the writes to its store; safe to share between threads."""

    def __init__(
        self, store: Store, versions: VersionDirectory, experiment: Experiment | None = None
    ) -> None:
        self.store, self.versions, self.experiment = store, versions, experiment
        self._swap_lock = Lock()
        self._engine = Engine.open(versions.current, store)
        self._challenger = (
            None
            if experiment is None
            else Engine.open(versions.find(experiment.version), store, sibling=self._engine)
        )
        self.clock = ClockWatch()
        self.clock.look(self._engine.follower.last_snapshot.latest_timestamp)
        self._pending_impressions: deque[Impression] = deque()
        self._last_load_error: str | None = None
        self._audited_version: str | None = None
        self._refused: dict[Path, UnrelatedDataError] = {}

    @property
    def engine(self) -> Engine:
        """The engine of the current version."""
        return self._engine

    @property
    def engines(self) -> list[Engine]:
        """The engine of the current version and, in an experiment, that of the challenger."""
        return [self._engine] if self._challenger is None else [self._engine, self._challenger]

    def engine_for(self, user_id: Id) -> Engine:
        """Return the engine that serves this user: always the same version during an experiment."""
        is_included = self.experiment is not None and self.experiment.includes(user_id)
        return self._challenger if is_included and self._challenger is not None else self._engine

    def recommend(
        self, requests: Sequence[RecommendationRequest]
    ) -> list[tuple[RecommendationResult, Engine]]:
        """Return the result of each request, in the same order, with the engine that served it.

        During an experiment, lists for a timestamp of about now (see NOW_SECONDS) are kept as impressions.

        Raises
        ------
        QueryError
            A filter names a genre that no movie has, or a guest's movie isn't in the catalog.
        StoreError
            The store can't be read.
        """
        engines = [self.engine_for(request.user_id) for request in requests]
        results: dict[int, RecommendationResult] = {}
        for engine in dict.fromkeys(engines):
            positions = [i for i, serving in enumerate(engines) if serving is engine]
            results.update(zip(positions, engine.recommend([requests[i] for i in positions]), strict=True))
        served = [(results[i], engine) for i, engine in enumerate(engines)]
        if self.experiment is not None:
            self._keep_impressions(served)
        return served

    def remember(self, rows: Sequence[NewInteraction], idempotency_key: str | None = None) -> list[Outcome]:
        """Store ratings, and return for each what became of it; they are durable on return.

        The same rows sent again with the same idempotency key within a day get the same outcomes again.

        Raises
        ------
        QueryError
            A movie isn't in the catalog. Nothing is stored then.
        IdempotencyError
            The key was used with other rows before, or for a user who was erased since. Nothing is stored then.
        ErasedMeanwhileError
            A user was erased while this waited for its turn to write. Nothing is stored then.
        StoreError
            The store can't be written.
        """
        last_erasure = self.store.last_erasure
        follower = self._engine.follower
        movie_ids = np.array([encode_id(row.movie_id) for row in rows], dtype=np.int64)
        catalog = follower.last_snapshot.catalog
        if catalog.deleted or (catalog.find(movie_ids) < 0).any():
            is_unknown = follower.catch_up().catalog.find_listed(movie_ids) < 0
            if is_unknown.any():
                unknown = rows[int(np.argmax(is_unknown))].movie_id
                raise QueryError(f"movie {unknown} isn't in the catalog: POST /v1/movies adds it")
        return self.store.add(rows, idempotency_key, last_erasure)

    def add_movie(self, movie_id: Id, title: str, genres: Sequence[str]) -> bool:
        """Add a movie, or restore a deleted one, which can be recommended at once; return False if it is there already.

        A deleted movie of the model's own catalog is restored only as it was: for another title or other genres, this
        returns False too, and the movie stays deleted.

        Raises StoreError if the store can't be read or written.
        """
        card = make_card(movie_id, title, genres)  # parsed before anything is stored
        follower = self._engine.follower
        catalog = follower.catch_up().catalog
        code = encode_id(movie_id)
        index = int(catalog.find(np.array([code]))[0])
        if index >= 0 and code not in catalog.deleted:
            return False
        if 0 <= index < catalog.n_learned:
            is_new = is_same_movie(card, catalog.cards[index]) and self.store.restore_movie(movie_id)
        else:
            is_new = self.store.add_movie(movie_id, title, genres)
        follower.catch_up()
        return is_new

    def delete_movie(self, movie_id: Id, by: str = COMMAND_LINE) -> bool:
        """Delete a movie, also one of the model's own; return False if the catalog never had it. Its ratings stay.

        No list or search of any server process on the store has the movie from then on. Deleting it again changes
        nothing. Raises StoreError if the store can't be read or written.
        """
        follower = self._engine.follower
        catalog = follower.catch_up().catalog
        code = encode_id(movie_id)
        if catalog.find(np.array([code]))[0] < 0 and code not in catalog.deleted:
            return False
        self.store.delete_movie(movie_id, by)
        follower.catch_up()
        return True

    def export(self, user_id: Id) -> UserExport:
        """Return everything that the store holds about a user, ready for JSON.

        Raises StoreError if the store can't be read.
        """
        return self.store.export_user(user_id)

    def erase(self, user_id: Id, by: str = COMMAND_LINE) -> Erasure:
        """Erase a user from the store, its files and memory, and return what was removed and what is left.

        Raises StoreError if the store can't be written.
        """
        n_removed = self.store.erase_user(user_id, by)
        for engine in self.engines:
            engine.forget_erased()
        self.store_impressions()  # without the user's
        try:
            is_complete = self.store.remove_remains()
        except StoreError as error:
            logger.warning("an erasure isn't complete; it is tried again", extra={"error": str(error)})
            is_complete = False
        return Erasure(n_removed, is_complete, self._find_copies(encode_id(user_id)))

    def _find_copies(self, code: int) -> list[str]:
        try:
            return find_copies(self.versions, code)
        except ArtifactError:  # versions that can't be listed can't be ruled out
            return [engine.version.name for engine in self.engines]

    def refresh(self) -> StoredVersion:
        """Serve the version that the model directory names as the current one, and return it.

        Raises ArtifactError if it can't be loaded; the old version is still served then.
        """
        with self._swap_lock:
            current = self.versions.current
            if current.name != self._engine.version.name:
                self._require_lineage(current)
                self._engine = Engine.open(current, self.store, sibling=self._engine)
                logger.info("serving another version", extra={"version": current.name})
            return self._engine.version

    def promote(self, version: str, by: str = COMMAND_LINE) -> StoredVersion:
        """Make a version the current one, serve it, and return it; the audit log says `by` whom.

        Raises QueryError for an unknown version, ArtifactError for one that is damaged or of other data.
        """
        self._require_lineage(self.versions.find(version))
        self.versions.promote(version, partial(record_promotion, self.store, Act.VERSION_PROMOTED, by))
        return self.refresh()

    def rollback(self, by: str = COMMAND_LINE) -> StoredVersion:
        """Make the previous version current again, serve it, and return it; the audit log says `by` whom.

        Raises QueryError if there was none.
        """
        self.versions.rollback(partial(record_promotion, self.store, Act.VERSION_ROLLED_BACK, by))
        return self.refresh()

    def maintain(self) -> None:
        """Do what is due every second: follow the model directory, merge recent interactions, store impressions.

        This also looks at the clock, and raises StoreError if the store can't be used any more.
        """
        self.clock.look(self._engine.follower.last_snapshot.latest_timestamp)
        try:
            self.refresh()
            self._last_load_error = None
        except NextreelError as error:
            if str(error) != self._last_load_error:  # logged once, not every second
                self._last_load_error = str(error)
                logger.error(
                    "the current version can't be served; the old one stays", extra={"error": str(error)}
                )
        for engine in self.engines:
            engine.forget_erased()
            engine.follower.merge_if_due()
        self.store_impressions()
        self._audit_version()
        self.store.remove_remains(RETRY_SECONDS)

    def store_impressions(self) -> None:
        """Store the impressions kept since the last call; if the store can't be written, the next call tries again."""
        pending = [self._pending_impressions.popleft() for _ in range(len(self._pending_impressions))]
        try:
            self.store.keep_impressions(pending)
        except StoreError:
            self._pending_impressions.extendleft(reversed(pending))

    def _audit_version(self) -> None:
        """Log the version that is served, if it was made the current one on the command line."""
        version = self._engine.version.name
        if version == self._audited_version:
            return

        def record() -> None:
            record_served_version(self.store, version, self.versions.promoted_at)
            self._audited_version = version

        self.versions.call_if_current(version, record)

    def _require_lineage(self, version: StoredVersion) -> None:
        """Raise UnrelatedDataError for a version of other data; one that was refused once isn't loaded again."""
        if version.path not in self._refused:
            try:
                require_lineage(self.store, version.path, lambda: load_mapped(version.path)[0].dataset)
                return
            except UnrelatedDataError as error:
                self._refused[version.path] = error
        raise self._refused[version.path]

    def _keep_impressions(self, served: Sequence[tuple[RecommendationResult, Engine]]) -> None:
        now = int(time.time())
        self._pending_impressions.extend(
            Impression(
                encode_id(result.request.user_id),
                now,  # not the query's timestamp: only what the user does after seeing the list can be its effect
                engine.version.name,
                [encode_id(movie["movie_id"]) for movie in result.movies],
                result.last_erasure,
            )
            for result, engine in served
            if result.request.history is None and now - NOW_SECONDS <= result.request.timestamp <= now + 1
        )
