"""A disk that writes reach in any order: files and names, and which of them a loss of power may leave.

What a call writes is on the disk for sure once the file or the directory was synced (fsync) after it. Before, each write
may or may not be there, whatever became of earlier ones, and one that is there may be torn: only its beginning, or zeros
in the place of its end. A rename is there as a whole or not at all. This is less than real file systems promise, as in
ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
"""Number of bytes that a disk writes as a whole."""


@dataclass(frozen=True)
class Write:
    """Bytes put into a file."""

    inode: int
    offset: int
    data: bytes

    @property
    def touched(self) -> tuple[int, ...]:
        """What has to be synced for it to be on the disk."""
        return (self.inode,)

    def torn(self) -> list["Write"]:
        """Return what may be left of it: its first half, in whole sectors, and that followed by zeros."""
        kept = len(self.data) // 2 // SECTOR * SECTOR
        beginning = self.data[:kept]
        return [
            Write(self.inode, self.offset, part)
            for part in (beginning, beginning.ljust(len(self.data), b"\0"))
        ]


@dataclass(frozen=True)
class Resize:
    """A file cut or extended to a size."""

    inode: int
    size: int

    @property
    def touched(self) -> tuple[int, ...]:
        """What has to be synced for it to be on the disk."""
        return (self.inode,)


@dataclass(frozen=True)
class Names:
    """Names in directories given to files and directories, all at once: (directory, name, inode or None for none)."""

    changes: tuple[tuple[int, str, int | None], ...]

    @property
    def touched(self) -> tuple[int, ...]:
        """What has to be synced for it to be on the disk."""
        return tuple(directory for directory, _, _ in self.changes)


@dataclass(frozen=True)
class Sync:
    """A wait until all earlier changes of a file or a directory are on the disk."""

    inode: int


Operation = Write | Resize | Names | Sync


@dataclass
class Disk:
    """Files and directories by the numbers of their inodes; 0 is the first directory."""

    files: dict[int, bytearray] = field(default_factory=dict)
    directories: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})

    @classmethod
    def read(cls, home: Path) -> "Disk":
        """Read what a directory holds."""
        disk = cls()
        disk._read(home, 0)
        return disk

    def _read(self, directory: Path, inode: int) -> None:
        for path in sorted(directory.iterdir()):
            number = self.make(is_directory=path.is_dir())
            self.directories[inode][path.name] = number
            if path.is_dir():
                self._read(path, number)
            else:
                self.files[number] += path.read_bytes()

    def make(self, is_directory: bool) -> int:
        """Make an empty file or directory without a name, and return its number."""
        number = len(self.files) + len(self.directories)
        if is_directory:
            self.directories[number] = {}
        else:
            self.files[number] = bytearray()
        return number

    def copy(self) -> "Disk":
        """Return a copy, which can be changed by itself."""
        return Disk(
            {number: bytearray(content) for number, content in self.files.items()},
            {number: dict(names) for number, names in self.directories.items()},
        )

    def find(self, parts: Sequence[str]) -> int | None:
        """Return the inode at a path; None if there is none."""
        number: int | None = 0
        for part in parts:
            number = self.directories.get(-1 if number is None else number, {}).get(part)
        return number

    def apply(self, operation: Operation) -> None:
        """Change the disk."""
        if isinstance(operation, Write):
            content = self.files[operation.inode]
            end = operation.offset + len(operation.data)
            content.extend(bytes(max(0, operation.offset - len(content))))
            content[operation.offset : end] = operation.data
        elif isinstance(operation, Resize):
            content = self.files[operation.inode]
            del content[operation.size :]
            content.extend(bytes(operation.size - len(content)))
        elif isinstance(operation, Names):
            for directory, name, inode in operation.changes:
                self.directories[directory].pop(name, None)
                if inode is not None:
                    self.directories[directory][name] = inode

    def tree(self, number: int = 0, prefix: str = "") -> dict[str, bytes | None]:
        """Return the content of each file that has a name, and None for each directory, by their paths."""
        found: dict[str, bytes | None] = {}
        for name, inode in self.directories[number].items():
            path = f"{prefix}{name}"
            if inode in self.files:
                found[path] = bytes(self.files[inode])
            else:
                found[path] = None
                found |= self.tree(inode, f"{path}/")
        return found


def write_tree(tree: dict[str, bytes | None], home: Path) -> None:
    """Write the files of a disk into an empty directory."""
    for path, content in sorted(tree.items()):
        if content is None:
            (home / path).mkdir()
            continue
        (home / path).touch(mode=0o600)
        (home / path).write_bytes(content)
