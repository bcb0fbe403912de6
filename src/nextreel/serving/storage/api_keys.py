"""API keys: who may read, write or administer.

A key has the form `nextreel_ID_SECRET`. The id finds its row, the secret consists of 256 random bits, and the store
holds only the SHA-256 of the whole key. Passwords need a slow, salted hash (argon2, bcrypt) because people choose
guessable ones. Nobody can guess 256 random bits at any speed, so a slow hash would only slow every request down.
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

_KEY_COLUMNS = (api_keys.c.id, api_keys.c.name, api_keys.c.scope, api_keys.c.created, api_keys.c.revoked)


class Scope(StrEnum):
    """What a key allows. Each scope includes the scopes listed before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def allows(self, needed: "Scope") -> bool:
        """Return whether a key of this scope may do what requires the scope `needed`."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class ApiKey:
    """A stored API key, without its secret."""

    id: str
    name: str
    scope: Scope
    created: int
    """Time of creation, POSIX seconds."""
    revoked: int | None
    """Time of revocation, POSIX seconds; None while the key is valid."""


def create_key(store: Store, name: str, scope: Scope) -> str:
    """Create a key and return it in full. It can't be shown again, because only its hash is stored.

    Raises
    ------
    QueryError
        There is a valid key of this name already.
    """
    key_id = secrets.token_hex(8)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    with store.writing() as connection:
        if connection.execute(sa.select(api_keys.c.id).where(_is_valid(name))).first() is not None:
            raise QueryError(f"there is a valid key named {name} already; revoke it or choose another name")
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
    """Revoke a key immediately and permanently.

    Raises
    ------
    QueryError
        There is no valid key of this name.
    """
    with store.writing() as connection:
        revocation = sa.update(api_keys).where(_is_valid(name)).values(revoked=int(time.time()))
        if connection.execute(revocation).rowcount == 0:
            raise QueryError(f"no valid key is named {name}; nextreel keys list shows all keys")


def list_keys(store: Store) -> list[ApiKey]:
    """Return all keys that were ever created, revoked ones too, in order of creation."""
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(*_KEY_COLUMNS).order_by(api_keys.c.created, api_keys.c.name)
        ).all()
    return [ApiKey(row.id, row.name, Scope(row.scope), row.created, row.revoked) for row in rows]


def find_key(store: Store, key: str) -> ApiKey | None:
    """Return the stored key that a client presented in full; None if it is unknown, wrong or revoked."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret:
        return None
    with store.reading() as connection:
        query = sa.select(*_KEY_COLUMNS, api_keys.c.secret_sha256).where(api_keys.c.id == key_id)
        row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(row.secret_sha256, _hash(key)) or row.revoked is not None:
        return None
    return ApiKey(row.id, row.name, Scope(row.scope), row.created, row.revoked)


def _is_valid(name: str) -> sa.ColumnElement[bool]:
    return (api_keys.c.name == name) & api_keys.c.revoked.is_(None)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
