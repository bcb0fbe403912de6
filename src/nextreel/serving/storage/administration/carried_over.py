"""What a restore leaves as it is in the store that it replaces: its keys, and the log of administrative acts.

A backup knows a key that was revoked since only as a valid one. It mustn't open the store again, nor may what was done
since be forgotten.
"""

import sqlalchemy as sa

from nextreel.serving.storage.administration.audit_log import COMMAND_LINE, Act, record_act
from nextreel.serving.storage.sql_tables import api_keys, audit_log


def carry_over(live: sa.Connection, restored: sa.Connection) -> None:
    """Give a restored store the keys and the log of the store that it replaces, which may be of an earlier nextreel."""
    inspector = sa.inspect(live)
    kept: dict[sa.Table, list[dict[str, object]]] = {}
    for table in (api_keys, audit_log):
        if inspector.has_table(table.name):
            present = {column["name"] for column in inspector.get_columns(table.name)}
            columns = [column for column in table.c if column.name in present]
            kept[table] = [dict(row) for row in live.execute(sa.select(*columns)).mappings()]
    for table, rows in kept.items():  # only now, since the live store may turn out to be damaged
        restored.execute(sa.delete(table))
        if rows:
            restored.execute(sa.insert(table), rows)


def record_restore(restored: sa.Connection, backup: str) -> None:
    """Log that a store was restored from a backup."""
    record_act(restored, Act.STORE_RESTORED, COMMAND_LINE, backup)
