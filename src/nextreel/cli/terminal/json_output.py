"""JSON in place of tables: `--json` prints it to stdout, and `--json-file` writes it to a file too."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from nextreel.errors import QueryError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout instead of a table.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json-file", metavar="FILE", help="Write the JSON to this file too.")
]
ReplaceFiles = Annotated[
    bool, typer.Option("--force", help="Replace an existing file even if nextreel can't have written it.")
]


def print_json(facts: Mapping[str, object] | Sequence[object]) -> None:
    """Print indented JSON to stdout, in ASCII."""
    typer.echo(json.dumps(facts, indent=2))


def refuse_other_json(file: Path | None, force: bool) -> None:
    """Raise QueryError if a file for JSON exists and holds something else, so that nothing is lost by a wrong name."""
    if file is None or force or not file.is_file():
        return
    try:
        json.loads(file.read_bytes())
    except ValueError:
        raise QueryError(
            f"{file} exists and isn't JSON; nothing was written: name another file, or replace it with --force"
        ) from None
