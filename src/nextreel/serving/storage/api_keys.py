"""API keys: who may read, write, or administer.

A key is `nextreel_ID_SECRET`: the id finds its row, the secret is 256 random bits. Only the SHA-256 of the whole key
is stored. A slow, salted hash (argon2, bcrypt) protects passwords because people choose guessable ones; nobody can
guess 256 random bits at any speed, so it would only make each request slow.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from nextreel.errors import QueryError
from nextreel.serving.storage.sql_tables import api_keys
from nextreel.serving.storage.store import Store

PREFIX = "nextreel"


class Scope(StrEnum):
    """What a key allows; each scope allows what those before it do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, needed: "Scope") -> bool:
        """Whether a key of this scope may do what needs that one."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key; not its secret."""

    id: str
    name: str
    scope: Scope
    created: int
    """POSIX seconds."""
    revoked: int | None
    """POSIX seconds; None while it holds."""


_KEY = (api_keys.c.id, api_keys.c.name, api_keys.c.scope, api_keys.c.created, api_keys.c.revoked)


def create_key(store: Store, name: str, scope: Scope) -> str:
    """A new key, in full: this is the only time that it's seen. QueryError if a key of this name holds already."""
    key_id = secrets.token_hex(8)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    with store.writing() as connection:
        if connection.execute(sa.select(api_keys.c.id).where(_holds(name))).first() is not None:
            raise QueryError(f"a key named {name} holds already; revoke it, or choose another name")
        row = {
            "id": key_id,
            "name": name,
            "secret_sha256": _hash(key),
            "scope": scope,
            "created": int(time.time()),
        }
        connection.execute(sa.insert(api_keys), row)
    return key


def revoke_key(store: Store, name: str) -> None:
    """End a key at once and for good; QueryError if no key of this name holds."""
    with store.writing() as connection:
        ended = sa.update(api_keys).where(_holds(name)).values(revoked=int(time.time()))
        if connection.execute(ended).rowcount == 0:
            raise QueryError(f"no key named {name} holds; nextreel keys list shows those that do")


def list_keys(store: Store) -> list[ApiKey]:
    """All keys that were ever created, in order of creation."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(*_KEY).order_by(api_keys.c.created, api_keys.c.name)).all()
    return [ApiKey(row.id, row.name, Scope(row.scope), row.created, row.revoked) for row in rows]


def find_key(store: Store, key: str) -> ApiKey | None:
    """The key that was shown, if it holds; None for one that is unknown, wrong or revoked."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret:
        return None
    with store.reading() as connection:
        wanted = sa.select(*_KEY, api_keys.c.secret_sha256).where(api_keys.c.id == key_id)
        row = connection.execute(wanted).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_sha256, _hash(key)) or row.revoked is not None:
        return None
    return ApiKey(row.id, row.name, Scope(row.scope), row.created, row.revoked)


def _holds(name: str) -> sa.ColumnElement[bool]:
    return (api_keys.c.name == name) & api_keys.c.revoked.is_(None)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
