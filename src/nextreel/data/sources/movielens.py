"""GroupLens' raw MovieLens releases, rewritten as the three tables that everything else reads.

Three families of files are known: ml-100k (u.data, u.item, u.user), ml-1m and ml-10m (.dat, fields set
apart by "::"), and the CSV releases (ml-latest, ml-latest-small, ml-20m, ml-25m, ml-32m). UserIDs and
MovieIDs stay GroupLens' own, so that links.csv and the like still match; the course's files are ml-1m
with 1 subtracted from both. Source: the README of each release, https://grouplens.org/datasets/movielens/.
"""

import io
import re
import zlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

import polars as pl

from nextreel.data.reading.csv_text import CsvText
from nextreel.data.reading.exact_csv import read_exactly
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, MOVIES, TIMESTAMP, USER_ID, USERS, Column, Table
from nextreel.data.table_writer import write_table
from nextreel.data.value_checks import is_valid, parse_cell
from nextreel.errors import DataError, DataProblem
from nextreel.wording import number_of

RATINGS_FILE, MOVIES_FILE, USERS_FILE = "ratings_train.csv", "movies.csv", "users.csv"
LARGEST_MEMBER = 2 * 1024**3
"""Bytes that one file in a zip may unpack to; the largest real one has less than 1 GiB."""

NO_GENRES = ("(no genres listed)", "unknown")
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genre flags of u.item in their order."""
OCCUPATIONS_100K = {
    "other": 0, "none": 0, "entertainment": 0, "librarian": 0, "educator": 1, "artist": 2,
    "administrator": 3, "student": 4, "doctor": 6, "healthcare": 6, "executive": 7, "homemaker": 9,
    "lawyer": 11, "programmer": 12, "retired": 13, "marketing": 14, "salesman": 14, "scientist": 15,
    "engineer": 17, "technician": 17, "writer": 20,
}  # fmt: skip
"""ml-100k's words as ml-1m's codes: 0 other, 1 educator, 2 artist, 3 clerical or admin, 4 college student,
6 health care, 7 executive, 9 homemaker, 11 lawyer, 12 programmer, 13 retired, 14 sales or marketing,
15 scientist, 17 technician or engineer, 20 writer. A word that isn't here is 0."""


@dataclass(frozen=True)
class RawFile:
    """One of GroupLens' files and its columns in their order, under our names."""

    name: str
    separator: str
    table: Table
    header: str | None = None


@dataclass(frozen=True)
class Form:
    """A family of releases that share their files."""

    releases: str
    ratings: RawFile
    movies: RawFile
    users: RawFile | None = None

    @property
    def files(self) -> list[RawFile]:
        """All that the releases may hold."""
        return [file for file in (self.ratings, self.movies, self.users) if file is not None]


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
FORMS = (
    Form(
        "ml-100k",
        RawFile("u.data", "\t", INTERACTIONS),
        RawFile("u.item", "|", ITEMS_100K),
        RawFile("u.user", "|", USERS_100K),
    ),
    Form(
        "ml-1m or ml-10m",
        RawFile("ratings.dat", "::", INTERACTIONS),
        RawFile("movies.dat", "::", MOVIES),
        RawFile("users.dat", "::", USERS),
    ),
    Form(
        "ml-latest, ml-latest-small, ml-20m, ml-25m or ml-32m",
        RawFile("ratings.csv", ",", INTERACTIONS, header="userId,movieId,rating,timestamp"),
        RawFile("movies.csv", ",", MOVIES, header="movieId,title,genres"),
    ),
)


@dataclass(frozen=True)
class Conversion:
    """What was recognised and written."""

    form: str
    """The releases that come in this form; "course" when there was nothing to convert."""
    files: tuple[Path, ...] = ()
    interactions: int = 0
    users: int = 0
    """Users with at least one rating."""
    movies: int = 0
    """Movies with a title, rated or not."""


def convert(source: Path, target: Path) -> Conversion:
    """Write ratings_train.csv (by Timestamp, ties in file order), movies.csv and, where known, users.csv.

    Parameters
    ----------
    source
        A directory with GroupLens' files, or their zip as it is downloaded. Files in the course's own form
        are recognised; then nothing is written.
    target
        A directory, made if need be, in which none of the three files exists.

    Raises
    ------
    DataError
        The form isn't known, a row is malformed (file, line, column and value are named), the zip is
        damaged, or a file to write exists. Nothing is written then.
    """
    if source.is_dir() and any(source.glob("ratings_train.*")):
        return Conversion(form="course")
    require_free(target)
    raw = _read_known_files(source)
    form = _recognise_form(source, raw)
    ratings = _read_rows(form.ratings, raw.pop(form.ratings.name)).sort(TIMESTAMP, maintain_order=True)
    movies = _with_genres(_read_rows(form.movies, raw.pop(form.movies.name)))
    tables = {MOVIES_FILE: movies.select(MOVIES.schema.names())}
    if form.users is not None and form.users.name in raw:
        users = _with_occupation_codes(_read_rows(form.users, raw.pop(form.users.name)))
        tables[USERS_FILE] = users.select(USERS.schema.names())
    # Ratings come last: where they are, the other files are too.
    tables[RATINGS_FILE] = ratings
    return Conversion(
        form=form.releases,
        files=_write_all(tables, target),
        interactions=len(ratings),
        users=ratings[USER_ID].n_unique(),
        movies=len(movies),
    )


