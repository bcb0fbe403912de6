"""The tables of the store. Ids grow in the order in which rows became visible, and are never reused."""

from typing import Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
)

NUMBERS_FORMAT: Final = 1
"""Version of the schema in a store of numeric ids and stars, which every nextreel can serve."""
FORMAT: Final = 2
"""Version of the schema in a store of text ids, another scale or no ratings; a store with a higher one is refused."""

metadata = MetaData()


def _growing_id() -> "Column[int]":
    # SQLite generates ids only in a column that is declared INTEGER PRIMARY KEY. Without AUTOINCREMENT (set on each
    # table below) it would give the id of an erased last row to the next row, which a reader of all ids above the
    # last one that it has seen would miss.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)


facts = Table(
    "facts", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False)
)
"""`format`: version of the schema. `identity`: a random text that tells the store from every other. `dataset`:
fingerprint of the data set that was imported. `data FINGERPRINT`: a data set whose models this store has served.
`rows FINGERPRINT`: ids of the last row and of the last erasure in a data set that holds the store as it was then, and
the timestamp before which its rows are, if it leaves out later ones.
`data_format`: the kinds of ids and the scale of the ratings, as JSON; a store without it has numeric ids and stars.
`erasure_secret`: key of the hidden ids. `to rewrite`, `to flush`: id of the last erasure whose remains the database's
files may still hold. `backup of`: in a backup, the file that it is of."""

id_texts = Table(
    "id_texts",
    metadata,
    Column("entity", String, primary_key=True),
    Column("code", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
)
"""The text of each text id by its code, for users ("user") and movies ("movie"); all other tables hold the codes."""

interactions = Table(
    "interactions",
    metadata,
    _growing_id(),
    Column("user_id", BigInteger, nullable=False),
    Column("movie_id", BigInteger, nullable=False),
    Column("rating", REAL, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Log of the interactions; rows are only appended, or deleted when a user is erased.

There is no unique key, because an imported file may hold the same event twice and is kept as it is. Interactions that
are added later are compared with the stored ones, by one writer at a time.
"""
Index("interactions_by_user", interactions.c.user_id, interactions.c.timestamp, interactions.c.id)

movies = Table(
    "movies",
    metadata,
    Column("movie_id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("genres", Text, nullable=False),
)
"""Movies added to the catalog; the genres are joined as in movies.csv, "Comedy|Drama"."""

movie_changes = Table(
    "movie_changes",
    metadata,
    _growing_id(),
    Column("movie_id", BigInteger, nullable=False, index=True),
    Column("deleted", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
"""Log of the movies that were deleted and restored; the last row of a movie decides."""

replies = Table(
    "replies",
    metadata,
    Column("idempotency_key", Text, primary_key=True),
    Column("body_sha256", String, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("created", BigInteger, nullable=False, index=True),
)
"""Outcomes (a JSON list) of each request that had an Idempotency-Key."""

reply_users = Table(
    "reply_users",
    metadata,
    Column(
        "idempotency_key",
        ForeignKey("replies.idempotency_key", ondelete="CASCADE"),
        primary_key=True,
        type_=Text,
    ),
    Column("user_id", BigInteger, primary_key=True, index=True),
)
"""Users whose interactions a request with an Idempotency-Key held, so that erasing a user deletes its outcomes."""

impressions = Table(
    "answers",
    metadata,
    _growing_id(),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("movie_ids", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Lists shown during A/B experiments: user, time, model version, and MovieIDs (a JSON list), best first."""

erasures = Table(
    "erasures",
    metadata,
    _growing_id(),
    Column("user_id", BigInteger, key="hidden_id", nullable=False, unique=True),
    Column("erased_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Hidden ids of erased users (see `erasure.hidden_ids`), and nothing else about them, so that a refit omits what older
files hold of them, and a restore what a backup holds. The column's name is older: it held the ids themselves."""

erased_replies = Table(
    "erased_replies",
    metadata,
    Column("hidden_key", String, primary_key=True),
    Column("created", BigInteger, nullable=False, index=True),
)
"""Hidden Idempotency-Keys of requests that held a rating of a user who was erased since: these aren't done again."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
    Column("expires", BigInteger),
)
"""API keys, without their secrets. The column `expires` is missing in older stores; opening one adds it."""

key_use = Table(
    "key_use",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("tokens", Double, nullable=False),
)
"""How many tokens of the rate limit each API key has taken so far, in all processes on the store."""

audit_log = Table(
    "audit_log",
    metadata,
    _growing_id(),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", String, nullable=False),
    Column("subject", Text),
    sqlite_autoincrement=True,
)
"""Log of the administrative acts, see `administration.audit_log`. An erased user's id must never be in it."""
Index("audit_log_by_act", audit_log.c.act, audit_log.c.id)


def add_missing_columns(connection: Connection) -> None:
    """Add the columns to a store's tables that an earlier nextreel didn't have; they may all be null."""
    present = {column["name"] for column in inspect(connection).get_columns(api_keys.name)}
    if "expires" not in present:
        connection.exec_driver_sql(f"ALTER TABLE {api_keys.name} ADD COLUMN expires BIGINT")


TABLES_WITH_PEOPLE: Final = (
    interactions,
    impressions,
    replies,
    reply_users,
    id_texts,
    erasures,
    erased_replies,
)
"""The tables with a row for each rating, user or request."""
