"""Ids as people have them: numbers stay numbers only if every id is one, and texts come out unchanged."""

from pathlib import Path

import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_id
from nextreel.data.reading.table_reader import read_dataset, read_queries, read_tables
from nextreel.data.splitting.split_directory import read_train_test, write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import DataError
from tests.data.reading.test_inputs import to_parquet

LARGEST = 2**63 - 1


def write(path: Path, ids: list[str], movie: str = "10") -> Path:
    path.write_text(
        "UserID,MovieID,Timestamp\n" + "".join(f"{id_},{movie},{n}\n" for n, id_ in enumerate(ids))
    )
    return path


NUMBERS = {
    "numbers": ["1", "0", "42"],
    "the largest number": ["1", str(LARGEST)],
    "quoted numbers": ['"1"', '"2"'],
    "numbers with blanks around": [" 1", "2 "],
}
TEXTS = {
    "UUIDs": ["6f1c9a52-1d50-4a57-9f5c-6d5c0a4c1b7e", "00000000-0000-0000-0000-000000000000"],
    "IMDb's ids": ["tt0111161", "tt0000001"],
    "names": ["Ann", "ann", "Zoë", "李雷", "a/b c%20"],
    "a leading zero": ["7", "007"],
    "a zero of two digits": ["0", "00"],
    "a plus": ["7", "+7"],
    "20 digits": ["1", "12345678901234567890"],
    "one more than 64 bits hold": ["1", str(LARGEST + 1)],
    "a leading zero that is quoted": ["7", '"007"'],
    "a leading zero with blanks before": ["7", " 007"],
    "a text in the last row": [*map(str, range(3_000)), "x"],
    "a leading zero in the last row": [*map(str, range(3_000)), "00"],
    "hexadecimal numbers": ["0x10", "1f"],
    "texts with a comma": ['"ann, b"', '"c ""d"""'],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_stay_numbers(tmp_path: Path, name: str) -> None:
    rows = read_tables(write(tmp_path / "c.csv", NUMBERS[name])).interactions
    assert rows["UserID"].to_list() == [int(text.strip('" ')) for text in NUMBERS[name]]


@pytest.mark.parametrize("end", ["", "\r"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("name", TEXTS)
def test_texts_come_out_unchanged(tmp_path: Path, name: str, end: str) -> None:
    file = write(tmp_path / "c.csv", TEXTS[name])
    if end:
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    rows = read_tables(file).interactions
    expected = [text[1:-1].replace('""', '"') if text.startswith('"') else text for text in TEXTS[name]]
    assert rows["UserID"].to_list() == expected
    assert rows["MovieID"].to_list() == [10] * len(expected), "movies have ids of their own kind"
    assert Dataset.from_tables(read_tables(file)).interactions()["UserID"].to_list() == expected


@pytest.mark.parametrize("name", TEXTS)
def test_one_file_with_texts_makes_all_ids_texts(tmp_path: Path, name: str) -> None:
    write(tmp_path / "part-1.csv", ["1", "2"])
    write(tmp_path / "part-2.csv", TEXTS[name])
    write(tmp_path / "part-3.csv", ["3"])
    users = read_tables(tmp_path).interactions["UserID"]
    assert [*users[:2], users[-1]] == ["1", "2", "3"]


def test_a_text_in_the_users_file_makes_all_ids_texts(tmp_path: Path) -> None:
    write(tmp_path / "ratings.csv", ["1", "2"])
    (tmp_path / "users.csv").write_text("id,age\n1,20\n007,30\n")
    tables = read_tables(tmp_path)
    assert tables.users is not None
    assert tables.interactions["UserID"].to_list() == ["1", "2"]
    assert tables.users["UserID"].to_list() == ["1", "007"]


def test_a_text_in_the_movies_file_makes_all_ids_texts(tmp_path: Path) -> None:
    write(tmp_path / "ratings.csv", ["1", "2"])
    (tmp_path / "movies.csv").write_text("id,title\n10,Heat\ntt1,Alien\n")
    dataset = read_dataset(tmp_path)
    assert dataset.movies["MovieID"].to_list() == sorted(["10", "tt1"], key=encode_id)
    assert dataset.users["UserID"].to_list() == [1, 2]


def test_a_text_column_of_parquet_stays_one(tmp_path: Path) -> None:
    rows = pl.DataFrame({"UserID": ["1", "2"], "MovieID": [10, 11], "Timestamp": [1, 2]})
    (tmp_path / "c.parquet").write_bytes(to_parquet(rows))
    assert read_tables(tmp_path / "c.parquet").interactions["UserID"].to_list() == ["1", "2"]


def test_numbers_of_one_parquet_file_beside_texts_of_another_are_texts(tmp_path: Path) -> None:
    for name, users in {"a-1": ["x", "2"], "a-2": [1, 2]}.items():
        rows = pl.DataFrame({"UserID": users, "MovieID": [10, 11], "Timestamp": [1, 2]})
        (tmp_path / f"{name}.parquet").write_bytes(to_parquet(rows))
    assert read_tables(tmp_path).interactions["UserID"].to_list() == ["x", "2", "1", "2"]


def test_a_part_of_a_split_keeps_the_kind_of_the_whole(tmp_path: Path) -> None:
    """The train part alone would look numeric: the only text is in the test part."""
    lines = [f"{user},{movie},{time}" for user in (1, 2) for time, movie in enumerate((10, 11, 12, "tt13"))]
    (tmp_path / "c.csv").write_text("UserID,MovieID,Timestamp\n" + "\n".join(lines) + "\n")
    write_split(tmp_path / "c.csv", tmp_path / "parts", SplitRule.for_rule("leave-one-out"))
    assert "tt" not in (tmp_path / "parts" / "train.csv").read_text()
    parts = read_train_test(tmp_path / "parts")
    assert parts.train.movies["MovieID"].to_list() == sorted(["10", "11", "12"], key=encode_id)
    assert parts.test["MovieID"].to_list() == ["tt13", "tt13"]
    assert read_dataset(tmp_path / "parts").users["UserID"].to_list() == [1, 2]


def test_queries_follow_the_kind_of_the_data_set(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n7,1\n8,2\n")
    (tmp_path / "t.csv").write_text("UserID,Timestamp\n7,1\nann,2\n")
    texts = read_dataset(write(tmp_path / "texts.csv", ["7", "ann"]))
    numbers = read_dataset(write(tmp_path / "numbers.csv", ["7", "8"]))
    assert read_queries(tmp_path / "q.csv", texts.format)["UserID"].to_list() == ["7", "8"]
    assert read_queries(tmp_path / "q.csv", numbers.format)["UserID"].to_list() == [7, 8]
    with pytest.raises(
        DataError, match=r"t\.csv, line 3, column UserID: 'ann' is not a number; expected a whole number"
    ):
        read_queries(tmp_path / "t.csv", numbers.format)


@pytest.mark.parametrize("written", ["007", "+7", '"007"'])
def test_another_way_of_writing_a_number_is_an_error_among_numbers(tmp_path: Path, written: str) -> None:
    numbers = read_dataset(write(tmp_path / "numbers.csv", ["7", "8"]))
    (tmp_path / "q.csv").write_text(f"UserID,Timestamp\n{written},1\n")
    with pytest.raises(DataError, match=r"q\.csv, line 2, column UserID: .* isn't written as a number is"):
        read_queries(tmp_path / "q.csv", numbers.format)


def test_the_longest_text_is_an_id(tmp_path: Path) -> None:
    users = read_tables(write(tmp_path / "c.csv", ["a" * 255, "b"])).interactions["UserID"]
    assert users.to_list() == ["a" * 255, "b"]


def test_texts_that_polars_takes_for_nothing_are_ids(tmp_path: Path) -> None:
    ids = ["null", "None", "true", "#", "-", "1e5x", "NULL"]
    assert read_tables(write(tmp_path / "c.csv", ids)).interactions["UserID"].to_list() == ids