def require_free(target: Path) -> None:
    """Refuse a target in which something would be overwritten."""
    if target.exists() and not target.is_dir():
        raise DataError(f"{target} is a file; a directory is needed to write into")
    taken = [name for name in (RATINGS_FILE, MOVIES_FILE, USERS_FILE) if (target / name).exists()]
    if taken:
        raise DataError(
            f"{target} already holds {', '.join(taken)}: choose another directory, or delete what is there"
        )


def _read_known_files(source: Path) -> dict[str, bytes]:
    """GroupLens' files by name. A zip's other members are never unpacked, and none is written to disk."""
    known = {file.name for form in FORMS for file in form.files}
    if not source.exists():
        raise DataError(f"{source} doesn't exist: give the directory or the zip that GroupLens ships")
    try:
        if source.is_dir():
            return {name: (source / name).read_bytes() for name in known if (source / name).is_file()}
        return _read_zip(source, known)
    except OSError as error:
        raise DataError(f"{source} can't be read: {error.strerror or error}") from error
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f"{source} isn't a zip that can be read ({error}): download it again") from error


def _read_zip(source: Path, known: Set[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    with ZipFile(source) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if name not in known or member.is_dir():
                continue
            if name in contents:
                raise DataError(f"{source} holds {name} more than once: unpack it and give one directory")
            if member.file_size > LARGEST_MEMBER:
                raise DataError(
                    f"{source}: {name} would unpack to {member.file_size:,} bytes, which no release does"
                )
            contents[name] = archive.read(member)
    return contents


def _recognise_form(source: Path, found: Mapping[str, bytes]) -> Form:
    for form in FORMS:
        if form.ratings.name in found and form.movies.name in found:
            return form
    expected = "; ".join(f"{form.ratings.name} and {form.movies.name} ({form.releases})" for form in FORMS)
    there = f"only {', '.join(sorted(found))}" if found else "none of them"
    raise DataError(f"{source} isn't a MovieLens release: expected {expected}; found {there}")


def _read_rows(file: RawFile, contents: bytes) -> pl.DataFrame:
    """The rows of one file, every value checked."""
    contents = _as_utf8(file, contents.removeprefix(b"\xef\xbb\xbf"))
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
    # Polars takes one byte between fields; the unit separator stands in no text.
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
    cut_short = rows[rows.columns[-1]].null_count() > 0
    repeats = file.table.key is not None and rows[file.table.key].is_duplicated().any()
    if (not valid or cut_short or repeats) and (found := _describe_problems(file, contents)):
        raise found
    return rows


def _as_utf8(file: RawFile, contents: bytes) -> bytes:
    """The CSV releases and ml-10m are UTF-8 by their READMEs; ml-100k and ml-1m are latin-1."""
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
    return DataError(first, total=len(first) + sum(1 for _ in problems)) if first else None


def _find_problems(file: RawFile, contents: bytes) -> Iterator[DataProblem]:
    """What is wrong and where; line by line, for it runs only on a file that is likely to be bad."""
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
                again = f"{field} is already on line {first}; expected unique values"
                yield DataProblem(file.name, number, column.name, again)


def _with_genres(movies: pl.DataFrame) -> pl.DataFrame:
    """Genres as "Drama|War", null where there are none."""
    if "Genres" in movies.columns:
        return movies.with_columns(pl.col("Genres").replace(dict.fromkeys(NO_GENRES)))
    flagged = [pl.when(pl.col(name) > 0).then(pl.lit(name)) for name in GENRES_100K if name not in NO_GENRES]
    genres = pl.concat_str(flagged, separator="|", ignore_nulls=True)
    return movies.with_columns(Genres=genres.replace({"": None}))


def _with_occupation_codes(users: pl.DataFrame) -> pl.DataFrame:
    if users.schema["Occupation"] != pl.String:
        return users
    codes = pl.col("Occupation").replace_strict(OCCUPATIONS_100K, default=0, return_dtype=pl.Int64)
    return users.with_columns(codes)


def _write_all(tables: Mapping[str, pl.DataFrame], target: Path) -> tuple[Path, ...]:
    """Write all tables or none: each under a temporary name first."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".nextreel-", dir=target) as staging:
            for name, table in tables.items():
                write_table(table, Path(staging, name))
            return tuple(Path(staging, name).rename(target / name) for name in tables)
    except OSError as error:
        raise DataError(f"{target} can't be written: {error.strerror or error}") from error
