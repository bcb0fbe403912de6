"""`nextreel store`: backups of the server's store, and whether it is sound."""

from pathlib import Path
from typing import Annotated

import typer

store = typer.Typer(
    help="Back up, check and restore the server's store.", no_args_is_help=True, rich_markup_mode=None
)

StoreArgument = Annotated[
    str, typer.Argument(metavar="STORE", help="URL of the store, or the name of its file in SQLite.")
]


@store.command()
def backup(
    url: StoreArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier backup.")] = False,
) -> None:
    """Copy a store in SQLite to a file, while servers go on using it.

    The file holds people, also those who are erased later: only its owner can read it, and it should be deleted when it
    is no longer needed. Keep copies of the store's journal, STORE.erasures, in another place than the store.
    """
    from nextreel.errors import require
    from nextreel.wording import number_of

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.safekeeping.backups import back_up
    from nextreel.serving.storage.safekeeping.sqlite_files import to_url

    copied = back_up(to_url(url), file, force)
    typer.echo(f"Wrote {number_of(copied.ratings, 'rating')} of {number_of(copied.users, 'user')} to {file}.")


@store.command()
def check(url: StoreArgument) -> None:
    """Check a store or a backup: whether its database is undamaged, and its rows are what nextreel writes.

    Nothing is changed, and servers may go on using the store.
    """
    from nextreel.errors import StoreError, require
    from nextreel.wording import number_of

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.safekeeping.sqlite_files import to_url
    from nextreel.serving.storage.safekeeping.store_check import check_store

    checked = check_store(to_url(url))
    if checked.problems:
        raise StoreError("\n".join(["the store isn't sound:", *checked.problems]))
    typer.echo(f"Sound: {number_of(checked.ratings, 'rating')} of {number_of(checked.users, 'user')}.")


@store.command()
def compact(url: StoreArgument) -> None:
    """Remove what erased users have left in the files of a store that is too large to be rewritten while it is served.

    Nobody can write to the store meanwhile.
    """
    from nextreel.errors import StoreError, require

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.safekeeping.compaction import compact_store
    from nextreel.serving.storage.safekeeping.sqlite_files import to_url

    if not compact_store(to_url(url)):
        raise StoreError("another process still reads the erased rows: try again, or stop the server first")
    typer.echo("No data of erased users is left in the files of the store.")


@store.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    url: StoreArgument,
    erasures: Annotated[
        list[Path] | None,
        typer.Option(
            help="A copy of the journal of erasures; repeatable. Journals beside the store and the backup are read "
            "anyway."
        ),
    ] = None,
    without_erasures: Annotated[
        bool,
        typer.Option(
            "--without-erasures",
            help="Restore even if the erasures since the backup are unknown, so that erased users may come back.",
        ),
    ] = False,
) -> None:
    """Replace a store in SQLite by a backup, without the users who were erased since the backup.

    The erasures since the backup are read from the store that is replaced, from the store that was backed up, or from
    their journal, STORE.erasures. Stop the server first.
    """
    from nextreel.errors import require
    from nextreel.wording import number_of

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.safekeeping.backups import restore as put_back
    from nextreel.serving.storage.safekeeping.sqlite_files import to_url

    copied = put_back(file, to_url(url), erasures or (), without_erasures)
    held = f"{number_of(copied.ratings, 'rating')} of {number_of(copied.users, 'user')}"
    typer.echo(
        f"Restored {held} to {url}; {number_of(copied.erasures, 'erasure')} since the backup replayed."
    )
    if not copied.keeps_keys:
        typer.echo(
            "The API keys are those of the backup, so those revoked since are valid again: see nextreel keys list."
        )
