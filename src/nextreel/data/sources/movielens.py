"""Converting GroupLens' raw MovieLens releases into ratings_train.csv, movies.csv, users.csv and links.csv.

There are three formats: ml-100k (u.data, u.item, u.user), ml-1m and ml-10m (.dat files with fields separated by
"::"), and the CSV releases (ml-latest, ml-latest-small, ml-20m, ml-25m, ml-32m). UserIDs and MovieIDs stay as they
are in the release, so that files such as links.csv still match; the course's files are ml-1m with 1 subtracted from
both. The formats are described in the README of each release, https://grouplens.org/datasets/movielens/.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile

import polars as pl

from nextreel.data.reading.csv_text import BYTE_ORDER_MARK, CsvText
from nextreel.data.reading.exact_csv import MOST_PROBLEMS, read_exactly
from nextreel.data.schema import (
    INTERACTIONS,
    LINKS,
    MOVIE_ID,
    MOVIES,
    TIMESTAMP,
    USER_ID,
    USERS,
    Column,
    Table,
)
from nextreel.data.sources.zip_archives import open_zip
from nextreel.data.table_writer import write_tables
from nextreel.data.value_checks import is_valid, parse_cell
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of

RATINGS_FILE, MOVIES_FILE, USERS_FILE = "ratings_train.csv", "movies.csv", "users.csv"
LINKS_FILE = "links.csv"
WRITTEN_FILES = (RATINGS_FILE, MOVIES_FILE, USERS_FILE, LINKS_FILE)
"""Names of the files that a conversion may write."""
LARGEST_MEMBER = 2 * 1024**3
"""Highest accepted number of bytes of one unpacked file; in every release it is less than 1 GiB."""

NO_GENRES = ("(no genres listed)", "unknown")
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""Genres of ml-100k, in the order of their 0/1 columns in u.item."""
OCCUPATIONS_100K = {
    "other": 0, "none": 0, "entertainment": 0, "librarian": 0, "educator": 1, "artist": 2,
    "administrator": 3, "student": 4, "doctor": 6, "healthcare": 6, "executive": 7, "homemaker": 9,
    "lawyer": 11, "programmer": 12, "retired": 13, "marketing": 14, "salesman": 14, "scientist": 15,
    "engineer": 17, "technician": 17, "writer": 20,
}  # fmt: skip
"""Occupations of ml-100k as the codes of ml-1m: 0 other, 1 educator, 2 artist, 3 clerical or admin, 4 college student,
6 health care, 7 executive, 9 homemaker, 11 lawyer, 12 programmer, 13 retired, 14 sales or marketing,
15 scientist, 17 technician or engineer, 20 writer. Occupations that aren't listed become 0."""


@dataclass(frozen=True)
class RawFile:
    """A raw file of a MovieLens release: its name, its separator, and its columns in their order."""

    name: str
    separator: str
    table: Table
    header: str | None = None
    """First line that the file must have; None for a file without a header."""


@dataclass(frozen=True)
class ReleaseFormat:
    """A set of raw files and their formats that several MovieLens releases share."""

    releases: str
    """Names of the releases that have this format, for messages."""
    ratings: RawFile
    movies: RawFile
    users: RawFile | None = None
    links: RawFile | None = None

    @property
    def files(self) -> list[RawFile]:
        """The raw files that nextreel reads from a release of this format."""
        optional = [file for file in (self.users, self.links) if file is not None]
        return [self.ratings, self.movies, *optional]


ITEMS_100K = Table(
    stems=(),
    columns=(
        *MOVIES.columns[:2],
        *(Column(name, "text") for name in ("release date", "video release date", "IMDb URL")),
        *(Column(genre, "count") for genre in GENRES_100K),
    ),
    key=MOVIE_ID,
)
USERS_100K = Table(
    stems=(),
    columns=(
        Column(USER_ID, "id"),
        Column("Age", "count"),
        Column("Gender", "text"),
        Column("Occupation", "text"),
        Column("ZipCode", "text"),
    ),
    key=USER_ID,
)
LINKS_RAW = Table(stems=(), columns=(*LINKS.columns, Column("tmdbId", "text")), key=MOVIE_ID)
FORMATS = (
    ReleaseFormat(
        "ml-100k",
        RawFile("u.data", "\t", INTERACTIONS),
        RawFile("u.item", "|", ITEMS_100K),
        RawFile("u.user", "|", USERS_100K),
    ),
    ReleaseFormat(
        "ml-1m or ml-10m",
        RawFile("ratings.dat", "::", INTERACTIONS),
        RawFile("movies.dat", "::", MOVIES),
        RawFile("users.dat", "::", USERS),
    ),
    ReleaseFormat(
        "ml-latest, ml-latest-small, ml-20m, ml-25m or ml-32m",
        RawFile("ratings.csv", ",", INTERACTIONS, header="userId,movieId,rating,timestamp"),
        RawFile("movies.csv", ",", MOVIES, header="movieId,title,genres"),
        links=RawFile("links.csv", ",", LINKS_RAW, header="movieId,imdbId,tmdbId"),
    ),
)


