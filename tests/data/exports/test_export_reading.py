"""Invented exports in each form, and their broken versions."""

import pytest

from nextreel.data.data_format import DataFormat
from nextreel.data.exports.export_files import MOST_BYTES
from nextreel.data.exports.export_reading import MOST_ROWS
from nextreel.data.exports.viewings import Viewing
from nextreel.data.times import parse_iso
from nextreel.errors import DataError
from tests.data.exports.invented import (
    DIARY,
    FORMS,
    IMDB,
    IMDB_OF_2020,
    IMDB_UNTIL_2017,
    MOVIELENS,
    NETFLIX,
    OWN_ROWS,
    RATINGS,
    WATCHED,
    pack,
    read,
)


def only(viewings: tuple[Viewing, ...]) -> Viewing:
    assert len(viewings) == 1
    return viewings[0]


def days(viewings: tuple[Viewing, ...]) -> list[tuple[str | None, str | None]]:
    """Title and day of each viewing."""
    names = {parse_iso(day): day for day in ALL_DAYS}
    return [(v.title, None if v.time is None else names[v.time.timestamp]) for v in viewings]


ALL_DAYS = [
    f"{year}-{month:02}-{day:02}"
    for year in (2015, 2020, 2021, 2022, 2023)
    for month in range(1, 13)
    for day in range(1, 32)
    if day <= 28 or month not in (2, 4, 6, 9, 11)
]


@pytest.mark.parametrize(("form", "text"), FORMS.items(), ids=list(FORMS))
def test_a_form_is_recognised_by_its_header_under_any_name(form: str, text: str) -> None:
    assert read(text, name="something.else").forms == (form,)


def test_letterboxd_ratings_are_stars_with_a_day_and_a_year() -> None:
    heat, alien = read(RATINGS).viewings
    assert (heat.title, heat.year, heat.stars) == ("Heat", 1995, 4.5)
    assert (alien.title, alien.stars) == ("Alien", 3)
    assert days((heat, alien)) == [("Heat", "2023-01-01"), ("Alien", "2023-01-02")]


def test_the_diary_has_the_days_of_watching_once_for_each() -> None:
    assert days(read(DIARY).viewings) == [("Heat", "2020-05-01"), ("Heat", "2022-05-01")]


def test_a_movie_in_several_letterboxd_files_has_the_days_of_the_diary_and_the_rating_of_the_ratings() -> (
    None
):
    export = read(pack({"ratings.csv": RATINGS, "diary.csv": DIARY, "watched.csv": WATCHED}))
    assert days(export.viewings) == [
        ("Heat", "2020-05-01"),
        ("Heat", "2022-05-01"),
        ("Alien", "2023-01-02"),
        ("I, Robot", "2023-03-01"),
    ]
    assert [viewing.stars for viewing in export.viewings] == [4.5, 5, 3, None]


def test_a_zip_of_a_folder_is_read_without_its_deleted_entries_and_its_list_of_movies_to_watch() -> None:
    other = WATCHED.replace("I, Robot", "Never Seen")
    files: dict[str, str | bytes] = {
        "export/ratings.csv": RATINGS,
        "export/watchlist.csv": other,
        "export/deleted/diary.csv": DIARY,
        "export/profile.csv": "Date Joined,Username\n2020-01-01,me\n",
        "__MACOSX/export/._ratings.csv": b"\0\1",
    }
    assert [viewing.title for viewing in read(pack(files)).viewings] == ["Heat", "Alien"]


@pytest.mark.parametrize("text", [IMDB, IMDB_OF_2020, IMDB_UNTIL_2017])
def test_of_imdb_only_movies_are_read_with_half_of_their_rating(text: str) -> None:
    export = read(text)
    heat = only(export.viewings)
    assert (heat.imdb_id, heat.stars, heat.year) == (113_277, 4.5, 1995)
    assert export.n_episodes == text.count("\n") - 2


def test_a_movie_on_a_list_of_imdb_without_a_rating_was_not_watched() -> None:
    export = read(IMDB.replace("tt0113277,9,", "tt0113277,,"))
    assert export.viewings == ()
    assert export.notes == ("1 title of a list without your rating left out.",)


