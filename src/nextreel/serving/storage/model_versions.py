"""Versions of a model in one directory, of which one is current: add, promote, roll back.

    MODEL_DIR/versions/NAME/   one saved model each, never changed once it is there
    MODEL_DIR/current          names that were promoted, one a line, the current one first

`current` is replaced by a rename, so that a reader sees the old state or the new one. The history that a rollback
needs stands in the same file; the two can't disagree. Changes wait for each other by a lock on `.lock`, which the
system releases when a process dies.

A directory that is itself a saved model is one version with nothing to go back to.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from nextreel.artifacts import MANIFEST, read_manifest
from nextreel.atomic_files import atomic_directory
from nextreel.errors import ArtifactError, NextreelError, QueryError
from nextreel.prediction.saving import load

VERSIONS, CURRENT, LOCK = "versions", "current", ".lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Version:
    """One saved model and what its manifest says of it."""

    name: str
    path: Path
    """Its directory."""
    current: bool
    model: str
    """The model's name, such as "blend"."""
    created_at: str
    """When it was fitted and saved, ISO 8601, UTC."""
    data_until: str
    """The latest interaction that it learned from, ISO 8601, UTC."""
    validation_ndcg: float | None
    """NDCG@10 on users held out of the training, of a model that was fitted with some."""


@dataclass(frozen=True)
class Damaged:
    """A version whose manifest can't be read."""

    name: str
    path: Path
    current: bool
    problem: str


