"""Noticing that the clock of the server is wrong: queries about now are then about another time."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from nextreel.data.times import DAY, format_duration, format_timestamp

EARLIEST = 1_767_225_600
"""2026-01-01 UTC: no release of nextreel with this check is older."""
TOLERATED_SECONDS = 60
"""A step back of the clock by at most this many seconds is a usual correction."""

logger = logging.getLogger("nextreel")


@dataclass
class ClockWatch:
    """Compares the clock with what can't be later than now, and with a clock that never steps back."""

    clock: Callable[[], float] = time.time
    """Function that returns the time in POSIX seconds."""
    steady_clock: Callable[[], float] = time.monotonic
    """Function that returns seconds since any moment, and never steps back."""
    problem: str | None = None
    """What is wrong with the clock, in one sentence; None if nothing is."""
    _offset: float | None = None
    """Difference of both clocks at the last look."""

    def look(self, latest_rating: int | None) -> None:
        """Look at the clock, and log a warning when something is wrong with it, or something else than before.

        `latest_rating` is the time of the latest stored rating in POSIX seconds, None without one.
        """
        self._notice_step_back()
        problem = self._find_problem(latest_rating)
        if problem is not None and (self.problem is None or _kind(problem) != _kind(self.problem)):
            logger.warning("the clock of this server is wrong: %s", problem)
        elif problem is None and self.problem is not None:
            logger.info("the clock of this server is right again")
        self.problem = problem

    def _find_problem(self, latest_rating: int | None) -> str | None:
        now = self.clock()
        says = f"it says {format_timestamp(int(now))}" if now >= 0 else "it says a time before 1970"
        if now < EARLIEST:
            return f"{says}, before this release of nextreel was made"
        if latest_rating is not None and now + DAY < latest_rating:
            return (
                f"{says}, more than a day before the latest stored rating, {format_timestamp(latest_rating)}"
            )
        return None

    def _notice_step_back(self) -> None:
        offset = self.clock() - self.steady_clock()
        step_back = 0.0 if self._offset is None else self._offset - offset
        self._offset = offset
        if step_back > TOLERATED_SECONDS:
            logger.warning("the clock of this server was set back by %s", format_duration(int(step_back)))


def _kind(problem: str) -> str:
    """Return a problem without the times in it, which change every second."""
    return "".join(character for character in problem if not character.isdigit())
