"""Directories with a manifest: `manifest.json` lists every file with its size and SHA-256.

A saved model consists of safetensors, Parquet and JSON files only, so that loading one never runs code. The
manifest is written last, so that a directory without one is incomplete, and states the version of the format.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from nextreel.documents import read_json_file
from nextreel.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"


class _ListedFile(BaseModel):
    """What a manifest says of a file beside it."""

    bytes: int
    sha256: str


def seal(directory: Path, manifest: Mapping[str, object]) -> None:
    """Write `manifest.json`: the given entries, the number of the format, and each file's size and SHA-256."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": hash_file(file)}
        for file in sorted(directory.iterdir())
    }
    text = json.dumps({"format": FORMAT, **manifest, "files": files}, indent=2)
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, JsonValue]:
    """Read the manifest and verify every file that it lists.

    Raises
    ------
    ArtifactError
        The manifest is missing, damaged or of an unsupported format, or a listed file is missing or was changed.
    """
    if not directory.is_dir():
        raise ArtifactError(f"{directory} isn't a directory; expected a model saved by `nextreel fit`")
    try:
        manifest = TypeAdapter(dict[str, JsonValue]).validate_python(read_json_file(directory / MANIFEST))
        version = manifest["format"]
        files = TypeAdapter(dict[str, _ListedFile]).validate_python(manifest["files"])
    except FileNotFoundError:
        raise ArtifactError(
            f"{directory} has no {MANIFEST}; expected a model saved by `nextreel fit`"
        ) from None
    except OSError as error:
        raise ArtifactError(f"{directory / MANIFEST} can't be read: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ArtifactError(f"{directory / MANIFEST} is damaged: {place} {problem['msg']}") from error
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: {error}") from error
    if version != FORMAT:
        raise ArtifactError(
            f"{directory} has format {version}; this nextreel reads format {FORMAT}: upgrade or refit"
        )
    for name, expected in files.items():
        file = directory / name
        if Path(name).name != name or not file.is_file():
            raise ArtifactError(f"{file} is missing; the saved model is incomplete: fit it again")
        _verify(file, expected.bytes, expected.sha256)
    return manifest


def list_files(manifest: Mapping[str, JsonValue]) -> list[str]:
    """Return the names of the files that a manifest lists; `manifest.json` itself isn't among them."""
    return list(TypeAdapter(dict[str, JsonValue]).validate_python(manifest["files"]))


def _verify(file: Path, size: int, sha256: str) -> None:
    if file.stat().st_size != size:
        raise ArtifactError(
            f"{file} has {file.stat().st_size} bytes, expected {size}: it was truncated or changed"
        )
    if hash_file(file) != sha256:
        raise ArtifactError(f"{file} doesn't match its SHA-256: it was changed after it was saved")


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
