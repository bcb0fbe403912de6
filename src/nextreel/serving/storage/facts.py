"""The facts of a store: texts by name, for whatever there is only one of. `sql_tables` lists the names."""

import sqlalchemy as sa

from nextreel.serving.storage.sql_tables import facts


def read_fact(connection: sa.Connection, name: str) -> str | None:
    """Return a fact, None if there is none of this name."""
    return connection.execute(sa.select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()


def list_facts(connection: sa.Connection, prefix: str) -> list[str]:
    """Return the names of all facts that begin with a prefix."""
    query = sa.select(facts.c.name).where(facts.c.name.startswith(prefix, autoescape=True))
    return list(connection.execute(query).scalars())


def write_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Write a fact in place of the one of this name."""
    connection.execute(sa.delete(facts).where(facts.c.name == name))
    connection.execute(sa.insert(facts), {"name": name, "value": value})
