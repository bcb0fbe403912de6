"""`nextreel ingest`: data of any size as Parquet, partitioned by user, to which files are added day by day."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import Columns, LikedFrom
from nextreel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nextreel.data.ids import Id


def ingest(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="Data directory, a file of interactions, or a pattern for part files; OUT itself for --compact or "
            "--forget alone.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Argument(metavar="OUT", help="Directory of the partitioned data; new files are added to it."),
    ] = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    forget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USERS",
            help="Erase a user from OUT, or those of a file with a column of users; may be repeated.",
        ),
    ] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Merge what was added to OUT in several runs.")
    ] = False,
) -> None:
    """Turn interactions of any size into partitioned Parquet.

    The files are read in pieces, with bounded memory, and checked as nextreel check does. OUT is a data directory for
    every other command. A file that was added before is refused; one whose run was interrupted is continued by the same
    command.
    """
    from nextreel.cli.terminal.console import stages, stdout
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.data.data_format import DataFormat
    from nextreel.data.ingest.ingestion import ingest as add
    from nextreel.data.ingest.maintenance import compact as merge
    from nextreel.data.ingest.maintenance import forget as erase
    from nextreel.wording import number_of

    if out is None and not (forget or compact):
        raise ConfigError("name SRC and OUT, such as: nextreel ingest ratings.csv data; OUT is missing")
    directory, console = out or source, stdout()
    with stages("Ingesting") as show_stage:
        if out is not None:
            added = add(source, out, DataFormat.parse(columns, liked_from), show_stage=show_stage)
            for note in added.notes:
                console.print(note, soft_wrap=True)
            manifest = added.manifest
            again = "An earlier run was continued. " if added.continued else ""
            console.print(
                f"{again}Added {number_of(added.rows, 'row')} of {number_of(added.files, 'file')} to {out}, which has "
                f"{number_of(manifest.rows, 'row')} now.",
                soft_wrap=True,
            )
        if forget:
            forgotten = erase(directory, _find_users(directory, forget), show_stage)
            console.print(
                f"Erased {number_of(forgotten.users, 'user')} with {number_of(forgotten.rows, 'row')} from "
                f"{directory}.",
                soft_wrap=True,
            )
        if compact:
            merged = merge(directory, show_stage)
            console.print(
                f"Merged {number_of(merged.files_before, 'file')} of rows in {directory} into {merged.files:,}.",
                soft_wrap=True,
            )
    if out is not None:
        console.print(f"Next: {next_command('check', out)}", soft_wrap=True)


def _find_users(directory: Path, named: "Sequence[str]") -> "list[Id]":
    """Return the users that `--forget` names: each by an id, or those in a file."""
    from nextreel.data.ingest.maintenance import parse_users
    from nextreel.data.reading.data_files import SUFFIXES
    from nextreel.data.reading.partitioned_rows import open_partitioned
    from nextreel.data.reading.table_reader import read_table
    from nextreel.data.schema import USER_ID, USERS

    users: list[Id] = []
    format_ = open_partitioned(directory).manifest.data_format
    for text in named:
        if text.lower().endswith(SUFFIXES) and Path(text).is_file():
            users.extend(read_table(Path(text), USERS, format_)[USER_ID])
        else:
            users.extend(parse_users(directory, [text], "--forget"))
    return users
