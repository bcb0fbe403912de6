"""`nextreel check`: validate a data directory and describe what is in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import Columns, LikedFrom
from nextreel.cli.terminal.json_output import AsJson, print_json
from nextreel.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from nextreel.data.reading.data_profile import Profile

MOST_BARS = 20
"""Highest number of bars of the histogram of ratings; more different ratings are put into bins."""
BAR_LENGTH = 40
"""Length of the longest bar of the printed histograms, in characters, where the console is wide enough."""
LABELS_WIDTH = 36
"""Width in characters of what stands before the bars."""


def check(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Data directory, a file of interactions (CSV, JSON lines or Parquet), or a pattern for part files."
        ),
    ],
    columns: Columns = None,
    liked_from: LikedFrom = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="CSV file to write invalid rows to, each with the reason; needs --clean."),
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(help="Directory to write the tables without the invalid rows to; needs --quarantine."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Let --quarantine and --clean replace what exists already.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Validate data and show what they contain.

    The first 20 errors are listed, each with its file, line, column and value; then nothing is written and the exit
    code is 1. With --quarantine and --clean, invalid rows are written to a file of their own instead; the original
    files don't change.
    """
    from nextreel.cli.terminal.console import refuse_existing, refuse_filled, stages, stdout
    from nextreel.data.data_format import DataFormat
    from nextreel.data.reading.data_profile import profile_directory

    request = DataFormat.parse(columns, liked_from)
    if (quarantine is None) != (clean is None):
        raise ConfigError(
            "--quarantine FILE and --clean DIR need each other: invalid rows go to FILE, the tables without them to DIR"
        )
    if quarantine is not None and clean is not None:
        from nextreel.data.reading.quarantine import quarantine_rows
        from nextreel.wording import number_of

        if not force:
            refuse_existing(quarantine)
            refuse_filled(clean)
        counts = quarantine_rows(directory, quarantine, clean, request)
        for file, count in counts.items():
            typer.echo(f"{file}: {number_of(count, 'invalid row')} set aside", err=json)
        typer.echo(f"They are in {quarantine}; the tables without them are in {clean}.", err=json)
        directory = clean
        request = DataFormat.request(liked_from=liked_from)  # the clean tables have our names of columns
    with stages("Checking") as show_stage:
        show_stage("reading data")
        data_profile = profile_directory(directory, request)
    if json:
        from dataclasses import asdict

        print_json(asdict(data_profile))
        return
    console = stdout()
    console.print(_render(directory, data_profile, Bar.of(console)))


@dataclass(frozen=True)
class Bar:
    """How the bars of a histogram are drawn."""

    length: int
    """Length of the longest bar, in characters."""
    character: str

    @classmethod
    def of(cls, console: "Console") -> "Bar":
        """Return bars that fit the width of a console, of a character that its encoding has."""
        return cls(
            min(BAR_LENGTH, max(1, console.width - LABELS_WIDTH)), "#" if console.options.ascii_only else "█"
        )


def _render(directory: Path, profile: "Profile", bar: Bar) -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lengths = (
        f"{profile.shortest_history:,} to {profile.longest_history:,} interactions a user, "
        f"median {profile.median_history:,.0f}"
    )
    parts: list[RenderableType] = [
        Text.assemble((str(directory), "bold"), (" is valid", "green")),
        "",
        _facts(profile),
        "",
        *_describe_ratings(profile, bar),
        Text.assemble(("Histories", "bold"), f"  {lengths}"),
        _bars([(_show_range(bin_.least, bin_.most), bin_.users) for bin_ in profile.histories], bar),
        "",
        Text("Good to know", style="bold"),
        *(Padding(remark, (0, 0, 0, 2), expand=False) for remark in _remarks(profile)),
    ]
    return Group(*parts)