def test_netflix_has_no_ratings_and_its_episodes_are_left_out() -> None:
    export = read(NETFLIX)
    assert days(export.viewings) == [
        ("The Lord of the Rings: The Two Towers", "2023-01-02"),
        ("Heat", "2023-01-30"),
    ]
    assert not any(viewing.is_rated for viewing in export.viewings)
    assert export.n_episodes == 1


def test_several_titles_with_the_same_beginning_and_two_colons_are_a_series() -> None:
    rows = 'Title,Date\n"Show: One: A",2023-01-03\n"Show: Two: B",2023-01-02\n"Film: Big: Long",2023-01-01\n'
    export = read(rows)
    assert only(export.viewings).title == "Film: Big: Long"
    assert export.n_episodes == 2


def test_the_newest_first_are_read_from_the_end_so_that_a_day_keeps_its_order() -> None:
    rows = "Title,Date\nLast,2023-01-02\nSecond,2023-01-01\nFirst,2023-01-01\n"
    assert [viewing.title for viewing in read(rows).viewings] == ["First", "Second", "Last"]


def test_movielens_own_export_has_imdb_ids_and_titles_with_years() -> None:
    heat, thing = read(MOVIELENS).viewings
    assert (heat.movie_id, heat.imdb_id, heat.title, heat.year) == ("6", 113_277, "Heat", 1995)
    assert (thing.title, thing.year, thing.time) == ("The Thing", 1982, None)


def test_rows_of_a_data_set_have_times_and_ratings_on_its_scale() -> None:
    heat, _ = read(OWN_ROWS).viewings
    assert heat.time is not None
    assert (heat.movie_id, heat.rating, heat.time.timestamp, heat.time.is_day) == (
        "6",
        4.5,
        1_600_000_000,
        False,
    )


def test_columns_of_any_csv_file_can_be_named() -> None:
    named = DataFormat.parse("title=film,time=seen,rating=mark,year=made")
    heat = only(read("film;seen;mark;made\nHeat;2023-01-01;4,5;1995\n", format_=named).viewings)
    assert (heat.title, heat.year, heat.rating) == ("Heat", 1995, 4.5)


BYTES = RATINGS.encode()
SAME = {
    "a byte order mark": b"\xef\xbb\xbf" + BYTES,
    "semicolons": BYTES.replace(b",", b";"),
    "tabs": BYTES.replace(b",", b"\t"),
    "Windows' line ends": BYTES.replace(b"\n", b"\r\n"),
    "no line end": BYTES.rstrip(),
    "quotes around everything": b"\n".join(
        b'"' + line.replace(b",", b'","') + b'"' for line in BYTES.rstrip().split(b"\n")
    ),
    "blank lines": BYTES.replace(b"\n", b"\n\n"),
    "capitals in the header": BYTES.replace(b"Date,Name", b"DATE,NAME"),
    "other columns behind": BYTES.replace(b"Rating\n", b"Rating,Mood\n").replace(b"4.5\n", b"4.5,x\n").replace(b",3\n", b",3,y\n"),
}  # fmt: skip


@pytest.mark.parametrize("data", SAME.values(), ids=list(SAME))
def test_a_deviation_is_read_as_if_it_were_none(data: bytes) -> None:
    assert [(*v.film, v.stars) for v in read(data).viewings] == [
        (*v.film, v.stars) for v in read(RATINGS).viewings
    ]


HEADER = "Date,Name,Year,Letterboxd URI,Rating\n"
GOOD = "2023-01-01,Heat,1995,u,4\n"
BAD_ROWS = {
    "2023-13-45,Heat,1995,u,4": "line 3, column Date: '2023-13-45' is not a date; expected a date such as 2021-03-04",
    "yesterday,Heat,1995,u,4": "line 3, column Date: 'yesterday' is not a date; expected a date such as 2021-03-04",
    "2031-01-01,Heat,1995,u,4": "line 3, column Date: '2031-01-01' lies in the future",
    "9999-01-01,Heat,1995,u,4": "line 3, column Date: '9999-01-01' lies after 2099; expected a date such as 2021-03-04",
    "2023-01-01,Heat,95,u,4": "line 3, column Year: '95' is not a year",
    "2023-01-01,Heat,1995,u,7": "line 3, column Rating: 7 is not a rating from 0.5 to 5",
    "2023-01-01,Heat,1995,u,nan": "line 3, column Rating: 'nan' is not a rating",
    "2023-01-01,,1995,u,4": "line 3, column Name: no movie is named",
    "2023-01-01,Heat,1995": "line 3: 3 fields; expected 5 as in the header",
    '2023-01-01,"Heat,1995,u,4': "line 3: a quote is opened but never closed",
}


