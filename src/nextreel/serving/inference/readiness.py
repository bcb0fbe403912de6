"""Whether a server process can recommend: shown by recommending, since a process that only says so proves nothing."""

import logging
import time
from dataclasses import dataclass, field
from threading import Lock

from nextreel.data.times import end_of_this_second
from nextreel.errors import NextreelError, NotReadyError
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.inference.snapshot import Snapshot
from nextreel.stopping import StoppedError

KEPT_SECONDS = 1.0
"""Time for which a proof holds if the data stay as they are."""
NEWCOMER = 2**63 - 2
"""UserID of a person whom no store knows, or the code of a text id."""

logger = logging.getLogger("nextreel")


@dataclass
class Readiness:
    """Checks that every engine of a service recommends; safe to share between threads."""

    service: Service
    _lock: Lock = field(default_factory=Lock)
    _proven: tuple[list[Engine], Snapshot, float] | None = None
    """The engines and the snapshot of the last proof, and its time by the monotonic clock."""
    _last_problem: str | None = None

    def check(self) -> int:
        """Recommend to a user and to a newcomer, unless that was done just now, and return the lag of the store.

        Raises
        ------
        StoreError
            The store can't be read.
        NotReadyError
            The store can be read, but there is no list.
        """
        follower = self.service.engine.follower
        lag = follower.lag()
        with self._lock:
            engines, snapshot = self.service.engines, follower.catch_up()
            if self._proven is not None:
                proven_engines, proven_snapshot, proven_at = self._proven
                is_same = proven_engines == engines and proven_snapshot is snapshot
                if is_same and time.monotonic() - proven_at < KEPT_SECONDS:
                    return lag
            self._proven = None
            for engine in engines:
                self._require_lists(engine)
            self._proven = engines, snapshot, time.monotonic()
            self._last_problem = None
        return lag

    def _require_lists(self, engine: Engine) -> None:
        try:
            users = [*engine.follower.catch_up().base.timeline.user_ids[:1].tolist(), NEWCOMER]
            now = end_of_this_second()
            results = engine.recommend(
                [RecommendationRequest(user, now, k=1, exclude_seen=False) for user in users]
            )
            n_movies = sum(len(result.movies) for result in results)
        except (NextreelError, StoppedError):
            raise
        except Exception as error:
            self._note(f"recommending fails with {type(error).__name__}", has_traceback=True)
            raise NotReadyError(self._last_problem) from error
        if not n_movies and len(engine.follower.last_snapshot.catalog.listed):
            self._note("lists are empty", has_traceback=False)
            raise NotReadyError(self._last_problem)

    def _note(self, problem: str, has_traceback: bool) -> None:
        """Log a problem, once until it is over or another comes."""
        if problem != self._last_problem:
            self._last_problem = problem
            logger.error("not ready: %s", problem, exc_info=has_traceback)
