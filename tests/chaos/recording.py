"""The calls of a run, as strace reports them, as writes to a disk."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.disk_model import Disk, Names, Operation, Resize, Sync, Write
from tests.chaos.tracing import OPENING, TEXT, Call, decode

POSITION = re.compile(r"\[(\d+)\]")
UNSHARED = re.compile(r"MAP_PRIVATE")


@dataclass
class OpenFile:
    """A file descriptor."""

    inode: int
    position: int
    appends: bool


@dataclass
class Recording:
    """What a run did to a disk, in order."""

    before: Disk
    """The disk before the run, with all files and directories that the run will make, without names."""
    operations: list[Operation]
    mapped: set[str]
    """Names of files that were mapped into memory to be written, of which no call tells."""


def record(calls: list[Call], before: Disk, home: Path) -> Recording:
    """Return the operations of all calls that succeeded within a directory."""
    recorder = _Recorder(before, home)
    for call in calls:
        if call.is_within(home) and not call.result.startswith(("-1", "?")):
            recorder.follow(call)
    return Recording(recorder.before, recorder.operations, recorder.mapped)


class _Recorder:
    def __init__(self, before: Disk, home: Path) -> None:
        self.before, self.disk, self.home = before.copy(), before.copy(), home
        self.operations: list[Operation] = []
        self.mapped: set[str] = set()
        self.open: dict[str, OpenFile] = {}

    def follow(self, call: Call) -> None:
        if call.name in OPENING:
            self._open(call)
            return
        handler = getattr(self, f"_{call.name}", None)
        if handler is None:
            raise NotImplementedError(f"{call.name} of {call.paths}")
        handler(call)

    def _make(self, is_directory: bool) -> int:
        self.before.make(is_directory)
        return self.disk.make(is_directory)

    def _do(self, operation: Operation) -> None:
        self.operations.append(operation)
        self.disk.apply(operation)

    def _locate(self, path: str) -> tuple[int, str]:
        """Return the directory and the name of a path."""
        *parents, name = Path(path).relative_to(self.home).parts
        directory = self.disk.find(parents)
        assert directory is not None, path
        return directory, name

    def _find(self, path: str) -> int | None:
        return self.disk.find(Path(path).relative_to(self.home).parts)

    def _open(self, call: Call) -> None:
        path, flags = call.paths[-1], next(text for text in call.arguments if text.startswith("O_"))
        inode = self._find(path)
        if inode is None:
            inode = self._make(is_directory=False)
            directory, name = self._locate(path)
            self._do(Names(((directory, name, inode),)))
        elif "O_TRUNC" in flags:
            self._do(Resize(inode, 0))
        self.open[_descriptor(call.result)] = OpenFile(inode, 0, "O_APPEND" in flags)

    def _file(self, call: Call, argument: int = 0) -> OpenFile:
        return self.open[_descriptor(call.arguments[argument])]

    def _put(self, file: OpenFile, data: bytes) -> None:
        if file.appends:
            file.position = len(self.disk.files[file.inode])
        self._do(Write(file.inode, file.position, data))
        file.position += len(data)

    def _read(self, call: Call) -> None:
        if _descriptor(call.arguments[0]) in self.open:
            self._file(call).position += int(call.result)

    def _lseek(self, call: Call) -> None:
        if _descriptor(call.arguments[0]) in self.open:
            self._file(call).position = int(call.result)

    def _mmap(self, call: Call) -> None:
        if "PROT_WRITE" in call.arguments[2] and not UNSHARED.search(call.arguments[3]):
            self.mapped.add(Path(call.paths[0]).name)

    def _write(self, call: Call) -> None:
        self._put(self._file(call), _data(call.arguments[1])[: int(call.result)])

    def _pwrite64(self, call: Call) -> None:
        data = _data(call.arguments[1])[: int(call.result)]
        self._do(Write(self._file(call).inode, int(call.arguments[3]), data))

    def _sendfile(self, call: Call) -> None:
        position = POSITION.match(call.arguments[2])
        source = self._file(call, 1)
        start = int(position[1]) if position else source.position
        data = bytes(self.disk.files[source.inode][start : start + int(call.result)])
        if not position:
            source.position += len(data)
        self._put(self._file(call), data)

    def _copy_file_range(self, call: Call) -> None:
        assert call.arguments[1] == call.arguments[3] == "NULL"
        source = self._file(call, 0)
        data = bytes(self.disk.files[source.inode][source.position :][: int(call.result)])
        source.position += len(data)
        self._put(self._file(call, 2), data)

    def _ftruncate(self, call: Call) -> None:
        self._do(Resize(self._file(call).inode, int(call.arguments[1])))

    def _fallocate(self, call: Call) -> None:
        size = len(self.disk.files[self._file(call).inode])
        wanted = int(call.arguments[2]) + int(call.arguments[3])
        self._do(Resize(self._file(call).inode, max(size, wanted)))

    def _fsync(self, call: Call) -> None:
        self.operations.append(Sync(self._file(call).inode))

    _fdatasync = _fsync

    def _mkdir(self, call: Call) -> None:
        inode = self._make(is_directory=True)
        directory, name = self._locate(call.paths[-1])
        self._do(Names(((directory, name, inode),)))

    _mkdirat = _mkdir

    def _rename(self, call: Call) -> None:
        old, new = call.paths
        inode, other = self._find(old), self._find(new)
        was, becomes = self._locate(old), self._locate(new)
        exchanges = "RENAME_EXCHANGE" in call.arguments[-1]
        self._do(Names(((*was, other if exchanges else None), (*becomes, inode))))

    _renameat = _renameat2 = _rename

    def _unlink(self, call: Call) -> None:
        directory, name = self._locate(call.paths[-1])
        self._do(Names(((directory, name, None),)))

    _unlinkat = _rmdir = _unlink


def _descriptor(text: str) -> str:
    return text.partition("<")[0]


def _data(argument: str) -> bytes:
    found = TEXT.match(argument)
    assert found, argument[:100]
    return decode(found[1])
