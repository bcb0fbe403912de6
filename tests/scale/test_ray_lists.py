"""Recommendation lists on a Ray cluster: the same as those of one process, whatever is killed meanwhile."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nextreel.errors import QueryError
from nextreel.prediction.saving import load, load_mapped
from nextreel.scale.list_parts import SUCCESS_FILE, Part
from nextreel.scale.ray_lists import answer_on_ray
from tests.cli.commands import make_environment, nextreel
from tests.scale.jobs import (
    CountingRequest,
    FailingRequest,
    KillingRequest,
    make_queries,
    run_job,
)


def read_lists(directory: Path) -> pl.DataFrame:
    """Return the lists of all parts, without the columns that say how they came about."""
    return pl.concat(map(pl.read_parquet, sorted(directory.glob("part-*.parquet")))).drop(
        "Fallback", "Shortfall"
    )


def answer_here(model: Path, k: int = 5) -> pl.DataFrame:
    predictor = load(model)
    return predictor.recommend_wide(make_queries(predictor), k)


def test_the_command_writes_the_same_lists_on_a_cluster_as_in_one_process(
    ray: Any, model: Path, tmp_path: Path
) -> None:
    make_queries(load(model)).write_parquet(tmp_path / "queries.parquet")
    arguments = ("recommend", model, "--queries", tmp_path / "queries.parquet", "-k", 5)
    for place, out in (("local", "here"), ("ray", "there"), ("local", "lists.parquet")):
        done = nextreel(*arguments, "--on", place, "--out", out, cwd=tmp_path)
        assert done.stdout == f"120 lists of 5 movies written to {out}\n", done.stderr
        assert done.stderr == "62 of 120 queries: unknown user, answered with popularity\n"
    here, there = (tmp_path / name / "part-00000.parquet" for name in ("here", "there"))
    assert here.read_bytes() == there.read_bytes()
    assert read_lists(tmp_path / "there").equals(pl.read_parquet(tmp_path / "lists.parquet"))


def test_lists_of_text_ids_are_those_of_one_process(ray: Any, text_model: Path, tmp_path: Path) -> None:
    counts = run_job(ray, text_model, tmp_path / "out")
    assert read_lists(tmp_path / "out").equals(answer_here(text_model))
    assert counts.queries == 120
    assert len(list((tmp_path / "out").glob("part-*"))) == 6
    assert (tmp_path / "out" / SUCCESS_FILE).is_file()


def test_a_worker_that_is_killed_costs_no_list(ray: Any, model: Path, tmp_path: Path) -> None:
    run_job(
        ray, model, tmp_path / "out", KillingRequest(5, driver=os.getpid(), flag=str(tmp_path / "killed"))
    )
    assert (tmp_path / "killed").is_file()
    assert read_lists(tmp_path / "out").equals(answer_here(model))


def test_after_the_driver_is_killed_only_what_is_missing_is_made(
    ray: Any, address: str, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "tests.scale.jobs", address, str(model), str(out)]
    killed = subprocess.run(command, capture_output=True, text=True, env=make_environment(), check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = {file: file.stat().st_ino for file in out.glob("part-*")}
    assert len(finished) == 2
    assert not (out / SUCCESS_FILE).exists()
    run_job(ray, model, out)
    assert {file: file.stat().st_ino for file in finished} == finished
    assert read_lists(out).equals(answer_here(model))
    assert sorted(entry.name for entry in out.iterdir() if entry.name.startswith(".")) == []


def test_a_run_that_is_complete_needs_no_cluster(ray: Any, model: Path, tmp_path: Path) -> None:
    first = run_job(ray, model, tmp_path / "out")
    assert run_job(None, model, tmp_path / "out") == first


def test_an_error_of_a_task_is_raised_as_it_would_be_here(ray: Any, model: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="k is 151; the catalog has 150 movies"):
        run_job(ray, model, tmp_path / "out", FailingRequest(5, driver=os.getpid()))


def test_a_worker_has_one_thread_and_shares_the_arrays(ray: Any, model: Path) -> None:
    predictor, _ = load_mapped(model)
    parts = [Part(0, make_queries(predictor))]
    [(_, found)] = answer_on_ray(ray, predictor, CountingRequest(), parts)
    assert found.row(0) == (1, False)
