"""`nextreel download`: download a MovieLens release from GroupLens, verify it and convert it."""

import os
from pathlib import Path
from typing import Annotated

import typer


def download(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, ml-latest-small or ml-latest.",
        ),
    ],
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory for the zip and the CSV files.")
    ],
) -> None:
    """Download a MovieLens release and convert it.

    The zip is verified by its md5 and then converted as `nextreel convert` does.

    The zip is kept as DIR/NAME.zip. After an interruption, the same command continues the download. To use a mirror,
    set the environment variable NEXTREEL_GROUPLENS_URL to the URL that has NAME.zip and NAME.zip.md5.
    """
    from nextreel.cli.convert import print_conversion
    from nextreel.cli.terminal.console import progress_bar, stdout
    from nextreel.data.sources.movielens_download import GROUPLENS_URL, TERMS
    from nextreel.data.sources.movielens_download import download as download_release

    base_url = os.environ.get("NEXTREEL_GROUPLENS_URL", GROUPLENS_URL)
    with progress_bar(f"{name}.zip") as (progress, task):

        def show_download(done: int, total: int | None) -> None:
            note = f"{done / 1e6:,.1f} MB" if total is None else f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
            progress.update(task, completed=done, total=total, note=note)

        release = download_release(name, directory, base_url, show_download)
    verified = (
        "md5 as published" if release.md5 else "no md5 is published; the checksums within the zip are right"
    )
    console = stdout()
    console.print(f"{release.path}: {release.size / 1e6:,.1f} MB, {verified}.", soft_wrap=True)
    print_conversion(release.conversion, directory)
    console.print(TERMS, soft_wrap=True)
