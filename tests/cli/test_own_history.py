import json
from pathlib import Path

import pytest

from nextreel.data.dataset import Dataset
from nextreel.models.item_knn import ItemKNN
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from tests.cli.commands import fail, succeed
from tests.data.exports.invented import NETFLIX, RATINGS
from tests.prediction.test_own_history import MOVIES, ROWS


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = Dataset.from_frames(ROWS, MOVIES)
    path = tmp_path_factory.mktemp("own") / "model"
    save(Predictor(ItemKNN().fit(dataset), dataset), path)
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS + "2023-01-03,Robots,2004,u,4\n2023-01-04,=1+1,2004,u,4\n")
    return path


def test_an_export_gets_a_list_and_says_what_was_matched(saved: Path, export: Path) -> None:
    shown = succeed("recommend", saved, "--history", export, "--k", 2)
    assert "Letterboxd ratings: 2 of 4 films matched (2 by title and year)." in shown
    assert "What you should watch next" in shown
    assert "the catalog has no movie of this title" in shown


def test_json_has_the_list_and_what_was_matched(saved: Path, export: Path) -> None:
    answer = json.loads(succeed("recommend", saved, "--history", export, "--k", 2, "--json"))
    assert (answer["history"]["films"], answer["history"]["matched"]) == (4, 2)
    assert len(answer["recommendations"]) == 2
    assert "UserID" not in answer


def test_a_question_about_the_past(saved: Path, export: Path) -> None:
    answer = json.loads(
        succeed("recommend", saved, "--history", export, "--k", 2, "--at", "2023-01-02", "--json")
    )
    assert answer["history_length"] == 1


def test_unmatched_titles_are_written_filled_in_and_named(saved: Path, export: Path, tmp_path: Path) -> None:
    written = tmp_path / "matches.csv"
    succeed("recommend", saved, "--history", export, "--k", 2, "--unmatched", written)
    text = written.read_text()
    assert text.splitlines()[0] == "Title,Year,MovieID,Reason,Candidates"
    assert "'=1+1,2004,," in text
    written.write_text(text.replace("Robots,2004,", "Robots,2004,8").replace("'=1+1,2004,", "'=1+1,2004,9"))
    shown = succeed("recommend", saved, "--history", export, "--k", 1, "--matches", written)
    assert "4 of 4 films matched (2 by title and year and 2 by your file of matches)." in shown
    assert "exists already" in fail("recommend", saved, "--history", export, "--unmatched", written)


def test_a_backtest_needs_more_than_a_few_movies(saved: Path, export: Path) -> None:
    assert "a backtest needs movies watched" in fail(
        "recommend", saved, "--history", export, "--backtest", "--k", 2
    )


def test_dates_that_can_be_read_in_two_ways_need_a_word(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("Title,Date\nHeat,1/2/23\n")
    assert "say --dates day-first or --dates month-first" in fail("recommend", saved, "--history", path)
    shown = succeed("recommend", saved, "--history", path, "--dates", "day-first", "--k", 2)
    assert "1 of 1 film matched" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--user", 1], "--history is for one person"),
        (["--columns", "nonsense"], "isn't of the form role=column"),
        (["--backtest", "--at", "2020"], "--backtest asks about every day"),
    ],
)
def test_options_that_do_not_go_together(
    saved: Path, export: Path, options: list[object], message: str
) -> None:
    assert message in fail("recommend", saved, "--history", export, *options)


def test_options_of_a_history_need_one(saved: Path) -> None:
    assert "are for --history" in fail("recommend", saved, "--user", 1, "--dates", "day-first")


def test_a_missing_or_wrong_file_is_one_line(saved: Path, tmp_path: Path) -> None:
    assert "can't be read (No such file or directory)" in fail(
        "recommend", saved, "--history", tmp_path / "x"
    )
    (tmp_path / "x").write_text(NETFLIX.replace("Title", "Tomato"))
    assert "expected the header of an export" in fail("recommend", saved, "--history", tmp_path / "x")


def test_two_users_get_one_list_that_says_how_it_suits_whom(saved: Path) -> None:
    shown = succeed("recommend", saved, "--user", 2, "--user", 3, "--k", 2, "--at", "2023")
    assert "What user 2, user 3 should watch together" in shown
    answer = json.loads(
        succeed(
            "recommend", saved, "-u", 2, "-u", 3, "--k", 2, "--at", "2023", "--rule", "least-misery", "--json"
        )
    )
    assert answer["rule"] == "least-misery"
    assert [movie["Rank"] for movie in answer["recommendations"]] == [1]
    assert len(answer["recommendations"][0]["suits"]) == 2


def test_two_exports_get_one_list(saved: Path, export: Path, tmp_path: Path) -> None:
    other = tmp_path / "netflix.csv"
    other.write_text(NETFLIX)
    shown = succeed("recommend", saved, "--history", export, "--history", other, "--k", 3)
    assert "netflix.csv: Netflix viewing history: 1 of 2 films matched (1 by title alone)." in shown
    assert "What ratings.csv, netflix.csv should watch together" in shown


def test_users_and_exports_are_not_mixed(saved: Path, export: Path) -> None:
    assert "either users or histories" in fail(
        "recommend", saved, "--user", 1, "--user", 2, "--history", export
    )
    assert "a list for several people takes" in fail("recommend", saved, "-u", 1, "-u", 2, "--backtest")
