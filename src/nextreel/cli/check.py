"""`nextreel check`: is this data fit for use, and what is in it?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nextreel.data.reading.data_profile import Profile

BAR = 40


def check(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Directory with ratings_train.csv and, if there are any, users.csv and movies.csv."
        ),
    ],
    quarantine: Annotated[
        Path | None,
        typer.Option(help="CSV file to write bad rows to, with the reason for each; needs --clean."),
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(help="Directory to write the tables without the bad rows to; needs --quarantine."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the profile as JSON.")] = False,
) -> None:
    """Validate data and show what they hold.

    Each error names file, line, column and value; the first 20 are listed, nothing is written and the
    exit code is 1. With --quarantine and --clean bad rows are set aside instead; the originals stay as
    they are.
    """
    from nextreel.data.reading.data_profile import profile_directory

    if (quarantine is None) != (clean is None):
        raise ConfigError(
            "--quarantine FILE and --clean DIR go together: bad rows to FILE, the tables without them to DIR"
        )
    if quarantine is not None and clean is not None:
        from nextreel.data.reading.quarantine import quarantine_rows
        from nextreel.wording import number_of

        counts = quarantine_rows(directory, quarantine, clean)
        for file, count in counts.items():
            typer.echo(f"{file}: {number_of(count, 'bad row')} set aside", err=json)
        typer.echo(f"They are in {quarantine}; the tables without them are in {clean}.", err=json)
        directory = clean
    found = profile_directory(directory)
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps(asdict(found), indent=2))
        return
    from nextreel.cli.terminal.console import stdout

    stdout().print(_render(directory, found))


def _render(directory: Path, found: "Profile") -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lengths = (
        f"{found.shortest_history:,} to {found.longest_history:,} interactions a user, "
        f"median {found.median_history:,.0f}"
    )
    parts: list[RenderableType] = [
        Text.assemble((str(directory), "bold"), (" is fit for use", "green")),
        "",
        _facts(found),
        "",
        Text.assemble(("Ratings", "bold"), f"  mean {found.mean_rating:.2f}"),
        _bars([(f"{rating:g}", count) for rating, count in found.ratings.items()]),
        "",
        Text.assemble(("Histories", "bold"), f"  {lengths}"),
        _bars([(_range(bin_.least, bin_.most), bin_.users) for bin_ in found.histories]),
        "",
        Text("Good to know", style="bold"),
        *(Padding(Text(remark), (0, 0, 0, 2)) for remark in _remarks(found)),
    ]
    return Group(*parts)


def _facts(found: "Profile") -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 0, 0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("interactions", f"{found.rows:,}")
    table.add_row("users", f"{found.users:,}")
    table.add_row("movies", f"{found.movies:,}")
    table.add_row("density", f"{found.density:.2%} of all (user, movie) pairs")
    table.add_row("first", _moment(found.first))
    table.add_row("last", _moment(found.last))
    return table


def _bars(counts: list[tuple[str, int]]) -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 0, 0, 2))
    table.add_column(justify="right", min_width=11)
    table.add_column(justify="right", min_width=10)
    table.add_column(justify="right", style="dim", min_width=6)
    table.add_column(style="cyan", no_wrap=True)
    total = sum(count for _, count in counts)
    longest = max(count for _, count in counts)
    for name, count in counts:
        table.add_row(name, f"{count:,}", f"{count / total:.1%}", "█" * round(BAR * count / longest))
    return table


def _remarks(found: "Profile") -> list[str]:
    from nextreel.wording import number_of

    counted = [
        (
            found.tied_rows,
            "row shares",
            "rows share",
            "user and second with another; the file's order breaks ties",
        ),
        (
            found.repeated_rows,
            "row rates",
            "rows rate",
            "a movie once more; from the later moment on the later one counts",
        ),
        (
            found.movies_without_entry,
            "rated movie isn't",
            "rated movies aren't",
            "in the movies file: kept, without title",
        ),
        (
            found.movies_never_rated,
            "movie of the movies file was",
            "movies of the movies file were",
            "never rated",
        ),
        (
            found.users_without_entry,
            "user with ratings isn't",
            "users with ratings aren't",
            "in the users file: kept all the same",
        ),
        (
            found.users_without_ratings,
            "user of the users file has",
            "users of the users file have",
            "no ratings",
        ),
    ]
    remarks = [f"{number_of(n, one, many)} {what}" for n, one, many, what in counted if n]
    if found.movies_without_entry is None:
        remarks.append("no movies file: recommendations will have no titles")
    if found.users_without_entry is None:
        remarks.append("no users file: nothing is known of the users but their ratings")
    return [*remarks, *found.notes] or ["nothing"]


def _moment(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
