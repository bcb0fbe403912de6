"""A program that replaces a directory or a file again and again, each time killed one system call later.

python -m tests.atomic_files.killed_writers HOME directory|file [--no-exchange]

It prints, as JSON, what a reader finds at the path after each kill, and the names beside it after the next write.
"""

import json
import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from nextreel.atomic_files import atomic_directory, replacement, replacing
from nextreel.atomic_files.exchange import exchange
from nextreel.atomic_files.unfinished import recover_directory

MARKER = "marker"
FILES = ("one", "two", MARKER)
KILLED = 9
CALLS = ("rename", "replace", "mkdir", "rmdir", "unlink", "fsync", "open", "scandir")


def write(path: Path, text: str) -> None:
    if path.suffix:
        with replacing(path) as temporary:
            temporary.write_text(text)
        return
    with atomic_directory(path, MARKER) as directory:
        for name in FILES:
            (directory / name).write_text(text)


def read(path: Path) -> str:
    """Return what all files of a directory hold, or a file; several texts if they differ."""
    if path.suffix:
        return path.read_text()
    recover_directory(path)
    return " and ".join(sorted({file.read_text() for file in path.iterdir()}))


def kill_before(number: int) -> None:
    """Make this process die before the given system call, counted from 0."""
    remaining = iter(range(number))

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def dying(*arguments: object, **options: object) -> object:
            if next(remaining, None) is None:
                os._exit(KILLED)
            return call(*arguments, **options)

        return dying

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    vars(replacement)["exchange"] = counted(exchange)


def main(home: Path, kind: str, can_exchange: bool) -> None:
    if not can_exchange:
        vars(replacement)["exchange"] = lambda one, other: False
    states, beside = [], []
    for number in count():
        path = home / str(number) / ("model" if kind == "directory" else "result.json")
        write(path, "old")
        child = os.fork()
        if not child:
            kill_before(number)
            write(path, "new")
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
        states.append(read(path))
        write(path, "next")
        beside.append([entry.name for entry in path.parent.iterdir() if read(path) == "next"])
        if not killed:
            break
    print(json.dumps({"states": states, "beside": beside}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], "--no-exchange" not in sys.argv)