@dataclass(frozen=True)
class Conversion:
    """What `convert` recognised and wrote."""

    form: str
    """Names of the releases that have the source's format; "course" if the source is converted already."""
    files: tuple[Path, ...] = ()
    """Paths of the files that were written; empty if there was nothing to convert."""
    interactions: int = 0
    """Number of ratings in the release."""
    users: int = 0
    """Number of users with at least one rating."""
    movies: int = 0
    """Number of movies in the release, rated or not."""


def convert(source: Path, target: Path) -> Conversion:
    """Convert a release: write ratings_train.csv, movies.csv and, if the release describes its users, users.csv.

    Ratings are sorted by Timestamp; rows with equal timestamps keep the order of the file.

    Parameters
    ----------
    source : Path
        A directory with GroupLens' files, or the downloaded zip. If it is a directory with the course's files, there
        is nothing to convert, and nothing is written.
    target : Path
        A directory that has none of the files, unless they are those that would be written and there are no ratings:
        a conversion that was interrupted is completed so. It is created if necessary.

    Raises
    ------
    DataError
        The format isn't recognised, a row is malformed (the message names file, line, column and value), the zip is
        damaged, or a file would be overwritten. Nothing is written in this case.
    """
    if source.is_dir() and any(source.glob("ratings_train.*")):
        return Conversion(form="course")
    require_free(target, [RATINGS_FILE])
    raw = _read_known_files(source)
    release = _recognise_format(source, raw)
    ratings = _read_rows(release.ratings, raw.pop(release.ratings.name)).sort(TIMESTAMP, maintain_order=True)
    movies = _with_genres(_read_rows(release.movies, raw.pop(release.movies.name)))
    tables = {MOVIES_FILE: movies.select(MOVIES.schema.names())}
    if release.users is not None and release.users.name in raw:
        users = _with_occupation_codes(_read_rows(release.users, raw.pop(release.users.name)))
        tables[USERS_FILE] = users.select(USERS.schema.names())
    if release.links is not None and release.links.name in raw:
        links = _read_rows(release.links, raw.pop(release.links.name))
        tables[LINKS_FILE] = links.select(LINKS.schema.names())
    # Ratings are written last, so that a directory which has them is complete.
    tables[RATINGS_FILE] = ratings
    return Conversion(
        form=release.releases,
        files=_write_all(tables, target),
        interactions=len(ratings),
        users=ratings[USER_ID].n_unique(),
        movies=len(movies),
    )


def require_free(target: Path, names: Iterable[str] = WRITTEN_FILES) -> None:
    """Raise DataError if `target` is a file or has a file of one of these names."""
    if target.exists() and not target.is_dir():
        raise DataError(f"{target} is a file; expected a directory to write into")
    existing = [name for name in names if (target / name).exists()]
    if existing:
        raise DataError(
            f"{target} already holds {', '.join(existing)}: choose another directory, or delete the files"
        )


def _read_known_files(source: Path) -> dict[str, bytes]:
    """Return the contents of the raw files that nextreel reads, by name; other members of a zip aren't unpacked."""
    names = {file.name for release in FORMATS for file in release.files}
    if not source.exists():
        raise DataError(f"{source} doesn't exist: expected a directory with GroupLens' files, or their zip")
    try:
        if source.is_dir():
            return {name: (source / name).read_bytes() for name in names if (source / name).is_file()}
        return _read_zip(source, names)
    except OSError as error:
        raise DataError(f"{source} can't be read: {error.strerror or error}") from error
    except BadZipFile as error:
        raise DataError(f"{source} isn't a zip that can be read ({error}): download it again") from error


