"""`nextreel keys`: the keys of the server's API."""

from enum import StrEnum
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, StoreOption, open_store
from nextreel.cli.terminal.json_output import AsJson, print_json

keys = typer.Typer(
    help="Create, rotate, revoke and list the keys of the server's API; list who did what.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class ScopeName(StrEnum):
    """What an API key allows, from least to most; each scope also allows all that the scopes before it allow."""

    read = "read"
    write = "write"
    admin = "admin"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that the key was created with.")]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use the key.")],
    scope: Annotated[
        ScopeName,
        typer.Option(
            help="read: recommendations and movies; write: also ratings and people; admin: also models."
        ),
    ],
    expires: Annotated[
        str | None,
        typer.Option(help="How long the key is valid, such as 90d; without it, until it is revoked."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Create a key and print it. It can't be shown again, since the store keeps only its hash."""
    from nextreel.data.times import parse_duration
    from nextreel.serving.storage.administration.api_keys import Scope, create_key

    expires_in = None if expires is None else parse_duration(expires, "--expires")
    with open_store(store) as opened:
        typer.echo(create_key(opened, name, Scope(scope), expires_in))


@keys.command()
def rotate(
    name: Name,
    overlap: Annotated[
        str,
        typer.Option(
            help="How long the old key stays valid, such as 12h, so that clients can change to the new one."
        ),
    ] = "1d",
    expires: Annotated[
        str | None,
        typer.Option(
            help="How long the new key is valid; by default, as long as the old one was from its creation on."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Print a new key for the old one's name and scope; the old one expires after the overlap."""
    from nextreel.data.times import parse_duration
    from nextreel.serving.storage.administration.api_keys import rotate_key

    overlap_seconds = parse_duration(overlap, "--overlap")
    expires_in = None if expires is None else parse_duration(expires, "--expires")
    with open_store(store) as opened:
        typer.echo(rotate_key(opened, name, overlap_seconds, expires_in))


@keys.command()
def revoke(name: Name, store: StoreOption = DEFAULT_STORE) -> None:
    """Revoke a key immediately and permanently, and one that it has replaced by a rotation."""
    from nextreel.serving.storage.administration.api_keys import revoke_key

    with open_store(store) as opened:
        revoke_key(opened, name)
    typer.echo(f"Revoked {name}.")


@keys.command(name="list")
def list_all(store: StoreOption = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List all keys, including revoked and expired ones, without their secrets."""
    from nextreel.cli.terminal.console import stdout, table
    from nextreel.serving.storage.administration.api_keys import list_keys

    with open_store(store) as opened:
        stored_keys = list_keys(opened)
    if as_json:
        names = ("name", "scope", "id", "created", "revoked", "expires")
        print_json([{name: getattr(key, name) for name in names} for key in stored_keys])
        return
    rows = table("Keys", "name", "scope", "id", "created (UTC)", "expires (UTC)", "revoked (UTC)")
    for key in stored_keys:
        times = (_format_minute(timestamp) for timestamp in (key.created, key.expires, key.revoked))
        rows.add_row(key.name, key.scope, key.id, *times)
    stdout().print(rows)


@keys.command()
def audit(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Number of acts, the latest first.")] = 100,
    before: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only acts with a lower id than this; the lowest id of one page leads to the next."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """List administrative acts: what was done to keys, versions, movies and users, when and with which key.

    The log doesn't say which user was erased. A promotion by `nextreel models` is listed once a
    server serves the version.
    """
    from nextreel.cli.terminal.console import stdout, table

    with open_store(store) as opened:
        entries = opened.audit_log(limit, before)
    if as_json:
        print_json([vars(entry) for entry in entries])
        return
    rows = table("Administrative acts", "id", "at (UTC)", "by", "act", "subject")
    for entry in entries:
        rows.add_row(str(entry.id), _format_minute(entry.at), entry.by, entry.act, entry.subject or "")
    stdout().print(rows)


def _format_minute(timestamp: int | None) -> str:
    from datetime import UTC, datetime

    return "" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M")
