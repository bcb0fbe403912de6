"""Versions of a model in one directory, of which one is current: add, promote, roll back, delete.

    MODEL_DIR/versions/NAME/   one saved model each, which never changes once it is there
    MODEL_DIR/current          names of promoted versions, one per line, the current one first

`current` is replaced by a rename, so a reader sees either the old state or the new one. The history that a rollback
needs is in the same file, so the two can't disagree. Changes are serialized by a lock on `.lock`, which the operating
system releases when a process dies.

A directory that is itself a saved model counts as one version; there is nothing to roll back to.
"""

import contextlib
import errno
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nextreel.artifacts import MANIFEST
from nextreel.atomic_files import replacing
from nextreel.atomic_files.durability import make_directories
from nextreel.atomic_files.unfinished import delete_directory, delete_leftovers_in, recover_directory
from nextreel.documents import read_text_file
from nextreel.errors import ArtifactError, DataError, NextreelError, QueryError
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saving import copy_model, load
from nextreel.serving.storage.data_lineage import Overlap
from nextreel.serving.storage.stored_versions import (
    DamagedVersion,
    StoredVersion,
    name_by_content,
    read_version,
    try_to_read_version,
    when_saved,
)

VERSIONS, CURRENT, LOCK = "versions", "current", ".lock"
Announce = Callable[[str], None]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class VersionDirectory:
    """A directory of versions. Every call reads it anew, so that all processes agree."""

    directory: Path

    @classmethod
    def open(cls, directory: Path | str) -> Self:
        """Open a directory of versions, or one saved model.

        Raises
        ------
        ArtifactError
            The directory is neither.
        """
        versions = cls(Path(directory))
        recover_directory(versions.directory)
        if not (versions.is_single or versions._home.is_dir()):
            raise ArtifactError(
                f"{directory} holds no saved model and no versions of one: create some by "
                f"`nextreel fit --out {directory}` or `nextreel models add {directory} MODEL`"
            )
        return versions

    @classmethod
    def create(cls, directory: Path | str) -> Self:
        """Open a directory like `open`, after making a directory of versions of one that is missing or empty.

        Raises
        ------
        ArtifactError
            The directory holds something else, or can't be written.
        """
        versions = cls(Path(directory))
        try:
            if not versions.directory.exists() or not any(versions.directory.iterdir()):
                make_directories(versions._home)
        except OSError as error:
            raise ArtifactError(f"can't write {directory}: {error.strerror or error}") from error
        return cls.open(directory)

    @property
    def is_single(self) -> bool:
        """Whether the directory is itself a saved model."""
        return (self.directory / MANIFEST).is_file()

    @property
    def current(self) -> StoredVersion:
        """The version to serve. Its files aren't verified here, but when it is loaded.

        Raises
        ------
        ArtifactError
            No version is current, or the manifest of the current one is damaged.
        """
        if self.is_single:
            return read_version(name_by_content(self.directory), self.directory, current=True)
        promoted = self._promoted()
        if not promoted:
            raise ArtifactError(
                f"no version in {self.directory} is current: nextreel models promote {self.directory} NAME"
            )
        return read_version(promoted[0], self._home / promoted[0], current=True)

    def call_if_current(self, name: str, function: Callable[[], None]) -> None:
        """Call a function while this version is the current one and nobody can change that; not at all if it isn't."""
        with contextlib.ExitStack() as stack:
            if not self.is_single:
                with contextlib.suppress(ArtifactError):  # nothing can be written, so nobody promotes
                    stack.enter_context(self._locked())
                if self._promoted()[:1] != (name,):
                    return
            function()

    @property
    def promoted_at(self) -> int:
        """When the current version became that, POSIX seconds; now, if the directory doesn't say it."""
        with contextlib.suppress(OSError):
            return int((self.directory / (MANIFEST if self.is_single else CURRENT)).stat().st_mtime)
        return int(time.time())

    def list(self) -> Sequence[StoredVersion | DamagedVersion]:
        """Return all versions, latest first, damaged ones at the end."""
        if self.is_single:
            return [self.current]
        promoted = self._promoted()[:1]
        versions = [
            try_to_read_version(name, self._home / name, promoted == (name,)) for name in self._names()
        ]
        return sorted(versions, key=when_saved, reverse=True)

    def find(self, name: str) -> StoredVersion:
        """Return a version by name.

        Raises
        ------
        QueryError
            There is no version of this name.
        ArtifactError
            Its manifest is damaged.
        """
        names = self._names()
        if name not in names:
            raise QueryError(f"{self.directory} has no version {name!r}; it has {', '.join(names) or 'none'}")
        if self.is_single:
            return self.current
        return read_version(name, self._home / name, current=self._promoted()[:1] == (name,))

    def add(self, artifact: Path | str, name: str | None = None) -> StoredVersion:
        """Copy a saved model into the directory. The first version becomes current; later ones must be promoted.

        A version without a given name is named after the time at which it was saved and a hash of its files. Adding
        the same model again changes nothing.

        Raises
        ------
        QueryError
            The name isn't allowed or another model has it, or the directory is a saved model itself.
        ArtifactError
            The saved model is damaged, or the directory can't be written.
        """
        source = Path(artifact)
        if self.is_single:
            raise QueryError(
                f"{self.directory} is itself a saved model; name another directory for the versions"
            )
        name = name if name is not None else name_by_content(source)
        if not NAME.fullmatch(name):
            raise QueryError(
                f"{name!r} can't be the name of a version; expected letters, digits, '.', '_' and '-', such as "
                "2026-11-25.b"
            )
        with self._locked():
            path = self._home / name
            delete_leftovers_in(self._home)
            if not path.exists():
                copy_model(source, path)
            elif (path / MANIFEST).read_bytes() != (source / MANIFEST).read_bytes():
                raise QueryError(f"{self.directory} already has another version {name}; choose another name")
            if not self._promoted():
                self._make_current((name,))
        return self.find(name)

    def promote(self, name: str, announce: Announce | None = None) -> StoredVersion:
        """Make a version current, after verifying its files and loading it once, so that a server can start with it.

        `announce` is called with the name when nothing can refuse the version any more, just before it becomes current.

        Raises
        ------
        QueryError
            There is no version of this name.
        ArtifactError
            The version can't be loaded, or was fitted on other data than the current one; the old one stays current.
        """
        version = self.find(name)
        if self.is_single:
            load(version.path)
            if announce is not None:
                announce(version.name)
            return version
        with self._locked():
            promoted = self._promoted()
            if promoted:
                self._require_lineage(name, promoted)
            self._make_current(promoted if promoted[:1] == (name,) else (name, *promoted), announce)
        return self.find(name)

    def rollback(self, announce: Announce | None = None) -> StoredVersion:
        """Make the version that was current before current again, with the checks and the call of `promote`.

        Another rollback goes one promotion further back. Versions that were removed since are skipped.

        Raises
        ------
        QueryError
            There is no earlier version.
        ArtifactError
            The earlier version can't be loaded; the current one stays.
        """
        if self.is_single:
            raise QueryError(
                f"{self.directory} is a single saved model; there is no earlier version to go back to"
            )
        with self._locked():
            earlier = self._earlier()
            if not earlier:
                raise QueryError(f"{self.directory} has no earlier version to go back to")
            self._make_current(earlier, announce)
        return self.find(earlier[0])

    def list_old(self, keep: int) -> Sequence[StoredVersion | DamagedVersion]:
        """Return all versions except the `keep` latest, the current one and the one that a rollback returns to."""
        needed = self._needed()
        return [version for version in self.list()[keep:] if version.name not in needed]

    def delete(self, names: Sequence[str]) -> None:
        """Delete versions, each in one step.

        Raises
        ------
        QueryError
            A version is needed: it is the current one or the one that a rollback returns to.
        ArtifactError
            The directory can't be written.
        """
        with self._locked():
            for name in names:
                if name in self._needed():
                    raise QueryError(
                        f"{name} is the current version or the one to roll back to, and was kept"
                    )
                delete_directory(self._home / name)

    @property
    def _home(self) -> Path:
        return self.directory / VERSIONS

    def _names(self) -> Sequence[str]:
        """Return the names of the versions, sorted. A version that is still being written has no valid name yet."""
        if self.is_single:
            return [self.current.name]
        self._require_home()
        directories = (path for path in self._home.glob("*") if path.is_dir())
        return sorted(path.name for path in directories if NAME.fullmatch(path.name))

    def _require_home(self) -> None:
        if not self._home.is_dir():
            raise ArtifactError(
                f"{self.directory} holds no versions of a model any more: it was deleted or moved"
            )

    def _promoted(self) -> tuple[str, ...]:
        """Return the names that were made current, the latest first."""
        try:
            lines = read_text_file(self.directory / CURRENT).split()
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{self.directory / CURRENT} can't be read: {error}") from error
        return tuple(line for line in lines if NAME.fullmatch(line))

    def _earlier(self) -> tuple[str, ...]:
        """Return the names that were made current before the current one and are still there, the latest first."""
        names = self._names()
        return tuple(name for name in self._promoted()[1:] if name in names)

    def _needed(self) -> Sequence[str]:
        """Return the names of the current version and of the one that a rollback returns to."""
        return [*self._promoted()[:1], *self._earlier()[:1]]

    def _require_lineage(self, name: str, promoted: tuple[str, ...]) -> None:
        """Raise ArtifactError for a version of other data than all that were promoted: a store holds one data set."""
        if name in promoted or any(self._is_related(name, earlier) for earlier in dict.fromkeys(promoted)):
            return
        raise ArtifactError(
            f"{name} was fitted on other data than {promoted[0]}, which stays current: keep the versions of each data "
            f"set in a directory of its own (`nextreel models add DIR {self._home / name}`)"
        )

    def _is_related(self, name: str, earlier: str) -> bool:
        """Return whether two versions were fitted on states of the same data; True if that can't be told."""
        try:
            new, old = (ModelManifest.read(self._home / version) for version in (name, earlier))
            if old.data.sha256 == new.data.sha256 or (old.store is not None and old.store == new.store):
                return True
            datasets = (load(self._home / version).dataset for version in (name, earlier))
            return Overlap.between(*datasets).is_most
        except NextreelError:  # a damaged version can't be compared; the new one is checked when it is loaded
            return True

    def _make_current(self, promoted: tuple[str, ...], announce: Announce | None = None) -> None:
        """Replace the file `current` after loading promoted[0], which becomes the current version."""
        try:
            load(self._home / promoted[0])
        except NextreelError as error:
            current = self._promoted()[:1]
            stays = f"; {current[0]} stays current" if current else ""
            raise ArtifactError(f"{promoted[0]} can't become current{stays}: {error}") from error
        if announce is not None:
            announce(promoted[0])
        try:
            with replacing(self.directory / CURRENT) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in promoted), encoding="utf-8")
        except DataError as error:
            raise ArtifactError(str(error)) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock that serializes changes across processes and threads; on Windows there is none."""
        self._require_home()
        try:
            if (self.directory / LOCK).is_fifo():
                raise OSError(errno.EINVAL, f"{LOCK} is a pipe")  # to open it would wait for a reader
            with (self.directory / LOCK).open("w") as lock:
                with contextlib.suppress(ImportError):  # Windows lacks the module
                    import fcntl

                    fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ArtifactError(f"can't change {self.directory}: {error.strerror or error}") from error
