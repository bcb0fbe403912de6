"""Stopping a computation that nobody waits for any more.

Python can't end a thread from outside. Long computations therefore ask between two steps whether their result is still
wanted: the server says no once a request has run out of time. Outside of `stoppable` the answer is always yes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_stop: ContextVar[Event | None] = ContextVar("stop", default=None)


class StoppedError(Exception):
    """Ends a computation whose result nobody waits for; nobody sees it either."""


@contextmanager
def stoppable(stop: Event) -> Iterator[None]:
    """Let the computation of this block be stopped by setting an event in another thread."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


def stop_if_unwanted() -> None:
    """Raise StoppedError if nobody waits for the result of this computation any more; call it between two steps."""
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise StoppedError
