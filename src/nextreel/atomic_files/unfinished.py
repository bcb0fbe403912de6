"""Unfinished files and directories: their names, and what becomes of those that a killed run left behind.

What is being written stands beside the name that it will get, as `.NAME.RANDOM.tmp` or `.NAME.RANDOM.writing`. The
middle is random, since two containers that share a directory may have the same process ids. The run that writes it
holds a lock on it (flock), which the operating system releases when the process ends, however it ends. So what nobody
has locked is a leftover, and the next run that writes the same NAME deletes it.

Where there is no flock (Windows, some network file systems), leftovers can't be told from the work of a living run.
They stay, until somebody deletes them.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from nextreel.atomic_files.durability import make_directories, sync_directory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE, DIRECTORY, REPLACED = "tmp", "writing", "replaced"
"""Endings of unfinished files and directories, and of a directory that made room for its successor."""
RANDOM_BYTES = 8
"""Number of random bytes in a name."""
LONGEST_NAME = 200
"""Number of bytes of the longest name that is part of an unfinished one; file systems allow 255 for the whole."""
UNFINISHED = re.compile(rf"\..+\.[0-9a-f]+\.({FILE}|{DIRECTORY}|{REPLACED})", re.DOTALL)


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Yield the name of a new, empty file beside `path`; what is still there when the block ends is deleted.

    Leftovers of killed runs that wrote to `path` are deleted first.
    """
    with _unfinished(path, FILE) as temporary:
        yield temporary


@contextmanager
def unfinished_directory(path: Path) -> Iterator[Path]:
    """Yield a new, empty directory beside `path`, as `unfinished_file` does a file."""
    with _unfinished(path, DIRECTORY) as temporary:
        yield temporary


def is_unfinished(path: Path) -> bool:
    """Return whether a name is that of something unfinished, or left over."""
    return UNFINISHED.fullmatch(path.name) is not None


def is_empty(directory: Path) -> bool:
    """Return whether a directory holds nothing but unfinished files."""
    return all(map(is_unfinished, directory.iterdir()))


def replaced_name(temporary: Path) -> Path:
    """Return the name for the directory that makes room for the unfinished one at `temporary`."""
    return temporary.with_name(temporary.name.removesuffix(DIRECTORY) + REPLACED)


def recover_directory(path: Path, is_writer: bool = False) -> None:
    """Bring back the directory `path` if a run was killed while there was none of that name.

    That can only happen where names can't be exchanged in one step (`exchange`), between the two renames that replace a
    directory there. While the run is alive, nothing is done. Where it can't be told whether it is, only a run that is
    about to write the directory itself (`is_writer`) brings it back.
    """
    if os.path.lexists(path):
        return
    for replaced in _find(path, REPLACED):
        successor = replaced.with_name(replaced.name.removesuffix(REPLACED) + DIRECTORY)
        with suppress(OSError), _left_over(successor) as is_left_over:
            if is_left_over or (is_left_over is None and is_writer):
                replaced.rename(path)
                return


def delete_leftovers(path: Path) -> None:
    """Delete what killed runs that wrote to `path` have left beside it, as far as it can be told."""
    for ending in (FILE, DIRECTORY):
        _delete_left_over(_find(path, ending))
    # In this order: if `path` exists after its predecessor was found, it is the successor.
    replaced = _find(path, REPLACED)
    if os.path.lexists(path):
        for directory in replaced:
            remove(directory)


def delete_leftovers_in(directory: Path) -> None:
    """Delete the unfinished files and directories that killed runs have left in a directory, whatever their names."""
    middle = f"[0-9a-f]{{{2 * RANDOM_BYTES}}}"
    found: list[Path] = []
    with suppress(OSError), os.scandir(directory) as entries:
        found = [Path(entry.path) for entry in entries]
    form = re.compile(rf"\..+\.{middle}\.({FILE}|{DIRECTORY})", re.DOTALL)
    _delete_left_over(path for path in found if form.fullmatch(path.name))


def _delete_left_over(unfinished: Iterable[Path]) -> None:
    """Delete those unfinished files and directories whose runs have ended, as far as it can be told."""
    for path in unfinished:
        with suppress(OSError), _left_over(path) as is_left_over:
            if is_left_over:
                remove(path)


def delete_directory(directory: Path) -> None:
    """Delete a directory in one step, as readers see it: it is there completely or not at all, however this ends.

    If this is killed, the rest has the name of an unfinished directory, and `delete_leftovers_in` deletes it.
    """
    unfinished = _name_unfinished(directory, DIRECTORY)
    directory.rename(unfinished)
    sync_directory(directory.parent)
    remove(unfinished)


def remove(path: Path) -> None:
    """Delete a file, a link or a directory with all that it holds, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def _unfinished(path: Path, ending: str) -> Iterator[Path]:
    make_directories(path.parent)
    delete_leftovers(path)
    temporary, lock = _create(path, ending)
    try:
        yield temporary
    finally:
        remove(temporary)
        if lock is not None:
            os.close(lock)


def _name_unfinished(path: Path, ending: str) -> Path:
    return path.with_name(f".{_shorten(path.name)}.{secrets.token_hex(RANDOM_BYTES)}.{ending}")


def _create(path: Path, ending: str) -> tuple[Path, int | None]:
    """Create an unfinished file or directory and lock it; return its name and the open lock, None without flock.

    Another run may take it for a leftover in the moment before it is locked; then a new one is made.
    """
    while True:
        temporary = _name_unfinished(path, ending)
        if ending == DIRECTORY:
            temporary.mkdir()
        else:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            lock = take_lock(temporary)
        except (BlockingIOError, FileNotFoundError):
            continue
        if lock is None or temporary.exists():
            return temporary, lock
        os.close(lock)


@contextmanager
def _left_over(path: Path) -> Iterator[bool | None]:
    """Say whether nobody writes what is at `path`, and keep it so during the block; None if that can't be told."""
    try:
        lock = take_lock(path)
    except BlockingIOError:
        yield False
        return
    except FileNotFoundError:
        yield True
        return
    try:
        yield None if lock is None else True
    finally:
        if lock is not None:
            os.close(lock)


def take_lock(path: Path) -> int | None:
    """Lock a file or directory and return the open descriptor that holds the lock; None where there is no flock.

    Raises
    ------
    BlockingIOError
        Another run holds the lock.
    OSError
        There is nothing at `path`, or it can't be opened.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise BlockingIOError(error.errno, os.strerror(error.errno), str(path)) from None
        return None
    return descriptor


def _find(path: Path, ending: str) -> list[Path]:
    """Return what an earlier or a living run has put beside `path` under names of this ending."""
    # Before, the middle was a process id, of a run that had no lock: such a name is recovered, but not deleted.
    middle = "[0-9a-f]+" if ending == REPLACED else f"[0-9a-f]{{{2 * RANDOM_BYTES}}}"
    name = re.compile(rf"\.{re.escape(_shorten(path.name))}\.{middle}\.{ending}")
    try:
        with os.scandir(path.parent) as entries:
            return [Path(entry.path) for entry in entries if name.fullmatch(entry.name)]
    except OSError:
        return []


def _shorten(name: str) -> str:
    encoded = os.fsencode(name)
    return name if len(encoded) <= LONGEST_NAME else sha256(encoded).hexdigest()
