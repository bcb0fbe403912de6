"""`nextreel keys`: the keys of the server's API."""

from enum import StrEnum
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, StoreOption
from nextreel.cli.terminal.json_output import AsJson, print_json

keys = typer.Typer(
    help="Create, revoke and list the keys of the server's API.", no_args_is_help=True, rich_markup_mode=None
)


class ScopeName(StrEnum):
    """What an API key allows, from least to most; each scope also allows all that the scopes before it allow."""

    read = "read"
    write = "write"
    admin = "admin"


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use the key.")],
    scope: Annotated[
        ScopeName,
        typer.Option(
            help="read: recommendations and movies; write: also ratings and people; admin: also models."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Create a key and print it. It can't be shown again, since the store keeps only its hash."""
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.api_keys import Scope, create_key
    from nextreel.serving.storage.store import Store

    with Store.open(store) as opened:
        typer.echo(create_key(opened, name, Scope(scope)))


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that the key was created with.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Revoke a key immediately and permanently."""
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.api_keys import revoke_key
    from nextreel.serving.storage.store import Store

    with Store.open(store) as opened:
        revoke_key(opened, name)
    typer.echo(f"Revoked {name}.")


@keys.command(name="list")
def list_all(store: StoreOption = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List all keys, including revoked ones, without their secrets."""
    from datetime import UTC, datetime

    from nextreel.cli.terminal.console import stdout, table
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.api_keys import list_keys
    from nextreel.serving.storage.store import Store

    def format_minute(timestamp: int | None) -> str:
        return "" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")

    with Store.open(store) as opened:
        stored_keys = list_keys(opened)
    if as_json:
        names = ("name", "scope", "id", "created", "revoked")
        print_json([{name: getattr(key, name) for name in names} for key in stored_keys])
        return
    rows = table("Keys", "name", "scope", "id", "created (UTC)", "revoked (UTC)")
    for key in stored_keys:
        created, revoked = format_minute(key.created), format_minute(key.revoked)
        rows.add_row(key.name, key.scope, key.id, created, revoked)
    stdout().print(rows)
