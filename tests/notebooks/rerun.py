"""Run the course's notebook on the generated sample; `python -m tests.notebooks.rerun` stores its outputs in it."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "course.ipynb"
TIMEOUT = 900
"""Seconds for one cell, more than any cell takes unless it hangs."""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""The metadata that are stored, without the facts about a machine that a kernel adds."""


def run_notebook(directory: Path, more_cells: Sequence[str] = ()) -> NotebookNode:
    """Run the notebook and more cells after its own in a directory, and return it with its new outputs."""
    notebook: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in more_cells]  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(directory)}}
    # What a cell prints comes in one piece or in several, depending on how busy the machine is.
    client = NotebookClient(
        notebook, timeout=TIMEOUT, record_timing=False, resources=resources, coalesce_streams=True
    )
    client.execute()
    return notebook


def main() -> None:
    """Store the outputs, but nothing about the machine."""
    with TemporaryDirectory() as directory:
        for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            os.environ[variable] = str(Path(directory) / variable.lower())
        notebook = run_notebook(Path(directory))
    notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    nbformat.write(notebook, NOTEBOOK)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
