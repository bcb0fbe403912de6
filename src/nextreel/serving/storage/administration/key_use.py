"""How much API keys are used in all processes on a store, so that the processes can limit their rates together."""

from collections.abc import Mapping

import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import key_use
from nextreel.serving.storage.store import Store

ADD = sa.text(
    f"INSERT INTO {key_use.name} (key_id, tokens) VALUES (:key_id, :tokens) "  # nosec B608 # a table of ours
    f"ON CONFLICT (key_id) DO UPDATE SET tokens = {key_use.name}.tokens + excluded.tokens"
)


def exchange_use(store: Store, taken: Mapping[str, float]) -> dict[str, float]:
    """Add the tokens that this process has taken since the last call, and return all that were ever taken, by key.

    Raises StoreError if the store can't be read or written; nothing was added then.
    """
    if taken:
        with store.writing() as connection:
            connection.execute(ADD, [{"key_id": key, "tokens": tokens} for key, tokens in taken.items()])
    with store.reading() as connection:
        return {row.key_id: row.tokens for row in connection.execute(sa.select(key_use))}