@dataclass(frozen=True)
class Versions:
    """The versions in a directory. Everything is read anew when asked, so that all processes agree."""

    directory: Path

    @classmethod
    def open(cls, directory: Path | str) -> Self:
        """Versions, or one saved model, that are there; ArtifactError if neither is."""
        found = cls(Path(directory))
        if not (found.is_single or found._home.is_dir()):
            raise ArtifactError(
                f"{directory} holds no saved model and no versions of one: `nextreel fit --out {directory}` or "
                f"`nextreel models add {directory} MODEL` puts some there"
            )
        return found

    @classmethod
    def create(cls, directory: Path | str) -> Self:
        """As `open`; a directory that is empty or not there yet is made one of versions."""
        made = cls(Path(directory))
        try:
            if not made.directory.exists() or not any(made.directory.iterdir()):
                made._home.mkdir(parents=True)
        except OSError as error:
            raise ArtifactError(f"can't write {directory}: {error.strerror or error}") from error
        return cls.open(directory)

    @property
    def is_single(self) -> bool:
        """Whether the directory is itself a saved model."""
        return (self.directory / MANIFEST).is_file()

    @property
    def current(self) -> Version:
        """The version to serve; its files aren't verified here, loading does. ArtifactError if there is none."""
        if self.is_single:
            return _describe(_name_by_content(self.directory), self.directory, current=True)
        promoted = self._promoted()
        if not promoted:
            raise ArtifactError(
                f"no version in {self.directory} is current: nextreel models promote {self.directory} NAME"
            )
        return _describe(promoted[0], self._home / promoted[0], current=True)

    def list(self) -> Sequence[Version | Damaged]:
        """All versions, latest first, damaged ones at the end."""
        if self.is_single:
            return [self.current]
        promoted = self._promoted()[:1]
        found = [_look_at(name, self._home / name, promoted == (name,)) for name in self._names()]
        return sorted(found, key=lambda each: getattr(each, "created_at", ""), reverse=True)

    def find(self, name: str) -> Version:
        """A version by name; QueryError if there is none of that name, ArtifactError if its manifest is damaged."""
        names = self._names()
        if name not in names:
            raise QueryError(f"{self.directory} has no version {name!r}; it has {', '.join(names) or 'none'}")
        if self.is_single:
            return self.current
        return _describe(name, self._home / name, current=self._promoted()[:1] == (name,))

    def add(self, artifact: Path | str, name: str | None = None) -> Version:
        """Copy a saved model into the directory; the first one becomes current, a later one must be promoted.

        Without a name it gets one from when it was saved and a hash of its files. Adding the same again changes
        nothing; QueryError for a name that another one has.
        """
        source = Path(artifact)
        if self.is_single:
            raise QueryError(
                f"{self.directory} is one saved model itself; name another directory for the versions"
            )
        name = name if name is not None else _name_by_content(source)
        if not NAME.fullmatch(name):
            raise QueryError(
                f"{name!r} can't name a version; expected letters, digits, '.', '_' and '-', such as 2026-11-25.b"
            )
        with self._alone():
            path = self._home / name
            if not path.exists():
                _copy(source, path)
            elif (path / MANIFEST).read_bytes() != (source / MANIFEST).read_bytes():
                raise QueryError(f"{self.directory} has another version {name} already; choose another name")
            if not self._promoted():
                self._make_current((name,))
        return self.find(name)

    def promote(self, name: str) -> Version:
        """Make a version current, after it was loaded whole; otherwise ArtifactError, and the old one stays.

        Files are compared with the manifest and the model is put together once, so that nothing becomes current
        that a server couldn't start with. QueryError for a name that isn't there.
        """
        version = self.find(name)
        if self.is_single:
            load(version.path)
            return version
        with self._alone():
            promoted = self._promoted()
            self._make_current(promoted if promoted[:1] == (name,) else (name, *promoted))
        return self.find(name)

    def rollback(self) -> Version:
        """Make the version current that was so before, with the checks of `promote`; again goes further back.

        QueryError if there is none; versions that were removed meanwhile are passed over.
        """
        if self.is_single:
            raise QueryError(
                f"{self.directory} is one saved model; there is no earlier version to go back to"
            )
        with self._alone():
            names = self._names()
            earlier = tuple(name for name in self._promoted()[1:] if name in names)
            if not earlier:
                raise QueryError(f"{self.directory} has no earlier version to go back to")
            self._make_current(earlier)
        return self.find(earlier[0])

    @property
    def _home(self) -> Path:
        return self.directory / VERSIONS

    def _names(self) -> Sequence[str]:
        """Names of the versions, sorted; what is still being written has a name that doesn't fit."""
        if self.is_single:
            return [self.current.name]
        directories = (path for path in self._home.glob("*") if path.is_dir())
        return sorted(path.name for path in directories if NAME.fullmatch(path.name))

    def _promoted(self) -> tuple[str, ...]:
        """Names that were made current, the latest first."""
        try:
            lines = (self.directory / CURRENT).read_text(encoding="utf-8").split()
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{self.directory / CURRENT} can't be read: {error}") from error
        return tuple(line for line in lines if NAME.fullmatch(line))

    def _make_current(self, promoted: tuple[str, ...]) -> None:
        """Point to promoted[0] if it can be loaded; the rename is the moment it happens."""
        try:
            load(self._home / promoted[0])
        except NextreelError as error:
            before = self._promoted()[:1]
            stays = f"; {before[0]} stays current" if before else ""
            raise ArtifactError(f"{promoted[0]} can't be current{stays}: {error}") from error
        temporary = self.directory / f".{CURRENT}.writing"
        with temporary.open("w", encoding="utf-8") as file:
            file.write("".join(f"{name}\n" for name in promoted))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.directory / CURRENT)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time, over all processes and threads."""
        import fcntl  # only here: Windows has none, and can serve versions all the same

        try:
            with (self.directory / LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ArtifactError(f"can't change {self.directory}: {error.strerror or error}") from error


def _copy(source: Path, path: Path) -> None:
    files = read_manifest(source)["files"]
    with atomic_directory(path, MANIFEST) as copy:
        for file in (*files, MANIFEST):
            shutil.copyfile(source / file, copy / file)
        read_manifest(copy)  # the source may have been replaced meanwhile


def _name_by_content(artifact: Path) -> str:
    """Such as 20261125T005100Z-1f0c3a9b: when it was saved, and a hash of its files."""
    manifest = _read_facts(artifact)
    try:
        moment = datetime.fromisoformat(manifest["created_at"]).astimezone(UTC)
        hashes = "\n".join(f"{name} {file['sha256']}" for name, file in sorted(manifest["files"].items()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{artifact / MANIFEST} is damaged: {error!r}") from error
    return f"{moment:%Y%m%dT%H%M%SZ}-{hashlib.sha256(hashes.encode()).hexdigest()[:8]}"


def _describe(name: str, path: Path, current: bool) -> Version:
    manifest = _read_facts(path)
    try:
        return Version(
            name,
            path,
            current,
            model=str(manifest["model"]),
            created_at=str(manifest["created_at"]),
            data_until=str(manifest["data"]["until"]),
            validation_ndcg=manifest.get("fit", {}).get("validation_ndcg"),
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path / MANIFEST} is damaged: {error!r}") from error


def _look_at(name: str, path: Path, current: bool) -> Version | Damaged:
    try:
        return _describe(name, path, current)
    except ArtifactError as error:
        return Damaged(name, path, current, str(error))


def _read_facts(directory: Path) -> Any:
    """The manifest alone, without a look at the files, which may be large."""
    try:
        return json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(
            f"{directory} has no {MANIFEST}; expected a model saved by `nextreel fit`"
        ) from None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{directory / MANIFEST} is damaged: {error}") from error
