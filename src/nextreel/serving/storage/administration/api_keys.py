"""API keys: who may read, write or administer.

A key has the form `nextreel_ID_SECRET`. The id finds its row, the secret consists of 256 random bits, and the store
holds only the SHA-256 of the whole key. Passwords need a slow, salted hash (argon2, bcrypt) because people choose
guessable ones. Nobody can guess 256 random bits at any speed, so a slow hash would only slow every request down.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from nextreel.errors import QueryError, UnusableStoreError
from nextreel.serving.storage.administration.audit_log import COMMAND_LINE, NO_KEY, Act, record_act
from nextreel.serving.storage.databases import DAMAGED
from nextreel.serving.storage.sql_tables import api_keys
from nextreel.serving.storage.store import Store
from nextreel.wording import shorten

PREFIX = "nextreel"

LONGEST_NAME = 64
NAME = re.compile(rf"(?=.{{1,{LONGEST_NAME}}}$)[^\W_]([\w .@+-]*[^\W_])?")

_KEY_COLUMNS = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.scope,
    api_keys.c.created,
    api_keys.c.revoked,
    api_keys.c.expires,
)


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
    """Time of revocation, POSIX seconds; None if it wasn't revoked."""
    expires: int | None
    """Time from which on it isn't valid any more, POSIX seconds; None if it doesn't expire."""

    @property
    def is_valid(self) -> bool:
        """Whether the key is accepted now."""
        return self.revoked is None and (self.expires is None or self.expires > time.time())


def create_key(
    store: Store, name: str, scope: Scope, expires_in: int | None = None, by: str = COMMAND_LINE
) -> str:
    """Create a key and return it in full. It can't be shown again, because only its hash is stored.

    The key expires after `expires_in` seconds, or never. The audit log says `by` whom it was created.

    Raises
    ------
    QueryError
        The name isn't allowed, or there is a valid key of this name already, if only in another case.
    """
    _check_name(name)
    now = int(time.time())
    with store.writing() as connection:
        valid = connection.execute(sa.select(api_keys.c.name).where(_is_valid(now))).scalars()
        same = next((other for other in valid if other.casefold() == name.casefold()), None)
        if same is not None:
            raise QueryError(
                f"there is a valid key named {same} already: revoke or rotate it, or choose another name"
            )
        key = _insert_key(connection, name, scope, now, expires_in)
        record_act(connection, Act.KEY_CREATED, by, name)
    return key


def rotate_key(
    store: Store, name: str, overlap: int, expires_in: int | None = None, by: str = COMMAND_LINE
) -> str:
    """Create another key with the name and the scope of a valid one, and return it in full.

    The old key is valid for `overlap` more seconds, so that its users have time to change to the new one. The new key
    expires after `expires_in` seconds or, without that, after as long as the old one was made for.

    Raises
    ------
    QueryError
        There is no valid key of this name.
    """
    now = int(time.time())
    with store.writing() as connection:
        named = (api_keys.c.name == name) & _is_valid(now)
        newest_first = sa.select(*_KEY_COLUMNS).where(named).order_by(api_keys.c.expires.is_(None).desc())
        old = connection.execute(
            newest_first.order_by(api_keys.c.created.desc(), api_keys.c.expires.desc())
        ).first()
        if old is None:
            raise _no_valid_key(name)
        outlives = api_keys.c.expires.is_(None) | (api_keys.c.expires > now + overlap)
        connection.execute(sa.update(api_keys).where(named & outlives).values(expires=now + overlap))
        if expires_in is None and old.expires is not None:
            expires_in = old.expires - old.created
        key = _insert_key(connection, name, Scope(old.scope), now, expires_in)
        record_act(connection, Act.KEY_ROTATED, by, name)
    return key


def revoke_key(store: Store, name: str, by: str = COMMAND_LINE) -> None:
    """Revoke all keys of a name immediately and permanently: the newest one, and one that it has replaced.

    Raises
    ------
    QueryError
        There is no valid key of this name.
    """
    now = int(time.time())
    with store.writing() as connection:
        named = (api_keys.c.name == name) & _is_valid(now)
        if connection.execute(sa.update(api_keys).where(named).values(revoked=now)).rowcount == 0:
            raise _no_valid_key(name)
        record_act(connection, Act.KEY_REVOKED, by, name)


def list_keys(store: Store) -> list[ApiKey]:
    """Return all keys that were ever created, revoked ones too, in order of creation."""
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(*_KEY_COLUMNS).order_by(api_keys.c.created, api_keys.c.name)
        ).all()
    return [_read_key(store, *row) for row in rows]


def find_key(store: Store, key: str) -> ApiKey | None:
    """Return the stored key that a client presented in full; None if it is unknown, wrong, revoked or expired."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not secret:
        return None
    with store.reading() as connection:
        query = sa.select(*_KEY_COLUMNS, api_keys.c.secret_sha256).where(api_keys.c.id == key_id)
        row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(str(row.secret_sha256).encode(), hash_key(key).encode()):
        return None
    found = _read_key(store, *row[: len(_KEY_COLUMNS)])
    return found if found.is_valid else None


def _read_key(
    store: Store, key_id: str, name: str, scope: str, created: int, revoked: int | None, expires: int | None
) -> ApiKey:
    """Return the key of a row. Raises UnusableStoreError for a scope or a time that no key has."""
    if scope not in {*Scope} or not all(isinstance(time, int | None) for time in (created, revoked, expires)):
        raise UnusableStoreError(f"{store.url}: the row of the API key {key_id} is damaged", DAMAGED)
    return ApiKey(key_id, name, Scope(scope), created, revoked, expires)


def hash_key(key: str) -> str:
    """Return what the store keeps of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _insert_key(connection: sa.Connection, name: str, scope: Scope, now: int, expires_in: int | None) -> str:
    key_id = secrets.token_hex(8)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    row = {
        "id": key_id,
        "name": name,
        "secret_sha256": hash_key(key),
        "scope": scope,
        "created": now,
        "expires": None if expires_in is None else now + expires_in,
    }
    connection.execute(sa.insert(api_keys), row)
    return key


def _no_valid_key(name: str) -> QueryError:
    return QueryError(f"no valid key is named {name}; nextreel keys list shows all keys")


def _check_name(name: str) -> None:
    """Raise QueryError for a name that is unfit for a table or a log, or that the audit log uses for somebody else."""
    if not NAME.fullmatch(name):
        raise QueryError(
            f"{shorten(name, 100)!r} can't be the name of a key; expected up to {LONGEST_NAME} letters, digits, blanks "
            "and . _ @ + -, with a letter or a digit at both ends"
        )
    if name.casefold() in (COMMAND_LINE, NO_KEY):
        raise QueryError(f"{name!r} can't be the name of a key: the audit log uses it for acts without a key")


def _is_valid(now: int) -> sa.ColumnElement[bool]:
    return api_keys.c.revoked.is_(None) & (api_keys.c.expires.is_(None) | (api_keys.c.expires > now))
