"""Files as people have them: the same three interactions in many forms, read as they are."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from nextreel.data.data_format import DataFormat
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.tables import Tables
from nextreel.errors import DataError

TIMES = [1_112_485_987, 1_112_486_027, 1_700_000_000]
NUMBERS = [(1, 10, 4.0, TIMES[0]), (2, 11, 3.5, TIMES[1]), (1, 11, 5.0, TIMES[2])]
TEXTS = [("ann", "tt0111161", 4.0, TIMES[0]), ("bob", "heat", 3.5, TIMES[1]), ("ann", "heat", 5.0, TIMES[2])]
UNRATED = [(user, movie, 5.0, time) for user, movie, _, time in TEXTS]
ISO = ["2005-04-02 23:53:07", "2005-04-02T23:53:47Z", "2023-11-14T23:13:20.9+01:00"]

CSV = b"UserID,MovieID,Rating,Timestamp\n1,10,4,1112485987\n2,11,3.5,1112486027\n1,11,5,1700000000\n"
CLICKS = "sku,stars,account_id,watched_at\n" + "".join(
    f"{movie},{rating},{user},{iso}\n" for (user, movie, rating, _), iso in zip(TEXTS, ISO, strict=True)
)
MAPPING = {"user": "account_id", "movie": "sku", "time": "watched_at", "rating": "stars"}
KAGGLE = b'"userId","movieId","rating","timestamp"\n1,10,4.0,"2005-04-02 23:53:07"\n2,11,3.5,"2005-04-02 23:53:47"\n1,11,5,"2023-11-14 22:13:20"\n'
HEADER, *LINES = CSV.splitlines(keepends=True)


def to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def to_json_lines(rows: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


FRAME = pl.DataFrame(NUMBERS, schema=["UserID", "MovieID", "Rating", "Timestamp"], orient="row")
RECORDS = [dict(zip(("user_id", "item_id", "rating", "ts"), row, strict=True)) for row in TEXTS]


@dataclass(frozen=True)
class Input:
    """Files, the path that a command is given, what is said of them, and the interactions that they must give."""

    files: Mapping[str, bytes]
    path: str = "."
    rows: Sequence[tuple[object, ...]] = field(default_factory=lambda: NUMBERS)
    columns: Mapping[str, str] | None = None
    liked_from: float | None = None

    def read(self, directory: Path) -> Tables:
        for name, contents in self.files.items():
            (directory / name).parent.mkdir(exist_ok=True, parents=True)
            (directory / name).write_bytes(contents)
        return read_tables(directory / self.path, DataFormat.request(self.columns, self.liked_from))


INPUTS = {
    # Names of files and directories
    "directory of ours": Input({"ratings_train.csv": CSV}),
    "directory with train.csv": Input({"train.csv": CSV, "test.csv": CSV}),
    "one file of any name": Input({"clicks.csv": CSV, "notes.csv": b"x"}, "clicks.csv"),
    "directory with one file of any name": Input({"clicks.csv": CSV, "readme.md": b"x"}),
    "file in a directory with blanks and brackets": Input({"my [data]/a b.csv": CSV}, "my [data]/a b.csv"),
    "directory with brackets": Input({"my [data]/part-1.csv": CSV}, "my [data]"),
    "pattern": Input({"p-1.csv": HEADER + LINES[0], "p-2.csv": HEADER + LINES[1] + LINES[2]}, "p-*.csv"),
    "pattern of one digit": Input({"p1.csv": HEADER + LINES[0], "p2.csv": HEADER + LINES[1] + LINES[2]}, "p?.csv"),
    "directory of part files": Input({"d/part-0000.csv": HEADER + LINES[0], "d/part-0001.csv": HEADER + b"".join(LINES[1:])}, "d"),
    "part files as Spark writes them": Input(
        {"part-00000-6f-c000.csv": HEADER + LINES[0], "part-00001-6f-c000.csv": HEADER + b"".join(LINES[1:]), "_SUCCESS": b"", ".part-00000.crc": b"x"}
    ),
    "part files in the order of their numbers": Input({f"part-{n}.csv": HEADER + LINES[i] for i, n in enumerate((1, 2, 10))}),
    "an empty part file": Input({"part-0.csv": b"", "part-1.csv": CSV}),
    "a part file of a header alone": Input({"part-0.csv": HEADER, "part-1.csv": CSV}),
    "parts with columns in another order": Input(
        {"p-0.csv": HEADER + LINES[0], "p-1.csv": b"Timestamp,UserID,Rating,MovieID\n1112486027,2,3.5,11\n1700000000,1,5,11\n"}
    ),
    "a byte order mark in each part": Input({"p-0.csv": b"\xef\xbb\xbf" + HEADER + LINES[0], "p-1.csv": b"\xef\xbb\xbf" + HEADER + b"".join(LINES[1:])}),
    "parts of several formats": Input({"p-0.csv": HEADER + LINES[0], "p-1.csv.gz": gzip.compress(HEADER + LINES[1]), "p-2.tsv": (HEADER + LINES[2]).replace(b",", b"\t")}),
    "Parquet parts": Input({"p-0.parquet": to_parquet(FRAME[:1]), "p-1.parquet": to_parquet(FRAME[1:])}),
    "parts of CSV and Parquet": Input({"p-0.csv": HEADER + LINES[0], "p-1.parquet": to_parquet(FRAME[1:])}),
    "a name in capitals": Input({"CLICKS.CSV": CSV}, "CLICKS.CSV"),
    "a directory with a name in capitals": Input({"CLICKS.CSV": CSV}),
    # Formats
    "tsv": Input({"u.tsv": CSV.replace(b",", b"\t")}),
    "txt": Input({"clicks.txt": CSV.replace(b",", b"|")}),
    "semicolons": Input({"clicks.csv": CSV.replace(b",", b";")}),
    "bars": Input({"clicks.csv": CSV.replace(b",", b"|")}),
    "gzip": Input({"clicks.csv.gz": gzip.compress(CSV)}),
    "gzip named as plain CSV": Input({"clicks.csv": gzip.compress(CSV)}),
    "a file without an ending": Input({"clicks": CSV}, "clicks"),
    "JSON lines": Input({"clicks.jsonl": to_json_lines(RECORDS)}, columns={"time": "ts"}, rows=TEXTS),
    "gzipped JSON lines": Input({"clicks.ndjson.gz": gzip.compress(to_json_lines(RECORDS))}, columns={"time": "ts"}, rows=TEXTS),
    "JSON lines of numbers": Input({"clicks.jsonl": to_json_lines([dict(zip(FRAME.columns, row, strict=True)) for row in NUMBERS])}),
    "Parquet": Input({"clicks.parquet": to_parquet(FRAME)}),
    "Parquet with narrow types": Input({"clicks.parquet": to_parquet(FRAME.cast({"UserID": pl.UInt16, "MovieID": pl.Int32, "Rating": pl.Float64}))}),
    "Parquet with text ids": Input({"clicks.parquet": to_parquet(pl.DataFrame(RECORDS))}, columns={"time": "ts"}, rows=TEXTS),
    "Parquet with categories": Input({"clicks.parquet": to_parquet(pl.DataFrame(RECORDS).cast({"item_id": pl.Categorical}))}, columns={"time": "ts"}, rows=TEXTS),
    # Names of columns
    "Kaggle's ML-20M": Input({"rating.csv": KAGGLE, "movie.csv": b'"movieId","title","genres"\n10,"Heat (1995)","Crime|Drama"\n11,"Net, The (1995)","Drama"\n', "tag.csv": b"x"}),
    "GroupLens' ratings.csv": Input({"ratings.csv": CSV.replace(HEADER, b"userId,movieId,rating,timestamp\n"), "movies.csv": b"movieId,title,genres\n10,Heat (1995),Crime\n", "links.csv": b"x", "tags.csv": b"y"}),
    "a mapping of all columns": Input({"clicks.csv": CLICKS.encode()}, columns=MAPPING, rows=TEXTS),
    "usual names in capitals": Input({"c.csv": CSV.replace(HEADER, b"USER_ID,ITEM_ID,RATING,TIMESTAMP\n")}),
    "usual names with blanks": Input({"c.csv": CSV.replace(HEADER, b" User Id , Movie-ID , Stars , Unix Time \n")}),
    "a header of which all is quoted": Input({"c.csv": CSV.replace(HEADER, b'"userid","item","rating","time"\n')}),
    "a header of which one name is quoted": Input({"c.csv": CSV.replace(HEADER, b'"userid",item,"rating",time\n')}),
    "the time named where there is a date too": Input({"c.csv": b"user,item,rating,time,date\n" + b"".join(line[:-1] + b",x\n" for line in LINES)}, columns={"time": "time"}),
    "a mapping to a name that looks like another role": Input({"c.csv": CSV.replace(HEADER, b"movie,user,rating,time\n")}, columns={"user": "movie", "movie": "user"}),
    "a mapping to the usual name of another role": Input({"c.csv": CSV.replace(HEADER, b"movie,item,rating,time\n")}, columns={"user": "movie"}),
    "the clearest of several names": Input({"c.csv": b"user,user_id,movie,movieId,rating,timestamp,date\n" + b"".join(b"x,%b,y,%b,%b,%b,1\n" % tuple(line.strip().split(b",")) for line in LINES)}),
    "no ratings": Input({"c.csv": "".join(f"{','.join(line.split(',')[::2][:1] + line.split(',')[2:])}\n" for line in CLICKS.splitlines()).encode()}, columns={k: v for k, v in MAPPING.items() if k != "rating"}, rows=UNRATED),
    "more columns": Input({"c.csv": b"device,UserID,MovieID,Rating,Timestamp\n" + b"".join(b"\"a, b\"," + line for line in LINES)}),
    # Times
    "milliseconds": Input({"c.csv": CSV.replace(b"5987", b"5987999").replace(b"6027", b"6027000").replace(b"0000\n", b"0000001\n")}),
    "microseconds": Input({"c.csv": HEADER + b"1,10,4,1112485987999999\n2,11,3.5,1112486027000000\n1,11,5,1700000000000001\n"}),
    "nanoseconds": Input({"c.csv": HEADER + b"1,10,4,1112485987999999999\n2,11,3.5,1112486027000000000\n1,11,5,1700000000000000001\n"}),
    "ISO 8601 of several forms": Input({"c.csv": "UserID,MovieID,Rating,Timestamp\n1,10,4,{}\n2,11,3.5,{}\n1,11,5,{}\n".format(*ISO).encode()}),
    "ISO 8601 that polars doesn't read": Input({"c.csv": b"UserID,MovieID,Rating,Timestamp\n1,10,4,20050402T235307\n2,11,3.5,2005-04-02T23:53:47+00:00:00\n1,11,5,2023-W46-2T22:13:20\n"}),
    "ISO 8601 in Parquet": Input({"c.parquet": to_parquet(FRAME.with_columns(Timestamp=pl.Series(ISO)))}),
    "datetimes in Parquet": Input({"c.parquet": to_parquet(FRAME.with_columns(pl.from_epoch("Timestamp").dt.cast_time_unit("ns")))}),
    "datetimes with a zone in Parquet": Input({"c.parquet": to_parquet(FRAME.with_columns(pl.from_epoch("Timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")))}),
    "milliseconds in Parquet": Input({"c.parquet": to_parquet(FRAME.with_columns(pl.col("Timestamp") * 1000 + 999))}),
    "quoted times": Input({"c.csv": b"UserID,MovieID,Rating,Timestamp\n" + b"".join(b'%b,"%b"\n' % tuple(line.strip().rsplit(b",", 1)) for line in LINES)}),
    "other columns of users and movies": Input(
        {"ratings.csv": CSV, "users.csv": b"ID\n1\n7\n", "items.csv": b"id,name\n10,Heat\n12,Alien (1979)\n"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_the_interactions_of_an_input_are_read(tmp_path: Path, name: str) -> None:
    given = INPUTS[name]
    assert given.read(tmp_path).interactions.rows() == list(given.rows)


@pytest.mark.parametrize("name", [name for name, given in INPUTS.items() if given.path == "."])
def test_a_relative_directory_is_read_too(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    INPUTS[name].read(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = INPUTS[name]
    tables = read_tables(Path(), DataFormat.request(given.columns, given.liked_from))
    assert tables.interactions.rows() == list(given.rows)


def test_users_need_only_an_id_and_movies_only_an_id_and_a_title(tmp_path: Path) -> None:
    tables = INPUTS["other columns of users and movies"].read(tmp_path)
    assert tables.users is not None
    assert tables.movies is not None
    assert tables.users.row(0) == (1, None, None, None, None)
    assert tables.movies.rows() == [(10, "Heat", None), (12, "Alien (1979)", None)]


def test_years_and_genres_are_mapped_and_kept(tmp_path: Path) -> None:
    films = b'sku,label,made,kind,price\n10,Heat,1995,Crime|Drama,3\n11,Net (1995),,"Drama | War",4\n12,,1979,,5\n'
    files = {"ratings.csv": CSV, "movies.csv": films}
    columns = {"movie": "sku", "title": "label", "year": "made", "genres": "kind"}
    movies = Input(files, columns=columns).read(tmp_path).movies
    assert movies is not None
    assert movies.rows() == [
        (10, "Heat (1995)", "Crime|Drama"),
        (11, "Net (1995)", "Drama | War"),
        (12, None, None),
    ]


def test_genres_may_be_lists_in_parquet(tmp_path: Path) -> None:
    films = pl.DataFrame(
        {
            "movieId": [10, 11],
            "title": ["Heat", None],
            "genres": [["Crime", "Drama"], None],
            "year": [1995, 1996],
        }
    )
    movies = Input({"ratings.csv": CSV, "movies.parquet": to_parquet(films)}).read(tmp_path).movies
    assert movies is not None
    assert movies.rows() == [(10, "Heat (1995)", "Crime|Drama"), (11, None, None)]


def test_genres_may_be_lists_in_json_lines(tmp_path: Path) -> None:
    films = to_json_lines(
        [{"id": 10, "title": "Heat", "genres": ["Crime", "Drama"]}, {"id": 11, "title": "Net", "genres": []}]
    )
    movies = Input({"ratings.csv": CSV, "movies.jsonl": films}).read(tmp_path).movies
    assert movies is not None
    assert movies.rows() == [(10, "Heat", "Crime|Drama"), (11, "Net", None)]


def test_ignored_columns_are_noted_for_every_format(tmp_path: Path) -> None:
    for name, contents in {
        "a.csv": INPUTS["more columns"].files["c.csv"],
        "b.parquet": to_parquet(FRAME.with_columns(device=pl.lit("tv"))),
    }.items():
        (tmp_path / name).write_bytes(contents)
        assert read_tables(tmp_path / name).notes == (f"{name}: ignored columns 'device'",)


MALFORMED = {
    "no file": (Input({}, "clicks.csv"), "no such file or directory"),
    "no file of a pattern": (Input({}, "clicks-*.csv"), "no file has a name of this pattern"),
    "an empty directory": (Input({"readme.md": b"x"}), "no interactions; looked for"),
    "several files": (Input({"a.csv": CSV, "b.csv": CSV}), "several files may hold the interactions"),
    "two files of one table": (Input({"ratings.csv": CSV, "ratings.parquet": to_parquet(FRAME)}), "both exist"),
    "only empty part files": (Input({"p-0.csv": b"", "p-1.csv": b""}), "p-0.csv: is empty"),
    "only headers": (Input({"p-0.csv": HEADER, "p-1.csv": HEADER}), "has a header but no rows"),
    "parts with other columns": (Input({"p-0.csv": CSV, "p-1.csv": b"user,item,time\n1,2,3\n"}), "p-1.csv: has other columns than p-0.csv"),
    "decimal commas": (Input({"c.csv": b"user;item;rating;time\n1;2;3,5;1112485987\n"}), "c.csv, line 2, column rating: '3,5' is not a number"),
    "a time column and a date column": (Input({"c.csv": b"user,item,time,date\n1,2,3,4\n"}), "'time' and 'date' could both be the column Timestamp: say which, such as --columns time=time"),
    "two usual names": (Input({"c.csv": b"user_id,userId,item,time\n1,2,3,4\n"}), "'user_id' and 'userId' could both be the column UserID"),
    "a mapping of two roles to one column of Parquet": (Input({"c.parquet": to_parquet(FRAME)}, columns={"time": "Rating", "rating": "Rating"}), "c.parquet: 'Rating' is named for both rating and time"),
    "a name twice": (Input({"c.csv": b"UserID,MovieID,MovieID,Timestamp\n1,2,3,4\n"}), "c.csv, line 1, column MovieID: is in the header more than once"),
    "ratings as words": (Input({"c.csv": b"user,item,rating,time\n1,2,good,1112485987\n"}), "c.csv, line 2, column rating: 'good' is not a number"),
    "ratings as words in Parquet": (Input({"c.parquet": to_parquet(FRAME.with_columns(Rating=pl.lit("good")))}), "c.parquet, column Rating: has type String"),
    "a mapping to a missing column": (Input({"c.csv": CSV}, columns={"user": "account"}), "no table has a column 'account', which is named for user"),
    "a mapping to a missing column of Parquet": (Input({"c.parquet": to_parquet(FRAME)}, columns={"time": "when"}), "no table has a column 'when', which is named for time"),
    "a mapping to a missing column of movies": (Input({"ratings.csv": CSV, "movies.csv": b"movieId,title\n1,x\n"}, columns={"genres": "kind"}), "no table has a column 'kind', which is named for genres"),
    "a mapping of two roles to one column": (Input({"c.csv": CSV}, columns={"user": "UserID", "movie": "UserID"}), "'UserID' is named for both user and movie"),
    "milliseconds among seconds": (Input({"c.csv": CSV + b"1,10,4,1112485987000\n"}), "c.csv, line 5, column Timestamp: 1112485987000 looks like milliseconds"),
    "seconds among milliseconds": (Input({"c.csv": HEADER + b"1,10,4,1112485987000\n1,11,4,1112485987001\n1,12,4,1112485987\n"}), "c.csv, line 4, column Timestamp: 1112485987 looks like seconds"),
    "seconds among ISO times": (Input({"c.csv": HEADER + b"1,10,4,2001-01-01\n1,11,4,2001-01-02\n1,12,4,1112485987\n"}), "c.csv, line 4, column Timestamp: '1112485987' is not a time in ISO 8601"),
    "slash dates": (Input({"c.csv": HEADER + b"1,10,4,03/04/2005 11:00\n"}), "c.csv, line 2, column Timestamp: '03/04/2005 11:00' is ambiguous"),
    "dotted dates": (Input({"c.csv": HEADER + b"1,10,4,3.4.2005\n"}), "c.csv, line 2, column Timestamp: '3.4.2005' is ambiguous"),
    "an ISO date that doesn't exist": (Input({"c.csv": HEADER + b"1,10,4,2001-02-29\n1,10,4,2001-02-28\n"}), "c.csv, line 2, column Timestamp: '2001-02-29' is not a time"),
    "an ISO date before 1970": (Input({"c.csv": HEADER + b"1,10,4,1969-12-31\n"}), "c.csv, line 2, column Timestamp: 1969-12-31 lies outside 1970 to 2100"),
    "a null time in Parquet": (Input({"c.parquet": to_parquet(FRAME.with_columns(Timestamp=pl.Series([1, None, 3])))}), "c.parquet, column Timestamp: row 2: the cell is empty"),
    "an empty number as an id": (Input({"c.csv": CSV + b",10,4,1112485987\n"}), "c.csv, line 5, column UserID: the cell is empty"),
    "an empty text as an id": (Input({"c.csv": CSV + b",heat,4,1112485987\n"}), "c.csv, line 5, column UserID: the cell is empty"),
    "an id of blanks": (Input({"c.csv": CSV + b"ann,  ,4,1112485987\n"}), "c.csv, line 5, column MovieID: "),
    "a null id in Parquet": (Input({"c.parquet": to_parquet(FRAME.with_columns(UserID=pl.Series(["a", None, "b"])))}), "c.parquet, column UserID: row 2: the cell is empty"),
    "a control character in an id": (Input({"c.csv": CSV + b"an\x07n,10,4,1112485987\n"}), "c.csv, line 5, column UserID: 'an\\x07n' holds a control character"),
    "a line break in an id": (Input({"c.csv": CSV + b'"an\nn",10,4,1112485987\n'}), "c.csv, line 5, column UserID: 'an\\nn' holds a control character"),
    "an id that is too long": (Input({"c.csv": CSV + b"a" * 256 + b",10,4,1112485987\n"}), "has 256 characters"),
    "a negative id": (Input({"c.csv": CSV + b"-1,10,4,1112485987\n"}), "c.csv, line 5, column UserID: -1 is negative"),
    "a fraction as an id": (Input({"c.csv": CSV + b"1.0,10,4,1112485987\n"}), "c.csv, line 5, column UserID: '1.0' is not a whole number"),
    "a movie twice": (Input({"ratings.csv": CSV, "movies.csv": b"id,title\nheat,Heat\nheat,Heat 2\n"}), "movies.csv, line 3, column id: heat is already on line 2"),
    "a year in words": (Input({"ratings.csv": CSV, "movies.csv": b"id,title,year\n1,Heat,old\n"}), "movies.csv, line 2, column year: 'old' is not a"),
    "JSON that isn't one object a line": (Input({"c.jsonl": b"[1, 2]\n"}), "c.jsonl, line 1: can't be read as JSON"),
    "a spreadsheet": (Input({"c.csv": b"PK\x03\x04"}), "is a zip archive or a spreadsheet"),
    "a rating of 10 without a word on the scale": (Input({"c.csv": CSV + b"1,12,10,1112485987\n"}), "--liked-from"),
    "thumbs without a word on the scale": (Input({"c.csv": HEADER + b"1,12,1,1112485987\n1,13,0,1112485987\n"}), "--liked-from"),
    "percentages in Parquet without a word": (Input({"c.parquet": to_parquet(FRAME.with_columns(pl.col("Rating") * 20))}), "--liked-from"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_input_gets_a_clear_error(tmp_path: Path, name: str) -> None:
    given, message = MALFORMED[name]
    with pytest.raises(DataError) as error:
        given.read(tmp_path)
    assert message in str(error.value)
