"""The options for files of other people: mappings and bad rows, as a user meets them."""

from pathlib import Path

from tests.cli.commands import fail, nextreel, succeed


def write_clicks(path: Path, extra: str = "") -> Path:
    rows = "".join(f"u{n % 9},m{n % 7},{1_000_000_000 + n},tv\n" for n in range(60))
    path.write_text("account,sku,timestamp,device\n" + rows + extra)
    return path


def test_bad_rows_of_a_file_with_other_names_are_set_aside(tmp_path: Path) -> None:
    clicks = write_clicks(tmp_path / "clicks.csv", "u1,m1,soon,tv\n")
    printed = succeed(
        *("check", clicks, "--columns", "user=account,movie=sku"),
        *("--quarantine", tmp_path / "bad.csv", "--clean", tmp_path / "clean"),
    )
    assert "clicks.csv: 1 invalid row set aside" in printed
    assert "is valid" in printed
    assert "u1,m1,soon,tv" in (tmp_path / "bad.csv").read_text()


def test_a_mapping_to_a_column_that_is_missing_is_an_error_of_every_command(tmp_path: Path) -> None:
    clicks = write_clicks(tmp_path / "clicks.csv")
    columns = ("--columns", "user=account,movie=sku,rating=stars")
    for command in (
        ("check", clicks),
        ("split", clicks, tmp_path / "p"),
        ("fit", clicks, "--out", tmp_path / "m"),
    ):
        message = fail(*command, *columns)
        assert "no table has a column 'stars', which is named for rating" in message


def test_a_mapping_may_be_given_again_for_a_split_that_remembers_it(tmp_path: Path) -> None:
    clicks, columns = write_clicks(tmp_path / "clicks.csv"), ("--columns", "user=account,movie=sku")
    succeed("split", clicks, tmp_path / "parts", *columns)
    again = nextreel(
        "fit", tmp_path / "parts", *columns, "--model", "popularity", "--out", tmp_path / "model"
    )
    assert again.returncode == 0, again.stderr


def test_recommendations_from_data_without_ratings_speak_of_what_was_watched(tmp_path: Path) -> None:
    clicks, columns = write_clicks(tmp_path / "clicks.csv"), ("--columns", "user=account,movie=sku")
    succeed("fit", clicks, *columns, "--model", "popularity", "--out", tmp_path / "model")
    printed = " ".join(
        succeed(
            "recommend", tmp_path / "model", "--user", "u1", "--at", "2003-01-01", "-k", 2, "--include-seen"
        ).split()
    )
    assert "Based on 7 events before that time" in printed
    assert "Watched last, newest first: m6; m4; m2." in printed
    assert "rating" not in printed
