"""Promotions in the log of administrative acts: those through a server, and those that a server notices later.

The commands change the directory of versions without the store, so the server that serves the version logs it.
"""

from nextreel.serving.storage.administration.audit_log import COMMAND_LINE, Act, read_acts, record_act
from nextreel.serving.storage.store import Store


def record_promotion(store: Store, act: Act, by: str, version: str) -> None:
    """Log that a version is being promoted, or rolled back to."""
    with store.writing() as connection:
        record_act(connection, act, by, version)


def record_served_version(store: Store, version: str, since: int) -> None:
    """Log a promotion that nobody did through a server, unless another process of the server has logged it.

    `since` is when the version became the current one, POSIX seconds.
    """
    with store.writing() as connection:
        last = read_acts(connection, 1, acts=(Act.VERSION_PROMOTED, Act.VERSION_ROLLED_BACK))
        if not last or last[0].subject != version:
            record_act(connection, Act.VERSION_PROMOTED, COMMAND_LINE, version, since)
