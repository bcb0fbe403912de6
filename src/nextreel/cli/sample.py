"""`nextreel sample`: generate a data set."""

from pathlib import Path
from typing import Annotated

import typer


def sample(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Directory to write to; it is created if it doesn't exist.",
            show_default=False,
        ),
    ],
    users: Annotated[int, typer.Option(help="Number of users.")] = 2_000,
    movies: Annotated[int, typer.Option(help="Number of movies in the catalog.")] = 1_000,
    ratings: Annotated[int, typer.Option(help="Number of ratings, at least 20 for each user.")] = 150_000,
    seed: Annotated[
        int, typer.Option(help="Seed of the random numbers; the same seed and sizes give the same data.")
    ] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a sample of other sizes or another seed in DIR.")
    ] = False,
) -> None:
    """Generate a data set in the form of MovieLens.

    Writes ratings_train.csv, users.csv, movies.csv and a README.md.

    Models can learn from it: users have tastes, popularity drifts, and ratings come in sessions. It is free to use.
    Everything in it is invented, so figures measured on it say nothing about real viewers.
    """
    from nextreel.cli.terminal.console import stages
    from nextreel.data.sources.synthetic.drafts import SampleSize
    from nextreel.data.sources.synthetic_data import create_sample

    with stages("Inventing ratings"):
        create_sample(SampleSize(users, movies, ratings, seed), directory, replace_other=force)
    typer.echo(
        f"{directory}: {ratings:,} invented ratings by {users:,} users of {movies:,} movies (seed {seed})"
    )
