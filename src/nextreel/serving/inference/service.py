"""The models that answer now: the current version, a challenger beside it if there is one, and the swap to another.

A swap loads the new version beside the old one and then exchanges a reference, so that no request is dropped: those
that run end with the version they began with. What can't be loaded changes nothing. Processes on one model directory
agree because each looks at it every second.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from threading import Lock

from nextreel.errors import ArtifactError, StoreError
from nextreel.serving.inference.ab_assignment import Experiment
from nextreel.serving.inference.engine import Engine, RecommendationRequest, RecommendationResult
from nextreel.serving.storage.model_versions import StoredVersion, VersionDirectory
from nextreel.serving.storage.store import Impression, Store

NOW_SECONDS = 60
"""A query no further in the past than this is about now: its answer counts in an experiment."""

logger = logging.getLogger("nextreel")


class Service:
    """What one process serves; safe to share by threads."""

    def __init__(
        self, store: Store, versions: VersionDirectory, experiment: Experiment | None = None
    ) -> None:
        self.store, self.versions, self.experiment = store, versions, experiment
        self._swap = Lock()
        self._engine = Engine.open(versions.current, store)
        self._challenger = (
            None
            if experiment is None
            else Engine.open(versions.find(experiment.version), store, beside=self._engine)
        )
        self._given: deque[Impression] = deque()
        self._refused: str | None = None

    @property
    def engine(self) -> Engine:
        """Of the current version."""
        return self._engine

    @property
    def engines(self) -> list[Engine]:
        """The current version's and, in an experiment, the challenger's."""
        return [self._engine] if self._challenger is None else [self._engine, self._challenger]

    def engine_for(self, user_id: int) -> Engine:
        """Who answers this user: always the same version, as long as the experiment lasts."""
        challenged = self.experiment is not None and self.experiment.includes(user_id)
        return self._challenger if challenged and self._challenger is not None else self._engine

    def recommend(
        self, requests: Sequence[RecommendationRequest]
    ) -> list[tuple[RecommendationResult, Engine]]:
        """Answers in the order of the requests, each with the engine that gave it."""
        chosen = [self.engine_for(each.user_id) for each in requests]
        answers: dict[int, RecommendationResult] = {}
        for engine in dict.fromkeys(chosen):
            own = [i for i, each in enumerate(chosen) if each is engine]
            answers.update(zip(own, engine.recommend([requests[i] for i in own]), strict=True))
        given = [(answers[i], engine) for i, engine in enumerate(chosen)]
        if self.experiment is not None:
            self._note(given)
        return given

    def refresh(self) -> StoredVersion:
        """Serve what the model directory calls current; ArtifactError if it can't be loaded, and the old one stays."""
        with self._swap:
            current = self.versions.current
            if current.name != self._engine.version.name:
                self._engine = Engine.open(current, self.store, beside=self._engine)
                logger.info("serving another version", extra={"version": current.name})
            return self._engine.version

    def promote(self, version: str) -> StoredVersion:
        """Make a version current and serve it; QueryError for an unknown one, ArtifactError for a damaged one."""
        self.versions.promote(version)
        return self.refresh()

    def rollback(self) -> StoredVersion:
        """Go back to the version that was current before; QueryError if there is none."""
        self.versions.rollback()
        return self.refresh()

    def erase(self, user_id: int) -> int:
        """Forget a person everywhere; the number of ratings removed."""
        removed = self._engine.erase(user_id)
        kept = [given for given in self._given if given.user_id != user_id]
        self._given.clear()
        self._given.extend(kept)
        return removed

    def tend(self) -> None:
        """What is done every second: look at the model directory, fold the log, store an experiment's answers."""
        try:
            self.refresh()
            self._refused = None
        except ArtifactError as error:
            if str(error) != self._refused:  # once, not every second
                self._refused = str(error)
                logger.error(
                    "the current version can't be served; the old one stays", extra={"error": str(error)}
                )
        for engine in self.engines:
            engine.log.fold_if_due()
        self.store_given()

    def store_given(self) -> None:
        """Store the answers given in an experiment since the last time; they wait while the store is away."""
        given = [self._given.popleft() for _ in range(len(self._given))]
        try:
            self.store.keep_impressions(given)
        except StoreError:
            self._given.extendleft(reversed(given))

    def _note(self, answers: Sequence[tuple[RecommendationResult, Engine]]) -> None:
        now = int(time.time())
        self._given.extend(
            Impression(
                answer.request.user_id,
                now,  # when it was shown, not the moment asked about: only what comes later can follow from it
                engine.version.name,
                [movie["movie_id"] for movie in answer.movies],
            )
            for answer, engine in answers
            if answer.request.history is None and now - NOW_SECONDS <= answer.request.timestamp <= now + 1
        )
