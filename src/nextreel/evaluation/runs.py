"""The directory of a long run that keeps what is finished, so that the same command goes on after a stop."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nextreel.data.table_writer import replacing
from nextreel.errors import ArtifactError


def claim_directory(directory: Path, marker: str, about: Mapping[str, Any]) -> None:
    """Begin in a new or empty directory, which gets the file `marker`, or go on in one of the same run.

    `about` is what makes two runs the same one. Raises ArtifactError for a directory that holds another run, naming
    what differs, or something else altogether.
    """
    file, about = directory / marker, json.loads(json.dumps(about))
    if not file.is_file():
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ArtifactError(
                f"{directory} exists and holds no {marker}; nothing was written: choose another name"
            )
        write_json(about, file)
        return
    try:
        there = dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{file} is damaged: {error}; choose another name") from None
    different = [
        f"{name} was {there.get(name)}, now is {about.get(name)}"
        for name in sorted(there.keys() | about.keys())
        if there.get(name) != about.get(name)
    ]
    if different:
        raise ArtifactError(
            f"{directory} holds another run: {'; '.join(different)}. Choose another name with --out"
        )


def write_json(facts: Mapping[str, Any], file: Path) -> None:
    """Write facts for people and programs, whole or not at all."""
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
