"""Tests of the course's notebook, which run it on the generated sample as a reader would."""

import json
from pathlib import Path

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "course.ipynb"
STORED = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
TIMEOUT = 900
"""Seconds for one cell, more than any cell takes unless it hangs."""
WRITE_RESULTS = 'climb.write_csv("climb.csv")'
MODELS = ["funk-svd", "popularity", "item-knn", "ease", "sequential-ridge", "transformer", "blend"]


# One test for all of this, since each run of the notebook takes long.
def test_it_runs_without_a_warning_and_ends_above_popularity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells.append(nbformat.v4.new_code_cell(WRITE_RESULTS))  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    climb = pl.read_csv(tmp_path / "climb.csv")
    ndcg = dict(climb.select("Model", "NDCG@10").iter_rows())
    assert sorted(ndcg) == sorted(MODELS)
    assert ndcg["funk-svd"] < ndcg["popularity"] < ndcg["blend"]
    inside = pl.col("NDCG@10").is_between("Low", "High", closed="none")
    assert len(climb.filter(inside)) == len(MODELS)


def test_it_is_stored_without_outputs() -> None:
    code = [cell for cell in STORED["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 20
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


def test_it_is_stored_without_metadata_of_a_machine() -> None:
    assert STORED["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell["id"] for cell in STORED["cells"] if cell["metadata"]] == []


def test_it_is_stored_with_the_sample_as_its_data() -> None:
    assert any(cell["source"][0].startswith("DATA = None") for cell in STORED["cells"])
