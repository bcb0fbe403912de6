import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nextreel.cli import app
from nextreel.models.registry import DEFAULT_MODEL
from nextreel.version import __version__
from tests.cli.commands import check_failure, check_success, fail, in_new_process, nextreel, succeed


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a small sample, its split and a model fitted on it, written by the commands themselves."""
    home = tmp_path_factory.mktemp("home")
    succeed("sample", "data", "--users", 60, "--movies", 90, "--ratings", 1800, cwd=home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", "--model", "popularity", cwd=home)
    return home


COMMANDS = sorted(command.callback.__name__ for command in app.registered_commands if command.callback)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(command: str) -> None:
    assert re.match(rf"\s*Usage: .+ {command} \[OPTIONS\]", succeed(command, "--help"))


def test_the_module_can_be_run_as_a_program() -> None:
    assert check_success(in_new_process("--version")) == f"nextreel {__version__}\n"
    assert "Usage: python -m nextreel fit" in check_success(in_new_process("fit", "--help"))


def test_help_loads_none_of_the_heavy_modules() -> None:
    code = (
        "import sys, nextreel.cli; "
        "print([name for name in ('polars', 'numpy', 'scipy', 'torch', 'pydantic', 'altair') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


def test_a_split_states_its_rule_counts_and_hashes(home: Path) -> None:
    facts = json.loads((home / "parts" / "split.json").read_text())
    train, test = (pl.read_csv(home / "parts" / f"{part}.csv") for part in ("train", "test"))
    assert (facts["rule"], facts["positives"], facts["threshold"]) == ("clean", 5, 4.0)
    assert (facts["train"]["rows"], facts["test"]["rows"]) == (len(train), len(test))
    assert len(train) + len(test) == 1800
    assert len(facts["source"]["sha256"]) == len(facts["test"]["sha256"]) == 64


def test_a_split_is_a_data_directory_itself(home: Path) -> None:
    assert {path.name for path in (home / "parts").iterdir()} == {
        "train.csv",
        "test.csv",
        "split.json",
        "users.csv",
        "movies.csv",
    }
    succeed("check", "parts", cwd=home)


def test_evaluate_prints_each_metric_with_its_interval(home: Path) -> None:
    printed = succeed("evaluate", "model", "parts", cwd=home)
    for part in (
        "NDCG@10",
        "Recall@10",
        "MRR@10",
        "popularity",
        "frozen history, file-order ties, seen",
        "[",
    ):
        assert part in printed


def test_evaluate_writes_what_it_prints_as_json(home: Path, tmp_path: Path) -> None:
    succeed(
        "evaluate",
        "model",
        "parts/test.csv",
        "--history",
        "live",
        "--json-file",
        tmp_path / "figures.json",
        cwd=home,
    )
    facts = json.loads((tmp_path / "figures.json").read_text())
    assert facts["protocol"] == {
        "history": "live",
        "ties": "strict",
        "k": 10,
        "threshold": 4.0,
        "exclude_seen": True,
    }
    assert facts["metrics"]["NDCG@10"].keys() == {"mean", "low", "high"}
    assert facts["queries"] > facts["users"] > 0


def test_recommend_shows_titles_for_one_user(home: Path) -> None:
    printed = succeed("recommend", "model", "--user", 3, "--at", "2023-06-01", cwd=home)
    assert "What user 3 should watch next, as of 2023-06-01 00:00:00 UTC" in printed
    assert len([line for line in printed.splitlines() if "(19" in line or "(20" in line]) >= 10


def test_recommend_as_json_gives_ten_distinct_movies_and_what_they_are_based_on(home: Path) -> None:
    report = json.loads(succeed("recommend", "model", "--user", 3, "--json", cwd=home))
    assert len({row["MovieID"] for row in report["recommendations"]}) == 10
    assert report["history_length"] > 0
    assert report["fallback"] is None


def test_the_json_of_recommend_has_these_keys_in_this_order(home: Path) -> None:
    report = json.loads(succeed("recommend", "model", "--user", 3, "--json", cwd=home))
    assert list(report) == [
        "UserID",
        "Timestamp",
        "history_length",
        "lately_rated",
        "data_until",
        "fallback",
        "model_learned_from_later",
        "recommendations",
    ]
    assert list(report["lately_rated"][0]) == ["MovieID", "Title", "Rating"]
    movie_keys = ["Rank", "MovieID", "Title", "Genres", "Year", "Score", "Fallback"]
    assert [list(movie) for movie in report["recommendations"]] == [movie_keys] * 10


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_queries_gives_a_file_of_lists_in_the_same_order(
    home: Path, tmp_path: Path, suffix: str
) -> None:
    queries = pl.DataFrame(
        {"UserID": [5, 2, 5, 999], "Timestamp": [1_700_000_000, 1_650_000_000, 1_650_000_000, 5]}
    )
    queries.write_csv(tmp_path / "q.csv")
    out = tmp_path / f"r.{suffix}"
    done = nextreel("recommend", "model", "--queries", tmp_path / "q.csv", "--out", out, cwd=home)
    assert done.returncode == 0, done.stderr
    lists = pl.read_parquet(out) if suffix == "parquet" else pl.read_csv(out)
    assert lists.columns == ["UserID", "Timestamp", *(f"MovieID{place}" for place in range(1, 11))]
    assert lists.select("UserID", "Timestamp").equals(queries)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend", "model"], "name either one user with --user or a file of queries with --queries"),
        (["recommend", "model", "--queries", "q.csv"], "--queries needs --out, and --out needs --queries"),
        (["recommend", "model", "--user", "1", "--at", "soon"], "'soon' is not a time"),
        (["recommend", "model", "--user", "1", "-k", "5000"], "k is 5000; the catalog has"),
        (["recommend", "nothing", "--user", "1"], "nothing isn't a directory; expected a model saved by"),
        (["recommend", "parts", "--user", "1"], "parts has no manifest.json; expected a model saved by"),
        (["evaluate", "model", "nowhere.csv"], "nowhere.csv"),
        (
            ["fit", "parts", "--model", "oracle"],
            "model 'oracle' is unknown; expected one of fast, best, baseline, simple, als",
        ),
        (
            ["fit", "parts", "--model", "popularity", "--set", "window=3"],
            "popularity has no option 'window'; its options: window_days",
        ),
        (
            ["fit", "parts", "--model", "popularity", "--set", "window_days=-1"],
            "option window_days of popularity is -1; expected a number above 0",
        ),
        (
            ["fit", "parts", "--model", "best", "--budget", "soon"],
            "--budget 'soon' is not a duration; expected a number and s, m, h, d or w",
        ),
        (
            ["fit", "parts", "--model", "best", "--budget", "-5m"],
            "--budget '-5m' is not a duration; expected a number",
        ),
        (
            ["fit", "parts", "--model", "ease", "--budget", "30m"],
            "ease has no time budget: leave --budget out, it is for a model with the option minutes, such as transformer",
        ),
        (["fit", "parts", "--set", "epochs"], "--set 'epochs' isn't of the form name=value"),
        (["fit", "parts", "--out", "data", "--model", "popularity"], "data exists and isn't a saved model"),
        (["split", "data", "model"], "nextreel: model exists and holds no split.json; nothing was written"),
        (["split", "data", "new", "--positives", "5000"], "leaves the test part empty"),
        (
            ["split", "data", "new", "--rule", "global", "--share", "1.5"],
            "option share of the global split is 1.5; expected a number above 0, below 1",
        ),
        (
            ["split", "data", "new", "--positives", "-1"],
            "option positives of the clean split is -1; expected a",
        ),
        (["split", "nowhere", "new"], "nowhere: no such file or directory"),
        (["split", "parts", "parts"], "parts: would be replaced by its own split; choose another directory"),
        (["evaluate", "model", "data"], "data has no test.csv: split it first (nextreel split data parts)"),
        (["fit", "model", "--out", "new"], "model is a saved model; expected a data directory"),
        (["check", "x" * 300], f"{'x' * 300}: File name too long"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_message_and_nothing_is_written(
    home: Path, arguments: list[str], message: str
) -> None:
    before = sorted(home.rglob("*"))
    assert message in fail(*arguments, cwd=home)
    assert sorted(home.rglob("*")) == before


def test_a_process_ends_with_one_message_and_status_1(home: Path) -> None:
    message = check_failure(in_new_process("fit", "parts", "--model", "oracle", cwd=home))
    assert message.startswith("nextreel: model 'oracle' is unknown")
    assert message.count("\n") == 1


def test_an_output_file_is_never_overwritten(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n1,5\n")
    message = fail(
        "recommend", "model", "--queries", tmp_path / "q.csv", "--out", tmp_path / "q.csv", cwd=home
    )
    assert "q.csv exists already; nothing was written" in message
    assert (tmp_path / "q.csv").read_text() == "UserID,Timestamp\n1,5\n"


def test_an_error_in_the_queries_names_its_line(home: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("UserID,Timestamp\n1,5\nme,6\n")
    message = fail(
        "recommend", "model", "--queries", tmp_path / "q.csv", "--out", tmp_path / "r.csv", cwd=home
    )
    assert "q.csv, line 3, column UserID: 'me'" in message
    assert [path.name for path in tmp_path.iterdir()] == ["q.csv"]


def test_funk_svd_writes_its_loss_curve_and_history(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "svd"
    succeed(
        "fit",
        "parts",
        "--out",
        out,
        "--model",
        "funk-svd",
        "--set",
        "epochs=2",
        "--set",
        "dimensions=4",
        cwd=home,
    )
    history = json.loads((out / "history.json").read_text())
    assert [epoch["number"] for epoch in history] == [1, 2]
    assert all(epoch["validation_loss"] > 0 for epoch in history)
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "loss.svg").read_text()
    succeed("evaluate", out, "parts", "--include-seen", cwd=home)


def test_an_interrupted_fit_resumes_to_the_same_result(home: Path, tmp_path: Path) -> None:
    options = ("--model", "funk-svd", "--set", "dimensions=4", "--set", "batch_size=4", "--set", "epochs=8")
    uninterrupted, stopped = tmp_path / "uninterrupted", tmp_path / "stopped"
    succeed("fit", "parts", "--out", uninterrupted, *options, cwd=home)
    command = [sys.executable, "-m", "nextreel", "fit", "parts", "--out", str(stopped), *options]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True) as process:
        checkpoint = tmp_path / "stopped.checkpoint" / "manifest.json"
        while not checkpoint.exists():
            assert process.poll() is None, "the fit ended before it could be stopped"
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "the same command with --resume continues the fit" in process.stderr.read()
    assert process.returncode == 130
    assert not stopped.exists()
    succeed("fit", "parts", "--out", stopped, *options, "--resume", cwd=home)
    assert not checkpoint.exists()
    hashes = [
        json.loads((model / "manifest.json").read_text())["files"]["model.safetensors"]
        for model in (uninterrupted, stopped)
    ]
    assert hashes[0] == hashes[1]


def test_the_demo_runs_all_its_commands(tmp_path: Path) -> None:
    printed = check_success(in_new_process("demo", cwd=tmp_path))
    for part in (
        "is valid",
        "popularity",
        DEFAULT_MODEL,
        "NDCG@10",
        "should watch next",
        "Next",
        "serve demo/model",
    ):
        assert part in printed


def test_the_demo_can_run_again(home: Path, tmp_path: Path) -> None:
    for _ in range(2):
        succeed("demo", "--data", home / "data", cwd=tmp_path)
