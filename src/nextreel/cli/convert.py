"""`nextreel convert`: convert the raw files of a MovieLens release to the three CSV files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nextreel.data.sources.movielens import Conversion


def convert(
    source: Annotated[
        Path,
        typer.Argument(metavar="SRC", help="A MovieLens release: its zip, or the directory of its files."),
    ],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory to write to; existing files aren't overwritten.")
    ],
) -> None:
    """Convert the raw files of a MovieLens release to CSV files.

    Writes ratings_train.csv, movies.csv and, if the release has users, users.csv.

    The release is recognised by its files: ml-100k (u.data), ml-1m and ml-10m (ratings.dat), or ml-latest,
    ml-latest-small, ml-20m, ml-25m and ml-32m (ratings.csv). Ratings are sorted by Timestamp; ties keep the order of
    the file.

    UserIDs and MovieIDs are those of GroupLens, so that they match other files of the release, such as links.csv.
    The course's files are ml-1m with 1 subtracted from both ids; they need no conversion. The occupations of ml-100k
    become the codes of ml-1m; its ages stay exact years, where ml-1m has groups.
    """
    from nextreel.cli.terminal.console import stages, stdout
    from nextreel.data.sources.movielens import convert as convert_release

    with stages("Converting"):
        conversion = convert_release(source, directory)
    if not conversion.files:
        stdout().print(
            f"{source} has the form of the course's files already: nothing needs converting.", soft_wrap=True
        )
        return
    print_conversion(conversion, directory)


def print_conversion(conversion: "Conversion", directory: Path) -> None:
    """Print which release was recognised and which files were written to the directory."""
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.wording import number_of

    console = stdout()
    console.print(
        f"Read as {conversion.form}: {number_of(conversion.interactions, 'rating')} of "
        f"{number_of(conversion.users, 'user')}, {number_of(conversion.movies, 'movie')}.",
        soft_wrap=True,
    )
    names = ", ".join(file.name for file in conversion.files)
    console.print(f"Wrote {names} to {directory}. Next: {next_command('check', directory)}", soft_wrap=True)
