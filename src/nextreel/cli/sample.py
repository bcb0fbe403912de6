"""nextreel sample: write a synthetic data set."""

from pathlib import Path
from typing import Annotated

import typer


def sample(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Where to write; made if it isn't there.", show_default=False),
    ],
    users: Annotated[int, typer.Option(help="How many users.")] = 2_000,
    movies: Annotated[int, typer.Option(help="How many movies in the catalog.")] = 1_000,
    ratings: Annotated[int, typer.Option(help="How many ratings; at least 20 a user.")] = 150_000,
    seed: Annotated[int, typer.Option(help="The same seed and sizes give the same data.")] = 0,
) -> None:
    """Write an invented data set.

    It has the shape of MovieLens: ratings_train.csv, users.csv, movies.csv, and a README.md.

    It has taste, drifting popularity and sessions to learn from, and it is free to use. Everything in it is
    invented: figures measured on it mean nothing about real viewers.
    """
    from nextreel.data.sources.synthetic_data import make_sample, write_sample

    write_sample(make_sample(users, movies, ratings, seed), directory)
    typer.echo(
        f"{directory}: {ratings:,} invented ratings by {users:,} users of {movies:,} movies (seed {seed})"
    )
