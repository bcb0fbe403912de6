"""The command line: one small file per command. A command imports heavy modules only when it runs."""

import sys
from io import TextIOWrapper

import typer

from nextreel import __version__
from nextreel.cli.audit import audit
from nextreel.cli.backtest import backtest
from nextreel.cli.check import check
from nextreel.cli.compare import compare
from nextreel.cli.convert import convert
from nextreel.cli.demo import demo
from nextreel.cli.download import download
from nextreel.cli.evaluate import evaluate
from nextreel.cli.experiment import experiment
from nextreel.cli.fit import fit
from nextreel.cli.ingest import ingest
from nextreel.cli.keys import keys
from nextreel.cli.models import models
from nextreel.cli.recommend import recommend
from nextreel.cli.refit import refit
from nextreel.cli.sample import sample
from nextreel.cli.serve import serve
from nextreel.cli.split import split
from nextreel.cli.store import store
from nextreel.cli.terminal.grouped_commands import GroupedCommands
from nextreel.cli.tune import tune
from nextreel.errors import NextreelError
from nextreel.wording import shorten

app = typer.Typer(
    name="nextreel",
    help="What should this person watch next, as of this moment?",
    no_args_is_help=True,
    cls=GroupedCommands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
LONGEST_LINE = 2_000
"""Number of characters of the longest line of a message; an argument that it quotes may be longer."""
START, DATA, MODELS, EVALUATION, SERVING = "Start here", "Data", "Models", "Evaluation", "Serving"
for panel, commands in (
    (START, (demo,)),
    (DATA, (check, convert, download, ingest, sample, split)),
    (MODELS, (fit, recommend, tune)),
    (EVALUATION, (evaluate, compare, audit, backtest)),
    (SERVING, (refit, serve)),
):
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(models, name="models", rich_help_panel=MODELS)
app.add_typer(keys, name="keys", rich_help_panel=SERVING)
app.add_typer(store, name="store", rich_help_panel=SERVING)
app.add_typer(experiment, name="experiment", rich_help_panel=SERVING)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"nextreel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command in sys.argv; a NextreelError ends it with one message and exit code 1, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a character that the encoding lacks is a question mark, not an error
    try:
        app()
    except NextreelError as error:
        lines = [shorten(line, LONGEST_LINE) for line in f"nextreel: {error}".splitlines()]
        print("\n".join(lines), file=sys.stderr)
        sys.exit(1)
    except MemoryError as error:
        print(f"nextreel: out of memory{f': {error}' if str(error) else ''}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        # A refusal by the operating system, such as a missing permission, is for the user to fix.
        print(f"nextreel: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
