"""`nextreel recommend` for many queries: files of users, all users, ISO times, stdout, and marks on fallbacks."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.cli.commands import fail, nextreel, succeed

AT = 1_700_000_000
MOVIE_COLUMNS = ["MovieID1", "MovieID2", "MovieID3"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("fit", "data", "--out", "model", "--model", "item-knn", cwd=home)
    (home / "queries.csv").write_text(f"UserID,Timestamp\n5,{AT}\n2,{AT}\n")
    (home / "users.csv").write_text("UserID\n5\n2\n")
    return home


def answer(home: Path, *arguments: object) -> str:
    return succeed("recommend", "model", *arguments, "-k", 3, "--out", "-", cwd=home)


def test_lists_of_popular_movies_are_counted_on_stderr(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(f"UserID,Timestamp\n5,{AT}\n999,{AT}\n2,{AT}\n998,{AT}\n")
    out = tmp_path / "a.csv"
    done = nextreel("recommend", "model", "--queries", tmp_path / "q.csv", "--out", out, cwd=home)
    assert done.stderr == "2 of 4 queries: unknown user, answered with popularity\n"
    assert pl.read_csv(out).columns == ["UserID", "Timestamp", *(f"MovieID{rank}" for rank in range(1, 11))]


def test_lists_that_were_filled_up_are_counted_on_stderr(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    done = nextreel("recommend", "model", "--queries", "queries.csv", "-k", 90, "--out", out, cwd=home)
    seen = pl.read_csv(home / "data" / "ratings_train.csv").filter(
        pl.col("UserID").is_in([2, 5]), pl.col("Timestamp") < AT
    )
    expected = (
        f"movies left to recommend, so that {seen.select('UserID', 'MovieID').n_unique()} movies only fill up"
    )
    assert done.stderr.startswith("2 of 2 queries: too few ")
    assert expected in done.stderr


def test_explained_answers_have_two_more_columns(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(f"UserID,Timestamp\n5,{AT}\n999,{AT}\n")
    arguments = ("--queries", tmp_path / "q.csv", "--explain-answers", "-k", 3)
    nextreel("recommend", "model", *arguments, "--out", tmp_path / "a.csv", cwd=home)
    answers = pl.read_csv(tmp_path / "a.csv")
    assert answers.columns == ["UserID", "Timestamp", *MOVIE_COLUMNS, "Fallback", "Shortfall"]
    assert answers["Fallback"].to_list() == [None, "popularity"]
    assert answers["Shortfall"].to_list() == [0, 0]


def test_users_without_times_are_asked_for_at_one_time(home: Path) -> None:
    assert answer(home, "--queries", "users.csv", "--at", AT) == answer(home, "--queries", "queries.csv")


def test_all_users_are_asked_for_at_one_time(home: Path) -> None:
    lines = answer(home, "--all-users", "--at", "2023-11-14T22:13:20").splitlines()
    assert len(lines) == 61
    assert sorted(answer(home, "--queries", "queries.csv").splitlines()[1:]) == [
        line for line in lines if line.startswith(("2,", "5,"))
    ]


def test_all_users_without_a_time_are_asked_for_now(home: Path) -> None:
    timestamp = int(answer(home, "--all-users").splitlines()[1].split(",")[1])
    assert abs(timestamp - datetime.now(UTC).timestamp()) < 100


@pytest.mark.parametrize("time", ["2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-11-15T00:13:20+02:00"])
def test_queries_may_have_iso_times(home: Path, tmp_path: Path, time: str) -> None:
    (tmp_path / "q.csv").write_text(f"UserID,Timestamp\n5,{time}\n2,{time}\n")
    assert answer(home, "--queries", tmp_path / "q.csv") == answer(home, "--queries", "queries.csv")


@pytest.mark.parametrize("column", ["text", "datetime", "zoned", "missing"])
def test_a_parquet_file_may_have_other_times_or_none(home: Path, tmp_path: Path, column: str) -> None:
    time = datetime.fromtimestamp(AT, UTC)
    times = {"text": time.isoformat(), "datetime": time.replace(tzinfo=None), "zoned": time}
    queries = pl.DataFrame({"UserID": [5, 2]})
    if column != "missing":
        queries = queries.with_columns(Timestamp=pl.lit(times[column]))
    queries.write_parquet(tmp_path / "q.parquet")
    at = ["--at", AT] if column == "missing" else []
    assert answer(home, "--queries", tmp_path / "q.parquet", *at) == answer(home, "--queries", "queries.csv")


def test_stdout_has_the_table_and_nothing_else(home: Path) -> None:
    printed = answer(home, "--queries", "queries.csv")
    assert printed.splitlines()[0] == ",".join(["UserID", "Timestamp", *MOVIE_COLUMNS])
    assert len(printed.splitlines()) == 3


def test_a_reader_that_closes_early_is_no_error(home: Path) -> None:
    command = f"{sys.executable} -m nextreel recommend model --all-users --out - | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=home, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UserID,Timestamp,MovieID1")
    assert done.stderr == ""


def test_an_existing_file_is_replaced_only_by_force(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    arguments = ("recommend", "model", "--queries", "queries.csv", "--out", out)
    succeed(*arguments, cwd=home)
    assert "exists already" in fail(*arguments, cwd=home)
    succeed(*arguments, "--force", cwd=home)


def test_scores_are_in_the_table_only_on_request_and_always_in_json(home: Path) -> None:
    assert "Score" not in succeed("recommend", "model", "--user", 3, cwd=home)
    assert "Score" in succeed("recommend", "model", "--user", 3, "--scores", cwd=home)
    assert json.loads(succeed("recommend", "model", "--user", 3, "--json", cwd=home))["recommendations"][0][
        "Score"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--queries", "users.csv"],
            "users.csv has no column Timestamp: give the time of all queries with --at",
        ),
        (["--queries", "queries.csv", "--at", "now"], "queries.csv has a time for each query"),
        (["--queries", "queries.csv", "--all-users"], "name either one user with --user"),
        (["--queries", "queries.csv", "--json"], "--json and --scores are for one user"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_contradictions_are_one_clear_message(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail("recommend", "model", *arguments, "--out", "-", cwd=home)


def test_all_users_need_a_file(home: Path) -> None:
    assert "--all-users needs --out" in fail("recommend", "model", "--all-users", cwd=home)


def test_explained_answers_are_for_files(home: Path) -> None:
    message = fail("recommend", "model", "--user", 3, "--explain-answers", cwd=home)
    assert "--explain-answers is for the file" in message


def test_ties_are_for_files(home: Path) -> None:
    message = fail("recommend", "model", "--user", 3, "--ties", "file-order", cwd=home)
    assert "--ties is for the file" in message


def test_with_file_order_ties_what_the_data_hold_of_the_querys_second_is_seen(
    home: Path, tmp_path: Path
) -> None:
    user, timestamp = pl.read_csv(home / "data" / "ratings_train.csv").select("UserID", "Timestamp").row(0)
    (tmp_path / "q.csv").write_text(f"UserID,Timestamp\n{user},{timestamp}\n")
    arguments = ("recommend", "model", "--queries", tmp_path / "q.csv", "-k", 90, "--explain-answers")
    n_seen = []
    for ties in ("strict", "file-order"):
        nextreel(*arguments, "--ties", ties, "--out", tmp_path / f"{ties}.csv", cwd=home)
        n_seen.append(pl.read_csv(tmp_path / f"{ties}.csv")["Shortfall"][0])
    assert n_seen[0] < n_seen[1]


def test_a_malformed_time_names_its_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n5,2023-11-14\n2,soon\n")
    message = fail("recommend", "model", "--queries", tmp_path / "q.csv", "--out", "-", cwd=home)
    assert message.startswith("nextreel: q.csv, line 3, column Timestamp: 'soon' is not a time")


def test_a_malformed_user_beside_iso_times_names_its_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n5,2023-11-14\n-2,2023-11-14\n")
    message = fail("recommend", "model", "--queries", tmp_path / "q.csv", "--out", "-", cwd=home)
    assert message.startswith("nextreel: q.csv, line 3, column UserID: -2 is negative")
