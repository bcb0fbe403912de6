"""What the store remembers, as tables. Ids grow in the order in which rows became visible, and are never used twice."""

from typing import Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

FORMAT: Final = 1
"""Of these tables; a store of a newer format is refused."""

metadata = MetaData()


def _growing_id() -> "Column[int]":
    # SQLite counts by itself, and only in a column that is an INTEGER PRIMARY KEY. AUTOINCREMENT (below) keeps it
    # from giving the id of an erased last row to the next one, which a reader of ids above its last would miss.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)


facts = Table(
    "facts", metadata, Column("name", String, primary_key=True), Column("value", Text, nullable=False)
)
"""The format of the tables, and the fingerprint of the data set that was imported."""

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
"""Append-only but for erasure. No unique key: a data set's file may hold the same event twice, and what the files
hold is kept; what is added later is compared with what stands, one writer at a time."""
Index("interactions_by_user", interactions.c.user_id, interactions.c.timestamp, interactions.c.id)

movies = Table(
    "movies",
    metadata,
    Column("movie_id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("genres", Text, nullable=False),
)
"""Movies added to the catalog; genres as in movies.csv, "Comedy|Drama"."""

replies = Table(
    "replies",
    metadata,
    Column("idempotency_key", Text, primary_key=True),
    Column("body_sha256", String, nullable=False),
    Column("outcomes", Text, nullable=False),
    Column("created", BigInteger, nullable=False, index=True),
)
"""What was answered to a request with an Idempotency-Key."""

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
"""Whose interactions a request held, so that erasing a person finds the replies about them."""

answers = Table(
    "answers",
    metadata,
    _growing_id(),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("movie_ids", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Lists given during an experiment: to whom, when, by which version, which movies (a JSON list), best first."""

erasures = Table(
    "erasures",
    metadata,
    _growing_id(),
    Column("user_id", BigInteger, nullable=False, unique=True),
    Column("erased_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
"""Who asked to be forgotten: the id alone, so that a refit leaves them out of older files too."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)
"""Keys of the API; the secrets themselves are nowhere."""
