"""JSON in place of tables: `--json` prints it to stdout, with every command, and `--json-file` writes it to a file too.

`evaluate`, `compare` and `audit` had `--json FILE` for the latter. That still works, with a note on stderr.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperCommand

from nextreel.deprecation import describe_renaming
from nextreel.errors import QueryError

if TYPE_CHECKING:
    from typer import _click

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


class CommandWithJsonFile(TyperCommand):
    """A command that takes `--json FILE` for `--json-file FILE`, as it was called before."""

    def parse_args(self, ctx: "_click.Context", args: list[str]) -> list[str]:
        """Parse arguments in which the old form is replaced."""
        return super().parse_args(ctx, self._rename_old_form(ctx, args))

    def _rename_old_form(self, ctx: "_click.Context", args: list[str]) -> list[str]:
        for position, argument in enumerate(args):
            if argument.startswith("--json="):
                value, rest = [argument.removeprefix("--json=")], position + 1
            elif argument == "--json" and self._is_followed_by_file(ctx, args, position):
                value, rest = [args[position + 1]], position + 2
            else:
                continue
            print(f"nextreel: {describe_renaming('--json FILE', '--json-file FILE')}", file=sys.stderr)
            return [*args[:position], "--json-file", *value, *args[rest:]]
        return args

    def _is_followed_by_file(self, ctx: "_click.Context", args: list[str], position: int) -> bool:
        """Whether what follows `--json` is a file to write, rather than one of the command's own arguments."""
        following = args[position + 1 : position + 2]
        if not following or following[0].startswith("-"):
            return False
        file = Path(following[0])
        if file.suffix == ".json" or (file.suffix and not file.exists()):
            return True
        _, left_over, _ = self.make_parser(ctx).parse_args(list(args))
        return bool(left_over)