@pytest.mark.parametrize(("row", "problem"), BAD_ROWS.items(), ids=list(BAD_ROWS))
def test_a_bad_row_is_left_out_and_listed(row: str, problem: str) -> None:
    export = read(HEADER + GOOD + row + "\n", name="x.csv")
    assert len(export.viewings) == 1
    assert [str(problem) for problem in export.problems] == [f"x.csv, {problem}"]


def test_without_a_single_good_row_the_problems_are_an_error() -> None:
    with pytest.raises(DataError, match=r"x\.csv, line 2, column Rating: 9 is not a rating from 0\.5 to 5"):
        read(HEADER + "2023-01-01,Heat,1995,u,9\n", name="x.csv")


MANY = HEADER + GOOD * (MOST_ROWS + 1)
BOMB = pack({"ratings.csv": HEADER + "x" * (2 * MOST_BYTES)})
ENCRYPTED = bytearray(pack({"ratings.csv": RATINGS}))
ENCRYPTED[ENCRYPTED.index(b"PK\x01\x02") + 8] |= 1
BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "is empty; expected an export"),
    "blank": (b" \n \n", "is empty; expected an export"),
    "only a header": (HEADER, "has a header but no rows"),
    "binary": (b"Title,Date\n\0\0\n", "line 2: holds a NUL byte; expected text"),
    "UTF-16": (RATINGS.encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
    "gzip": (b"\x1f\x8b\x08\x00", "is gzipped; unpack it first"),
    "another table": ("Name,Price\nTea,3\n", "line 1: has the header 'Name, Price'; expected the header of an export"),
    "too long": (MANY, "has more than 50,000 rows; expected one person's export"),
    "too large": (b"x" * (MOST_BYTES + 1), "has more than 10,000,000 bytes; expected one person's export"),
    "a zip bomb": (BOMB, "is a zip that unpacks to more than 10,000,000 bytes; expected one person's export"),
    "a zip without an export": (pack({"a.txt": "x"}), "is a zip without an export in it; expected the header"),
    "a zip in a zip": (pack({"a.zip": pack({"ratings.csv": RATINGS})}), "is a zip without an export in it"),
    "an encrypted zip": (bytes(ENCRYPTED), "is an encrypted zip; unpack it first"),
    "a damaged zip": (pack({"ratings.csv": RATINGS})[:-30], "is a zip that can't be unpacked (File is not a zip file)"),
    "several users": (OWN_ROWS + "8,6,4,1600000000\n", "column userId: has the rows of 2 users; expected one person's"),
    "undecided dates": (
        "Title,Date\nHeat,1/2/23\nAlien,3/1/23\nBig,2/2/23\nRed,1/1/23\n",
        "column Date: dates such as 1/2/23 may begin with the day or with the month, and nothing in the column tells "
        "which: say --dates day-first or --dates month-first",
    ),
    "quotes everywhere": (HEADER + '"a,b\n' * 200, "isn't a CSV file: text follows a closing quote"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_a_bad_file_is_one_clear_error(data: str | bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(data, name="x.csv")
    assert str(caught.value).startswith("x.csv, line" if message.startswith("line") else "x.csv")
    assert message in str(caught.value)


def test_a_list_of_movies_to_watch_is_refused_by_its_name() -> None:
    with pytest.raises(DataError, match=r"watchlist\.csv: is a list of movies to watch"):
        read(WATCHED, name="watchlist.csv")


def test_a_named_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="no column 'film', which is named for title; found title, year"):
        read("title,year\nHeat,1995\n", format_=DataFormat.parse("title=film,year=year"))


def test_a_formula_in_a_title_is_only_a_title() -> None:
    assert only(read('Title,Date\n"=1+1",2023-01-01\n').viewings).title == "=1+1"


def test_dates_before_1970_count_as_its_first_day() -> None:
    time = only(read(HEADER + "1955-01-01,Heat,1995,u,4\n").viewings).time
    assert time is not None
    assert time.timestamp == 0
