"""A synthetic data set in the form of MovieLens, drawn from the following generative process.

1.  Genres. A movie has one to three of MovieLens' 18 genres. Frequent genres are drawn more often, and so are
    genres that are often combined with the first one. Every genre has a random vector of taste factors.
2.  Movies. A movie's factors are the mean of its genres' vectors plus noise. It has a quality and a release
    date: most movies are older than the data, some are released while the data are collected. A few movies
    begin a series: the next part comes later, with the same genres and nearly the same factors. A few movies
    are never rated.
3.  Users. Age, gender and occupation are weakly related to clusters of taste. A user's factors are a mix of
    the clusters plus noise.
4.  Popularity. log w(i, t) is computed for each movie i and each week t. It is normally distributed over the
    movies (a long tail) and higher for good and for recent movies. It rises within weeks of the release and
    decays over months. Genres and movies become more or less fashionable by random walks, and a few movies
    have a revival of some weeks.
5.  Activity. Every user has at least 20 ratings; the others are distributed over the users by log-normal weights.
6.  Visits. A user joins at a uniformly drawn time and rates one page of movies after another. Sometimes a visit
    ends, and the next one begins days, weeks or months later. Many ratings on a page have the same timestamp.
7.  Choice. The k movies on a page are drawn without replacement from the released movies that the user hasn't
    rated yet, with P(i) proportional to
    w(i, t) exp(TASTE_PULL user . i + CONTEXT_PULL context . i + SEQUEL_PULL [i is the sequel of a rated movie]),
    by the Gumbel top-k trick. The context is the mean of the factors of the movies rated in this visit, with
    exponentially decaying weights, so that the next movie depends on the last few. A visit starts without context.
    In a data set of more than MOST_RATINGS_AT_ONCE ratings or MOST_MOVIES_AT_ONCE movies, a user chooses only from
    what the page shows: POOL movies, drawn with P(i) proportional to w(i, t), where there are more than MOST_SHOWN.
8.  Ratings. The sum of taste, quality, the user's generosity and noise is cut into 1 to 5 stars at fixed
    shares (STAR_SHARES).
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nextreel.atomic_files import replacing
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic.drafts import Draft, SampleSize
from nextreel.data.table_writer import write_csv_parts, write_table
from nextreel.errors import DataError

PROCESS = (__doc__ or "").partition("\n\n")[2]
README, README_TITLE = "README.md", "# A synthetic data set, made by `nextreel sample`"
"""Name and first line of the file that marks a directory as an earlier sample, which may be overwritten."""
RATINGS, USERS, MOVIES = "ratings_train.csv", "users.csv", "movies.csv"


@dataclass(frozen=True)
class Sample:
    """A synthetic data set: three tables in the form of their files."""

    interactions: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp, sorted by Timestamp."""
    users: pl.DataFrame
    """UserID, Gender, Age, Occupation, ZipCode, in the form of users.csv."""
    movies: pl.DataFrame
    """MovieID, Title, Genres, in the form of movies.csv."""
    seed: int


def make_sample(users: int = 2_000, movies: int = 1_000, ratings: int = 150_000, seed: int = 0) -> Sample:
    """Draw a synthetic data set. Equal arguments give equal data sets.

    Parameters
    ----------
    users, movies, ratings : int
        Numbers of users, of movies, and of ratings.
    seed : int
        Seed of all random draws.

    Raises
    ------
    ConfigError
        The sizes don't fit together: every user needs at least 20 ratings, and at most half of all (user, movie) pairs
        can be rated.
    TooLargeError
        So many users and movies need more memory than is free.
    """
    draft = Draft.draw(SampleSize(users, movies, ratings, seed))
    interactions = pl.concat(draft.draw_ratings(Path(tempfile.gettempdir()) / "nextreel-sample"))
    return Sample(interactions, draft.users, draft.catalog.frame, seed)


def create_sample(size: SampleSize, directory: Path, replace_other: bool = True) -> None:
    """Draw what `make_sample` draws and write what `write_sample` writes.

    The ratings of a large data set are written part by part, so that they are never all in memory.

    Raises
    ------
    ConfigError, TooLargeError
        As `make_sample`.
    DataError
        As `write_sample`.
    """
    _require_replaceable(directory, size, replace_other)
    draft = Draft.draw(size)
    ratings: Iterable[pl.DataFrame] = draft.draw_ratings(directory / "ratings_by_week")
    if not size.is_large:
        ratings = list(ratings)
    _write(directory, size, ratings, draft.users, draft.catalog.frame)


def write_sample(sample: Sample, directory: Path, replace_other: bool = True) -> None:
    """Write ratings_train.csv, users.csv, movies.csv and README.md.

    They replace an earlier sample; without `replace_other`, only one of the same sizes and seed.

    Raises
    ------
    DataError
        The directory has files with these names that aren't a sample, or one that may not be replaced. Nothing is
        written in these cases.
    """
    size = SampleSize(sample.users.height, sample.movies.height, sample.interactions.height, sample.seed)
    _require_replaceable(directory, size, replace_other)
    _write(directory, size, [sample.interactions], sample.users, sample.movies)


def _require_replaceable(directory: Path, size: SampleSize, replace_other: bool) -> None:
    readme = directory / README
    existing = [name for name in (RATINGS, USERS, MOVIES, README) if (directory / name).exists()]
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    if existing and not text.startswith(README_TITLE):
        raise DataError(
            f"{directory} already holds {', '.join(existing)}, which `nextreel sample` didn't write; "
            "choose another directory"
        )
    if existing and not replace_other and _command(size) not in text.splitlines():
        raise DataError(
            f"{directory} holds another sample, as its {README} says; nothing was written: name another directory, or "
            "replace it with --force"
        )


def _write(
    directory: Path,
    size: SampleSize,
    ratings: Iterable[pl.DataFrame],
    users: pl.DataFrame,
    movies: pl.DataFrame,
) -> None:
    # The README is written first, so that an interrupted run can be repeated in the same directory.
    with replacing(directory / README) as temporary:
        temporary.write_text(_describe(size, users.columns, movies.columns), encoding="utf-8")
    write_csv_parts(ratings, directory / RATINGS)
    write_table(users, directory / USERS)
    write_table(movies, directory / MOVIES)


def _command(size: SampleSize) -> str:
    """Return the line of the README that says what a directory holds."""
    options = (f"--{name} {getattr(size, name)}" for name in ("users", "movies", "ratings", "seed"))
    return f"    nextreel sample DIR {' '.join(options)}"


def _describe(size: SampleSize, columns_of_users: list[str], columns_of_movies: list[str]) -> str:
    return f"""{README_TITLE}

All users, movies and ratings in it are invented. It is meant for trying things out. Figures measured on it
mean nothing about real viewers.

nextreel generated these files, and they are free to use: all rights in them are waived as far as the law allows,
as by CC0 1.0. This command generates them again:

{_command(size)}

| file | rows | columns |
|---|---|---|
| {RATINGS} | {size.ratings:,} | {", ".join((USER_ID, MOVIE_ID, RATING, TIMESTAMP))} |
| {USERS} | {size.users:,} | {", ".join(columns_of_users)} |
| {MOVIES} | {size.movies:,} | {", ".join(columns_of_movies)} |

Ratings are sorted by Timestamp, in POSIX seconds.

## The generative process

Names in capitals are constants of the modules in nextreel.data.sources.synthetic.

{PROCESS}"""