def _read_zip(source: Path, names: Set[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    with open_zip(source) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if name not in names or member.is_dir():
                continue
            if name in contents:
                raise DataError(
                    f"{source} holds {name} more than once: unpack it and convert one of its directories"
                )
            if member.file_size > LARGEST_MEMBER:
                raise DataError(
                    f"{source}: {name} would unpack to {member.file_size:,} bytes; no release has such a large file"
                )
            contents[name] = archive.read(member)
    return contents


def _recognise_format(source: Path, contents: Mapping[str, bytes]) -> ReleaseFormat:
    for release in FORMATS:
        if release.ratings.name in contents and release.movies.name in contents:
            return release
    expected = "; ".join(
        f"{release.ratings.name} and {release.movies.name} ({release.releases})" for release in FORMATS
    )
    names = f"only {', '.join(sorted(contents))}" if contents else "none of them"
    raise DataError(f"{source} isn't a MovieLens release: expected {expected}; found {names}")


def _read_rows(file: RawFile, contents: bytes) -> pl.DataFrame:
    """Read the rows of one raw file and check every value."""
    contents = _to_utf8(file, contents.removeprefix(BYTE_ORDER_MARK))
    first_row = 0
    if file.header is not None:
        first_row = contents.find(b"\n") + 1 or len(contents)
        header = contents[:first_row].decode().strip()
        if header != file.header:
            message = f"the header is {header[:200]!r}; expected {file.header!r}"
            raise DataError([DataProblem(file.name, 1, None, message)])
    if re.compile(rb"\S").search(contents, first_row) is None:
        raise DataError([DataProblem(file.name, None, None, "is empty; expected rows")])
    if file.header is not None and b'"' in contents:
        text = CsvText(file.name, contents, file.table.schema.names(), notes=())
        return read_exactly(text, file.table)
    return _read_unquoted(file, contents)


def _read_unquoted(file: RawFile, contents: bytes) -> pl.DataFrame:
    # Polars accepts only separators of one byte; the unit separator doesn't occur in the texts.
    long = len(file.separator) > 1
    try:
        rows = pl.read_csv(
            contents.replace(file.separator.encode(), b"\x1f") if long else contents,
            has_header=False,
            skip_rows=0 if file.header is None else 1,
            separator="\x1f" if long else file.separator,
            quote_char=None,
            schema=file.table.schema,
        )
    except pl.exceptions.PolarsError as error:
        reason = DataProblem(file.name, None, None, str(error).partition("\n")[0])
        raise _describe_problems(file, contents) or DataError([reason]) from error
    if any(rows.null_count().row(0)):
        rows = rows.filter(~pl.all_horizontal(pl.all().is_null()))  # empty lines
    valid = rows.select(pl.all_horizontal(is_valid(column).all() for column in file.table.columns)).item()
    may_be_ragged = rows[rows.columns[-1]].null_count() > 0
    repeats_a_key = file.table.key is not None and rows[file.table.key].is_duplicated().any()
    if (not valid or may_be_ragged or repeats_a_key) and (problems := _describe_problems(file, contents)):
        raise problems
    return rows


def _to_utf8(file: RawFile, contents: bytes) -> bytes:
    """Return a raw file as UTF-8: the CSV releases and ml-10m are already in UTF-8, ml-100k and ml-1m in latin-1."""
    if contents.isascii():
        return contents
    try:
        contents.decode()
    except UnicodeDecodeError as error:
        if file.header is None:
            return contents.decode("latin-1").encode()
        line = contents.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{contents[error.start]:02x} isn't UTF-8"
        raise DataError([DataProblem(file.name, line, None, message)]) from error
    return contents


def _describe_problems(file: RawFile, contents: bytes) -> DataError | None:
    problems = _find_problems(file, contents)
    first = list(islice(problems, DataError.SHOWN))
    total = len(first) + sum(1 for _ in islice(problems, MOST_PROBLEMS - len(first)))
    return DataError(first, total, is_partial=total == MOST_PROBLEMS) if first else None


def _find_problems(file: RawFile, contents: bytes) -> Iterator[DataProblem]:
    """Yield the problems of a raw file, found line by line: slow, but done only if the file is probably malformed."""
    lines = io.TextIOWrapper(io.BytesIO(contents), encoding="utf-8")
    columns = file.table.columns
    line_of_key: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        fields = line.rstrip("\n").split(file.separator)
        if fields == [""] or (number == 1 and file.header is not None):
            continue
        if len(fields) != len(columns):
            message = f"{number_of(len(fields), 'field')} between {file.separator!r}; expected {len(columns)}"
            yield DataProblem(file.name, number, None, message)
            continue
        for column, field in zip(columns, fields, strict=True):
            try:
                parse_cell(column.kind, field)
            except ValueError as error:
                yield DataProblem(file.name, number, column.name, str(error))
            if column.name == file.table.key and (first := line_of_key.setdefault(field, number)) != number:
                repeated = f"{field} is already on line {first}; expected unique values"
                yield DataProblem(file.name, number, column.name, repeated)


def _with_genres(movies: pl.DataFrame) -> pl.DataFrame:
    """Return the movies with a column Genres in the form "Drama|War", null for a movie without genres."""
    if "Genres" in movies.columns:
        return movies.with_columns(pl.col("Genres").replace(dict.fromkeys(NO_GENRES)))
    flags = [pl.when(pl.col(name) > 0).then(pl.lit(name)) for name in GENRES_100K if name not in NO_GENRES]
    genres = pl.concat_str(flags, separator="|", ignore_nulls=True)
    return movies.with_columns(Genres=genres.replace({"": None}))


def _with_occupation_codes(users: pl.DataFrame) -> pl.DataFrame:
    if users.schema["Occupation"] != pl.String:
        return users
    codes = pl.col("Occupation").replace_strict(OCCUPATIONS_100K, default=0, return_dtype=pl.Int64)
    return users.with_columns(codes)


def _holds(file: Path, table: pl.DataFrame | None) -> bool:
    """Return whether a file holds a table as it would be written."""
    return table is not None and file.is_file() and file.read_bytes() == table.write_csv().encode()


def _write_all(tables: Mapping[str, pl.DataFrame], target: Path) -> tuple[Path, ...]:
    """Write tables, by file name, to a directory, and return their paths.

    Files that are there already and hold the same come from a conversion that was interrupted.
    """
    require_free(target, [name for name in WRITTEN_FILES if not _holds(target / name, tables.get(name))])
    files = {target / name: table for name, table in tables.items()}
    write_tables(files)
    return tuple(files)
