"""Directories of long computations (runs), such as a backtest, that can be resumed, and the JSON files in them."""

import json
from collections.abc import Mapping
from pathlib import Path

from nextreel.atomic_files.replacement import replacing
from nextreel.atomic_files.unfinished import is_empty
from nextreel.documents import read_json_file
from nextreel.errors import ArtifactError


def claim_directory(directory: Path, marker: str, about: Mapping[str, object]) -> None:
    """Start a run in a new or empty directory, or resume the same run in its directory.

    A new run writes `about`, which identifies it, to the file `marker`. A run can be resumed if the file holds the
    same content.

    Raises
    ------
    ArtifactError
        The directory holds another run, in which case the message names the differences, or something else.
    """
    file, wanted = directory / marker, json.loads(json.dumps(about))
    if not file.is_file():
        if directory.exists() and (not directory.is_dir() or not is_empty(directory)):
            raise ArtifactError(
                f"{directory} exists and holds no {marker}; nothing was written: choose another name"
            )
        write_json(wanted, file)
        return
    try:
        present = read_json_file(file)
        if not isinstance(present, dict):
            raise TypeError("expected an object")
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file} is damaged: {error}; choose another name") from None
    differences = [
        f"{name} was {present.get(name)}, now is {wanted.get(name)}"
        for name in sorted(present.keys() | wanted.keys())
        if present.get(name) != wanted.get(name)
    ]
    if differences:
        raise ArtifactError(
            f"{directory} holds another run: {'; '.join(differences)}. Choose another name with --out"
        )


def write_json(facts: Mapping[str, object], file: Path) -> None:
    """Write `facts` to a file as indented JSON, completely or not at all.

    Raises
    ------
    DataError
        The file can't be written.
    """
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
