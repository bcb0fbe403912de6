import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nextreel.cli.terminal.arguments import parse_options
from tests.cli.commands import fail, succeed


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 80, "--ratings", 1600, cwd=home)
    return home


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    return succeed(
        "compare",
        "data",
        *("--models", "item-knn,recent=popularity", "--set", "recent.window_days=90"),
        *("--json-file", "figures.json", "--slices"),
        cwd=home,
    )


def test_compare_prints_a_leaderboard_for_each_history(printed: str) -> None:
    for part in (
        "frozen history, file-order ties, 295 queries",
        "live history, strict ties, 295 queries",
        "NDCG@10",
        "Coverage",
        "Peak memory",
    ):
        assert part in printed


def test_compare_says_which_differences_are_significant(printed: str) -> None:
    assert "NDCG@10, frozen history: the difference is" in printed
    assert "adjusted by Holm's method" in printed


def test_compare_prints_every_slice_when_asked(printed: str) -> None:
    for family in ("gap:", "history:", "activity:", "popularity:", "movie age:", "genre:", "gender:", "age:"):
        assert f" {family} " in printed


def test_the_json_file_states_models_options_and_protocol(home: Path, printed: str) -> None:
    facts = json.loads((home / "figures.json").read_text())
    assert [(model["name"], model["model"]) for model in facts["models"]] == [
        ("item-knn", "item-knn"),
        ("recent", "popularity"),
    ]
    assert facts["models"][1]["config"] == {"window_days": 90}
    assert facts["protocol"]["cutoffs"] == [5, 10, 20]
    assert facts["split"]["rule"] == "clean"
    for model in facts["models"]:
        assert f"{model['histories']['live']['metrics']['NDCG@10']['mean']:.4f}" in printed


def test_the_report_is_one_file_that_names_the_data_and_the_models(home: Path) -> None:
    succeed("compare", "data", "--models", "item-knn,popularity", "--report", "out/report.html", cwd=home)
    html = (home / "out" / "report.html").read_text()
    assert html.startswith("<!doctype html>")
    assert "recommenders on data" in html or "on data, but not significantly" in html
    assert [file.name for file in (home / "out").iterdir()] == ["report.html"]


def is_child_starting(pid: int) -> bool:
    """Whether the process that fits a model has begun to import what it needs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(
        b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        and "polars" in Path(f"/proc/{child}/maps").read_text()
        for child in children
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in /proc")
def test_stopping_a_comparison_shows_no_traceback_of_the_models_process(home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nextreel",
        "compare",
        "data",
        "--models",
        "ease,als,item-knn,popularity",
    ]
    with subprocess.Popen(
        command, cwd=home, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while not is_child_starting(process.pid):
            assert process.poll() is None, "the comparison ended before it could be stopped"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "data", "--history", "past"], "--history 'past': expected frozen, live or frozen,live"),
        (["compare", "data", "--k", "ten"], "--k 'ten': expected whole numbers with commas"),
        (["compare", "nowhere"], "nowhere: no such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_message(home: Path, arguments: list[str], message: str) -> None:
    assert message in fail(*arguments, cwd=home)


def test_a_dash_in_a_models_name_stays_and_one_in_an_options_name_does_not() -> None:
    assert parse_options(["funk-svd.learning-rate=0.1", "batch-size=5"]) == {
        "funk-svd.learning_rate": 0.1,
        "batch_size": 5,
    }
