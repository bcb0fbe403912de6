"""Tests of the course's notebook, which run it on the generated sample as a reader would."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.notebooks.rerun import METADATA, NOTEBOOK, run_notebook

TEXT = NOTEBOOK.read_text(encoding="utf-8")
STORED = json.loads(TEXT)
MOST_CHARACTERS = 1_000_000
WRITE_RESULTS = 'climb.write_csv("climb.csv")'
MODELS = ["funk-svd", "popularity", "item-knn", "ease", "sequential-ridge", "transformer", "blend"]
REWRITE = "python -m tests.notebooks.rerun"


def kinds_of_outputs(cells: list[Any]) -> dict[str, list[list[str]]]:
    """Return, by the id of a code cell, the kinds of its outputs: the MIME types of each, or the name of its stream."""
    return {
        cell["id"]: [sorted(output.get("data") or [output["name"]]) for output in cell["outputs"]]
        for cell in cells
        if cell["cell_type"] == "code"
    }


# One test for all of this, since each run of the notebook takes long.
def test_it_runs_without_a_warning_and_ends_above_popularity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    notebook = run_notebook(tmp_path, more_cells=[WRITE_RESULTS])

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    climb = pl.read_csv(tmp_path / "climb.csv")
    ndcg = dict(climb.select("Model", "NDCG@10").iter_rows())
    assert sorted(ndcg) == sorted(MODELS)
    assert ndcg["funk-svd"] < ndcg["popularity"] < ndcg["blend"]
    inside = pl.col("NDCG@10").is_between("Low", "High", closed="none")
    assert len(climb.filter(inside)) == len(MODELS)
    assert kinds_of_outputs(notebook.cells[:-1]) == kinds_of_outputs(STORED["cells"]), REWRITE


def test_it_is_stored_with_the_outputs_of_one_run_from_top_to_bottom() -> None:
    code = [cell for cell in STORED["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 20
    assert [cell["execution_count"] for cell in code] == [*range(1, len(code) + 1)], REWRITE


def test_its_plots_are_stored_as_pictures_that_need_no_script() -> None:
    kinds = [
        kind for cell in kinds_of_outputs(STORED["cells"]).values() for output in cell for kind in output
    ]
    assert kinds.count("image/svg+xml") + kinds.count("image/png") >= 14
    assert set(kinds) <= {"image/svg+xml", "image/png", "text/plain", "text/html", "stdout"}


def test_it_is_stored_small_and_without_facts_about_a_machine() -> None:
    assert len(TEXT) < MOST_CHARACTERS
    assert STORED["metadata"] == METADATA
    assert "/tmp/" not in TEXT
    shown_at = {"image/png": {"width": 640}}
    assert [cell["id"] for cell in STORED["cells"] if cell["metadata"]] == []
    outputs = [output for cell in STORED["cells"] for output in cell.get("outputs", [])]
    assert [output["metadata"] for output in outputs if output.get("metadata")] == [shown_at] * 2


def test_it_is_stored_with_the_sample_as_its_data() -> None:
    assert any(cell["source"][0].startswith("DATA = None") for cell in STORED["cells"])
