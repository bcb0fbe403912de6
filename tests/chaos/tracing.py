"""Running a command of nextreel under strace, which reports its calls and may fail or kill it at one of them."""

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from tests.chaos.commands import Command
from tests.chaos.forks import Program

NAMES = (
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
)
"""Calls that change the names in a directory."""
CONTENTS = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"),
    *("ftruncate", "truncate", "fallocate", "fsync", "fdatasync"),
)
"""Calls that change what a file holds, or wait until it is on the disk."""
OPENING = ("open", "openat", "creat")
OF_POSITIONS = ("read", "lseek", "mmap")
"""Calls that are recorded too, since they move the position in a file or map it into memory."""
WRITING_FLAGS = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")

SAME_NAMES = "import itertools, secrets; n = itertools.count(); secrets.token_hex = lambda size: f'{next(n):0{2 * size}x}'\n"
"""Unfinished files have random names; here the same in each run, since strace is told the paths."""
ANY_LINE = re.compile(r"(\d+) +(.*)")
CALL = re.compile(r"(\w+)\((.*)\) += (.*)", re.DOTALL)
UNFINISHED, RESUMED = " <unfinished ...>", re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
DESCRIPTOR = re.compile(r"(\w+)<((?:\\x[0-9a-f]{2}|[^>\\])*)>(?:\(deleted\))?")


@dataclass(frozen=True)
class Call:
    """A system call of the traced process."""

    thread: str
    name: str
    arguments: tuple[str, ...]
    result: str
    directory: str
    """The process's own, from which relative paths lead."""

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The absolute paths that it is about: those of its texts, or else those of its open files."""
        if self.name in CONTENTS or self.name in OF_POSITIONS:
            return tuple(path for argument in self.arguments for path in [path_of(argument)] if path)
        found, directory = [], self.directory
        for argument in self.arguments:
            text = TEXT.match(argument)
            if text:
                found.append(os.path.normpath(Path(directory) / os.fsdecode(decode(text[1]))))
                continue
            directory = path_of(argument) or directory
        return tuple(found)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The texts and the paths of open files in its arguments, by which strace recognises it."""
        if self.name in CONTENTS or self.name in OF_POSITIONS:
            return self.paths
        texts = [os.fsdecode(decode(text[1])) for text in map(TEXT.match, self.arguments) if text]
        directories = [
            path_of(argument) for argument in self.arguments if not argument.startswith("AT_FDCWD")
        ]
        return (*texts, *(path for path in directories if path))

    @property
    def writes(self) -> bool:
        """Whether it changes a file or a directory, waits for that, or opens a file to do so."""
        if self.name in OPENING:
            return any(map(WRITING_FLAGS.search, self.arguments[1:]))
        return self.name in NAMES or self.name in CONTENTS

    @property
    def is_injected(self) -> bool:
        """Whether strace failed it."""
        return "(INJECTED)" in self.result

    def is_within(self, directory: Path) -> bool:
        """Whether it is about something in a directory."""
        return any(path == str(directory) or path.startswith(f"{directory}/") for path in self.paths)


@dataclass(frozen=True)
class Fault:
    """What shall happen at one call."""

    call: str
    path: str
    number: int
    """Place of the call among those of its name with this path, in its thread, from 1."""
    what: str
    """An error such as ENOSPC, or KILL."""

    @property
    def options(self) -> list[str]:
        """The options of strace."""
        how = f"signal={self.what}" if self.what == "KILL" else f"error={self.what}"
        return ["-P", self.path, f"--inject={self.call}:{how}:when={self.number}"]


@dataclass(frozen=True)
class Run:
    """A command that has ended."""

    code: int
    """Its exit code; negative if a signal ended it."""
    complaint: str
    """What it wrote to its standard error."""
    calls: list[Call]


def require_strace() -> None:
    """Skip a test where processes can't be traced."""
    works = shutil.which("strace") and subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True
    )
    if not works or works.returncode:
        pytest.skip("needs strace, and the right to trace processes")


def run_traced(command: Command, home: Path, fault: Fault | None = None, with_data: bool = False) -> Run:
    """Run a command in a directory; with its data, what it writes is in the arguments of its calls."""
    log = home.with_name("calls")
    traced = ",".join((*OPENING, *NAMES, *CONTENTS, *(OF_POSITIONS if with_data else ())))
    size = "100000000" if with_data else "4096"
    options = ["-f", "-y", "-xx", "-s", size, f"--trace={traced}", "-o", str(log)]
    program = Program.prepare(SAME_NAMES + command.program, home)
    arguments = ["strace", *options, *([] if fault is None else fault.options), "-p", str(program.pid)]
    with subprocess.Popen(arguments, cwd=home, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = iter(strace.stderr.readline, "")
        if not any("attached" in line for line in said):
            os.kill(program.pid, signal.SIGKILL)
            raise RuntimeError("strace can't trace the process")
        ended = program.run()
        strace.communicate()
    return Run(ended.code, ended.complaint, parse(log.read_text(), str(home)))


def run_untraced(command: Command, home: Path) -> Run:
    """Run a command in a directory undisturbed."""
    ended = Program.prepare(command.program, home).run()
    return Run(ended.code, ended.complaint, [])


def parse(log: str, directory: str) -> list[Call]:
    """Return the calls of a log of strace, in the order in which they ended."""
    calls, begun = [], {}
    for line in log.splitlines():
        match = ANY_LINE.match(line)
        assert match, line
        thread, text = match.groups()
        if text.endswith(UNFINISHED):
            begun[thread] = text.removesuffix(UNFINISHED)
            continue
        if resumed := RESUMED.match(text):
            text = begun.pop(thread) + resumed[1]
        if found := CALL.match(text):
            name, arguments, result = found.groups()
            calls.append(Call(thread, name, tuple(arguments.split(", ")), result, directory))
    return calls


def decode(text: str) -> bytes:
    """Return the bytes of a text of strace, in which all are hexadecimal."""
    return bytes.fromhex(text.replace("\\x", ""))


def path_of(argument: str) -> str | None:
    """Return the path that strace writes behind a file descriptor."""
    found = DESCRIPTOR.match(argument)
    if not found:
        return None
    path = found[2]
    return os.fsdecode(decode(path)) if path.startswith("\\x") else path