def _describe_ratings(profile: "Profile", bar: Bar) -> "list[RenderableType]":
    from rich.text import Text

    if not profile.rated:
        return []
    counts = list(profile.ratings.items())
    if len(counts) > MOST_BARS:
        counts = _bin_ratings(counts)
    bars = _bars([(f"{rating:g}", count) for rating, count in counts], bar)
    return [Text.assemble(("Ratings", "bold"), f"  mean {profile.mean_rating:.2f}"), bars, ""]


def _bin_ratings(counts: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return the counts in MOST_BARS bins of equal width, each named by its lowest rating."""
    low, high = counts[0][0], counts[-1][0]
    width = (high - low) / MOST_BARS
    bins = [0] * MOST_BARS
    for rating, count in counts:
        bins[min(int((rating - low) / width), MOST_BARS - 1)] += count
    return [(low + width * number, count) for number, count in enumerate(bins)]


def _facts(profile: "Profile") -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 0, 0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("interactions", f"{profile.rows:,}")
    table.add_row("users", f"{profile.users:,}")
    table.add_row("movies", f"{profile.movies:,}")
    table.add_row("density", f"{profile.density:.2%} of all (user, movie) pairs")
    for name, sources in profile.columns.items():
        table.add_row(f"columns of {name}", _show_columns(sources))
    table.add_row("ids", _show_ids(profile))
    table.add_row("liked", _show_liked(profile))
    table.add_row("first", _show_time(profile.first))
    table.add_row("last", _show_time(profile.last))
    return table


def _bars(counts: list[tuple[str, int]], bar: Bar) -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 0, 0, 2))
    table.add_column(justify="right", min_width=11)
    table.add_column(justify="right", min_width=10)
    table.add_column(justify="right", style="dim", min_width=6)
    table.add_column(style="cyan", no_wrap=True)
    total = sum(count for _, count in counts)
    longest = max(count for _, count in counts)
    for name, count in counts:
        table.add_row(
            name, f"{count:,}", f"{count / total:.1%}", bar.character * round(bar.length * count / longest)
        )
    return table


def _remarks(profile: "Profile") -> list[str]:
    from nextreel.wording import number_of

    counted = [
        (
            profile.tied_rows,
            "row shares",
            "rows share",
            "user and second with another; the file's order breaks ties",
        ),
        (
            profile.repeated_rows,
            "row rates",
            "rows rate",
            "a movie again; as of any later time, the later rating counts",
        ),
        (
            profile.movies_without_entry,
            "rated movie isn't",
            "rated movies aren't",
            "in the movies file: kept, without a title",
        ),
        (
            profile.movies_never_rated,
            "movie of the movies file was",
            "movies of the movies file were",
            "never rated",
        ),
        (
            profile.users_without_entry,
            "user with ratings isn't",
            "users with ratings aren't",
            "in the users file: kept",
        ),
        (
            profile.users_without_ratings,
            "user of the users file has",
            "users of the users file have",
            "no ratings",
        ),
    ]
    remarks = [f"{number_of(n, one, many)} {what}" for n, one, many, what in counted if n]
    if profile.movies_without_entry is None:
        remarks.append("no movies file: recommendations will have no titles")
    if profile.users_without_entry is None:
        remarks.append("no users file: users have no attributes")
    if profile.rated and profile.liked_rows in (0, profile.rows):
        what = "every rating" if profile.liked_rows else "no rating"
        remarks.append(f"{what} counts as liked: --liked-from sets the lowest rating that does")
    return [*remarks, *profile.notes] or ["nothing"]


def _show_columns(sources: dict[str, str]) -> str:
    return ", ".join(ours if ours == name else f"{ours} = {name}" for ours, name in sources.items())


def _show_ids(profile: "Profile") -> str:
    words = {"number": "numbers", "text": "texts"}
    users, movies = words[profile.user_ids], words[profile.movie_ids]
    return users if users == movies else f"users {users}, movies {movies}"


def _show_liked(profile: "Profile") -> str:
    if not profile.rated:
        return "every interaction, since there are no ratings"
    return f"{profile.liked_rows:,} ratings ({profile.liked_rows / profile.rows:.1%}), from {profile.liked_from:g} on"


def _show_time(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _show_range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
