"""Merging the parts of partitioned data, and erasing users from them."""

from pathlib import Path

import pytest

from nextreel.data.data_format import DataFormat
from nextreel.data.ingest.ingestion import Sizes, ingest
from nextreel.data.ingest.maintenance import compact, forget
from nextreel.data.reading.partitioned_rows import open_partitioned
from nextreel.data.reading.table_reader import read_dataset, read_tables
from nextreel.errors import DataError
from tests.data.ingest.test_ingestion import contents, write


def ingest_days(home: Path, prefix: str = "") -> Path:
    for day in (3, 1, 2):
        source = home / f"day-{day}"
        source.mkdir()
        rows = (
            f"{prefix}{n % 7},{prefix}{n % 5},{1 + n % 4},{10**9 + day * 100 + n // 3}" for n in range(60)
        )
        write(source / "ratings.csv", *rows)
        write(source / "users.csv", *(f"{prefix}{user},30" for user in range(7)), header="UserID,Age\n")
        ingest(source, home / "data", sizes=Sizes(partitions=3))
    return home / "data"


@pytest.mark.parametrize("prefix", ["", "u"])
def test_merging_parts_changes_no_row(tmp_path: Path, prefix: str) -> None:
    data = ingest_days(tmp_path, prefix)
    before, n_partitions = read_tables(data), len(list((data / "rows").iterdir()))
    merged = compact(data)
    assert (merged.files_before, merged.files) == (3 * n_partitions, n_partitions)
    assert len(list(data.rglob("part-*"))) == n_partitions
    assert read_tables(data).interactions.equals(before.interactions)
    assert compact(data).files == n_partitions


def test_a_file_that_was_merged_is_still_known(tmp_path: Path) -> None:
    data = ingest_days(tmp_path)
    compact(data)
    with pytest.raises(DataError, match="was ingested already"):
        ingest(tmp_path / "day-2", data)


@pytest.mark.parametrize(("prefix", "user"), [("", 3), ("u", "u3")])
def test_an_erased_user_leaves_nothing_behind(tmp_path: Path, prefix: str, user: int | str) -> None:
    data = ingest_days(tmp_path, prefix)
    before = read_tables(data)
    n_rows = before.interactions.filter(before.interactions["UserID"] == user).height
    forgotten = forget(data, [user, 99 if prefix == "" else "stranger"])
    assert (forgotten.users, forgotten.rows) == (1, n_rows)
    found = read_tables(data)
    assert found.users is not None
    assert user not in found.users["UserID"]
    assert found.interactions.equals(before.interactions.filter(before.interactions["UserID"] != user))
    if prefix:
        assert user not in open_partitioned(data).dictionaries["UserID"]["UserID"]
        assert all(b"u3" not in (data / name).read_bytes() for name in contents(data) if "user" in name)


def test_erasing_again_finds_nobody(tmp_path: Path) -> None:
    data = ingest_days(tmp_path)
    forget(data, [3])
    before = read_dataset(data).fingerprint
    assert forget(data, [3]).users == 0
    assert read_dataset(data).fingerprint == before


def test_the_scale_is_that_of_the_ratings_that_stay(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", "1,1,-3,1000000000", "2,1,8,1000000000", "2,2,2,1000000001")
    ingest(file, tmp_path / "data", DataFormat.request(liked_from=7))
    forget(tmp_path / "data", [1])
    assert read_dataset(tmp_path / "data").scale.lowest == 2


def test_only_partitioned_data_can_be_changed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no partitions\.json: nextreel ingest SRC .* writes it"):
        compact(tmp_path)
