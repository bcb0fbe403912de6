"""Whose key a request was made with, for routes that note it."""

from typing import Annotated

from fastapi import Depends, Header, Request

from nextreel.serving.http.request_bodies import IDEMPOTENCY_KEY_PATTERN
from nextreel.serving.storage.administration.audit_log import NO_KEY


async def _name_actor(request: Request) -> str:
    name: str = request.scope["state"].get("key", NO_KEY)
    return name


Actor = Annotated[str, Depends(_name_actor)]
"""Type of a route's parameter that receives the name of the API key, for the audit log."""


async def _read_idempotency_key(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=IDEMPOTENCY_KEY_PATTERN,
            description="The same request sent again with this key within a day gets the first response again. "
            "Each API key has Idempotency-Keys of its own.",
        ),
    ] = None,
) -> str | None:
    """Return the Idempotency-Key with the API key's id before it; the blank between them can't be part of either."""
    key_id: str | None = request.scope["state"].get("key_id")
    return idempotency_key if key_id is None or idempotency_key is None else f"{key_id} {idempotency_key}"


IdempotencyKey = Annotated[str | None, Depends(_read_idempotency_key)]
"""Type of a route's parameter that receives the Idempotency-Key, which belongs to the API key of the request."""
