"""Directories that are whole or not there: written aside, sealed with hashes, then renamed into place.

A saved model holds safetensors, Parquet and JSON only, so that loading one never runs code. `manifest.json`
is written last; it names every file with its size and SHA-256, and the format's number.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nextreel.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"


def seal(directory: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, with the size and hash of every file that stands in the directory."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": hash_file(file)}
        for file in sorted(directory.iterdir())
    }
    text = json.dumps({"format": FORMAT, **manifest, "files": files}, indent=2)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest, after every file it names was found whole; ArtifactError says what is wrong."""
    if not directory.is_dir():
        raise ArtifactError(f"{directory} isn't a directory; expected a model saved by `nextreel fit`")
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        number, files = manifest["format"], manifest["files"].items()
    except FileNotFoundError:
        raise ArtifactError(
            f"{directory} has no {MANIFEST}; expected a model saved by `nextreel fit`"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: {error}") from error
    if number != FORMAT:
        raise ArtifactError(
            f"{directory} has format {number}; this nextreel reads format {FORMAT}: upgrade or refit"
        )
    for name, expected in files:
        file = directory / name
        if Path(name).name != name or not file.is_file():
            raise ArtifactError(f"{file} is missing; the saved model is incomplete: fit it again")
        if file.stat().st_size != expected["bytes"]:
            size = file.stat().st_size
            raise ArtifactError(
                f"{file} has {size} bytes, expected {expected['bytes']}: it was cut or changed"
            )
        if hash_file(file) != expected["sha256"]:
            raise ArtifactError(f"{file} doesn't match its SHA-256: it was changed after it was saved")
    return dict(manifest)


def hash_file(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
