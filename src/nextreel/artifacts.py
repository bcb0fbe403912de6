"""Directories with a manifest: `manifest.json` lists every file with its size and SHA-256, and has one of its own.

A saved model consists of safetensors, Parquet and JSON files only, so that loading one never runs code. The
manifest is written last, so that a directory without one is incomplete, and states the version of the format.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from nextreel.atomic_files.unfinished import recover_directory
from nextreel.documents import read_json_file
from nextreel.errors import ArtifactError

FORMAT = 1
MANIFEST = "manifest.json"
OWN_SHA256 = "manifest_sha256"
"""Key of the SHA-256 of the manifest's other entries. Manifests that an earlier nextreel wrote don't have it."""
_ENTRIES = TypeAdapter(dict[str, JsonValue])
"""Made once: a server reads the manifest of its model every second."""


class _ListedFile(BaseModel):
    """What a manifest says of a file beside it."""

    bytes: int
    sha256: str


def seal(directory: Path, manifest: Mapping[str, object]) -> None:
    """Write `manifest.json`: the given entries, the number of the format, each file's size and SHA-256, and its own."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": hash_file(file)}
        for file in sorted(directory.iterdir())
    }
    entries = {"format": FORMAT, **manifest, "files": files}
    (directory / MANIFEST).write_text(format_manifest(entries), encoding="utf-8")


def format_manifest(entries: Mapping[str, object]) -> str:
    """Return the text of a manifest with these entries, in which the SHA-256 of the others is the last."""
    # The hash is of what a reader will find: in JSON, tuples are lists and all keys are texts.
    others = json.loads(json.dumps({name: value for name, value in entries.items() if name != OWN_SHA256}))
    return json.dumps({**others, OWN_SHA256: _hash_entries(others)}, indent=2) + "\n"


def read_entries(directory: Path) -> dict[str, JsonValue]:
    """Read the manifest and verify it, but not the files that it lists.

    Raises
    ------
    ArtifactError
        The manifest is missing, damaged or of an unsupported format.
    """
    recover_directory(directory)
    file = directory / MANIFEST
    try:
        entries = _ENTRIES.validate_python(read_json_file(file))
        version = entries["format"]
    except FileNotFoundError:
        raise ArtifactError(
            f"{directory} has no {MANIFEST}; expected a model saved by `nextreel fit`"
        ) from None
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}") from error
    except ValidationError as error:
        raise ArtifactError(f"{file} is damaged: {_first_problem(error)}") from error
    except KeyError as error:
        raise ArtifactError(f"{file} is damaged: it has no {error}") from error
    except ValueError as error:
        raise ArtifactError(f"{file} is damaged: {error}") from error
    if version != FORMAT:
        raise ArtifactError(
            f"{directory} has format {version}; this nextreel reads format {FORMAT}: upgrade or refit"
        )
    own = entries.pop(OWN_SHA256, None)
    if own is not None and own != _hash_entries(entries):
        raise ArtifactError(f"{file} doesn't match its SHA-256: it was changed after it was saved")
    return entries


def read_manifest(directory: Path) -> dict[str, JsonValue]:
    """Read the manifest and verify it and every file that it lists.

    Raises
    ------
    ArtifactError
        The manifest is missing, damaged or of an unsupported format, or a listed file is missing or was changed.
    """
    recover_directory(directory)
    if not directory.is_dir():
        raise ArtifactError(f"{directory} isn't a directory; expected a model saved by `nextreel fit`")
    manifest = read_entries(directory)
    try:
        files = TypeAdapter(dict[str, _ListedFile]).validate_python(manifest["files"])
    except ValidationError as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: {_first_problem(error)}") from error
    except KeyError as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: it has no {error}") from error
    for name, expected in files.items():
        try:
            _verify(directory / name, name, expected)
        except OSError as error:
            raise ArtifactError(f"{directory / name} can't be read: {error.strerror}") from error
    return manifest


def list_files(manifest: Mapping[str, JsonValue]) -> list[str]:
    """Return the names of the files that a manifest lists; `manifest.json` itself isn't among them."""
    return list(_ENTRIES.validate_python(manifest["files"]))


def _hash_entries(entries: Mapping[str, object]) -> str:
    """Return the SHA-256 of a manifest's entries in a form that doesn't depend on their order and on white space."""
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))} {problem['msg']}".strip()


def _verify(file: Path, name: str, expected: _ListedFile) -> None:
    if file.name != name or not file.is_file():
        raise ArtifactError(f"{file} is missing; the saved model is incomplete: fit it again")
    size = file.stat().st_size
    if size != expected.bytes:
        raise ArtifactError(
            f"{file} has {size} bytes, expected {expected.bytes}: it was truncated or changed"
        )
    if hash_file(file) != expected.sha256:
        raise ArtifactError(f"{file} doesn't match its SHA-256: it was changed after it was saved")


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
