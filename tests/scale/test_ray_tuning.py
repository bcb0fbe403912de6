"""Searches on a Ray cluster: the same trials as in one process, whatever is killed meanwhile."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.scale.ray_tasks import RayTasks
from nextreel.tuning.search_space import Search
from nextreel.tuning.tuner import InnerSplit, split_inner, tune
from nextreel.tuning.tuning_result import TuningResult
from tests.cli.commands import fail, succeed
from tests.scale.jobs import KillingOnce

SEARCH = Search("ease", 5)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=60, movies=80, ratings=1600), home / "data")
    return home


@pytest.fixture(scope="module")
def inner(home: Path) -> InnerSplit:
    return split_inner(home / "data", None, "frozen")


@pytest.fixture(scope="module")
def tuned_here(inner: InnerSplit, tmp_path_factory: pytest.TempPathFactory) -> TuningResult:
    return tune(inner, SEARCH, tmp_path_factory.mktemp("tuned") / "here")


def test_one_trial_at_a_time_is_the_search_of_one_process(
    ray: Any, home: Path, tuned_here: TuningResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)  # a chart takes longer than all else
    arguments = ("tune", "data", "--model", "ease", "--trials", 5, "--out", "there")
    succeed(*arguments, "--on", "ray", "--at-once", 1, cwd=home)
    facts = json.loads((home / "there" / "tuning.json").read_text())
    assert facts == json.loads(json.dumps(tuned_here.facts()))


def test_two_trials_at_a_time_are_the_same_search_twice(ray: Any, inner: InnerSplit, tmp_path: Path) -> None:
    killing = KillingOnce(RayTasks(ray, at_once=2, in_order=True), tmp_path / "killed")
    killed = tune(inner, SEARCH, tmp_path / "killed-once", run_tasks=killing)
    assert (tmp_path / "killed").is_file()
    again = tune(inner, SEARCH, tmp_path / "again", run_tasks=RayTasks(ray, at_once=2, in_order=True))
    assert killed.trials == again.trials
    assert len({json.dumps(trial.options) for trial in again.trials}) == 5


def test_an_interrupted_search_continues_on_this_machine(
    ray: Any, inner: InnerSplit, tuned_here: TuningResult, tmp_path: Path
) -> None:
    def stop(done: int, total: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(inner, SEARCH, tmp_path / "out", stop, RayTasks(ray, at_once=1, in_order=True))
    assert tune(inner, SEARCH, tmp_path / "out").trials == tuned_here.trials


def test_trials_at_a_time_need_a_cluster(home: Path) -> None:
    message = fail("tune", "data", "--model", "ease", "--at-once", 2, cwd=home)
    assert message.startswith("nextreel: --at-once is for a Ray cluster")
