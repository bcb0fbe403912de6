"""A click log repeats: queries for a movie that the user has seen can't be hit with seen movies excluded."""

import json
from pathlib import Path

import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.splitting.split_directory import read_train_test, write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.evaluation.comparison.contestants import parse_contestants, run_contestant
from nextreel.evaluation.comparison.leaderboard import build_leaderboard
from nextreel.evaluation.model_evaluation import Evaluation, evaluate
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode
from nextreel.models.registry import create_model
from nextreel.reporting.html_report import write_report
from tests.cli.commands import succeed

HEADER = "user_id,item_id,timestamp\n"


def clicks(repeats: bool) -> list[tuple[str, str, int]]:
    """30 people with 12 clicks each: the same four movies again and again, or twelve different ones."""
    return [
        (
            f"u{user}",
            f"m{(user + click % 4 if repeats else user + click) % 20}",
            1_000_000_000 + 97 * user + 86_400 * click,
        )
        for user in range(30)
        for click in range(12)
    ]


@pytest.fixture(scope="module", params=[True, False], ids=["repeats", "no repeats"])
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Path]:
    home = tmp_path_factory.mktemp("log")
    rows = "".join(f"{user},{movie},{time}\n" for user, movie, time in clicks(request.param))
    (home / "clicks.csv").write_text(HEADER + rows)
    write_split(home / "clicks.csv", home / "parts", SplitRule.for_rule("clean"))
    return request.param, home / "parts"


def evaluate_parts(directory: Path, history: HistoryMode, exclude_seen: bool = True) -> Evaluation:
    both = read_train_test(directory)
    model = create_model("item-knn").fit(both.train)
    return evaluate(model, both.train, both.test, history, k=5, exclude_seen=exclude_seen)


@pytest.mark.parametrize("history", ["frozen", "live"])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_both_figures_are_those_of_two_evaluations(
    parts: tuple[bool, Path], history: HistoryMode, exclude_seen: bool
) -> None:
    repeats, directory = parts
    result = evaluate_parts(directory, history, exclude_seen)
    other = evaluate_parts(directory, history, not exclude_seen)
    assert result.asks_for_seen == (len(result.queries) if repeats else 0)
    assert result.metrics_otherwise == (other.metrics if repeats else {})
    assert ("asks_for_seen" in result.facts()) == repeats
    key = f"metrics_with_seen_{'included' if exclude_seen else 'excluded'}"
    assert (key in result.facts()) == repeats


def test_the_note_holds_the_number_of_queries_and_both_figures(parts: tuple[bool, Path]) -> None:
    repeats, directory = parts
    notes = evaluate_parts(directory, "frozen").notes()
    assert notes == evaluate_parts(directory, "frozen", exclude_seen=False).notes()
    if not repeats:
        assert notes == []
        return
    (note,) = notes
    assert note.startswith(
        "150 queries ask for a movie that the user has watched before. With seen movies excluded, these are "
        "misses: NDCG@5 0.0000, Recall@5 0.0000, MRR@5 0.0000; with seen movies included: NDCG@5 0."
    )


def test_a_query_for_a_seen_movie_is_marked_by_what_its_history_holds() -> None:
    train = Dataset.from_frames(pl.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "time": [10, 20, 30]}))
    test = pl.DataFrame({"user": [1, 1, 2, 3, 2], "item": [7, 9, 8, 7, 8], "time": [40, 41, 42, 43, 44]})
    frozen, live = (EvaluationQueries.from_split(train, test, mode) for mode in ("frozen", "live"))
    assert frozen.asks_for_seen().tolist() == [True, False, False, False, False]
    assert live.asks_for_seen().tolist() == [True, False, False, False, True]


def test_a_row_that_is_in_both_parts_is_a_leak_and_no_repeat() -> None:
    rows = pl.DataFrame({"user": [1, 1], "item": [7, 8], "time": [10, 20]})
    queries = EvaluationQueries.from_split(Dataset.from_frames(rows), rows[1:], "frozen")
    assert queries.asks_for_seen().tolist() == [False]


def test_the_command_line_prints_both_figures(parts: tuple[bool, Path], tmp_path: Path) -> None:
    repeats, directory = parts
    succeed("fit", directory, "--model", "item-knn", "--out", tmp_path / "model")
    printed = " ".join(succeed("evaluate", tmp_path / "model", directory, "-k", 5).split())
    assert ("150 queries ask for a movie that the user has watched before." in printed) == repeats
    facts = json.loads(succeed("evaluate", tmp_path / "model", directory, "-k", 5, "--json"))
    assert facts.get("asks_for_seen") == (150 if repeats else None)
    assert succeed("evaluate", tmp_path / "model", directory, "--save")


def test_a_comparison_and_its_report_say_both_figures(parts: tuple[bool, Path], tmp_path: Path) -> None:
    repeats, directory = parts
    both = read_train_test(directory)
    modes: list[HistoryMode] = ["frozen", "live"]
    runs = [
        run_contestant(contestant, both, modes, 5)
        for contestant in parse_contestants(["popularity", "item-knn"], {})
    ]
    board = build_leaderboard(both, runs, modes, [5])
    facts = json.loads(json.dumps(board.facts()))
    write_report(board, "clicks", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    if not repeats:
        assert board.seen_findings() == []
        assert "asks_for_seen" not in facts
        assert "watched before" not in page
        return
    for mode, sentence in zip(modes, board.seen_findings(), strict=True):
        assert sentence.startswith(
            f"{mode} history: 150 queries ask for a movie that the user has watched before."
        )
        assert (
            "missed: NDCG@5 popularity 0.0000, item-knn 0.0000; with seen movies included: NDCG@5 popularity 0."
            in sentence
        )
        assert sentence in facts["sentences"]
        assert sentence in page
    assert facts["asks_for_seen"] == {"frozen": 150, "live": 150}
    figures = evaluate_parts(directory, "live", exclude_seen=False).metrics["NDCG@5"].mean
    (item_knn,) = (model for model in facts["models"] if model["name"] == "item-knn")
    saved = item_knn["histories"]["live"]["metrics_with_seen_included"]["NDCG@5"]["mean"]
    assert saved == pytest.approx(figures, abs=1e-12)
