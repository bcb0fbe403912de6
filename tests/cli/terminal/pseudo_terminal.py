"""Running a command in a pseudo-terminal of a given width."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from tests import warm_python
from tests.cli.commands import make_environment

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def show(*arguments: object, columns: int, cwd: Path, stderr: bool = False, **variables: str) -> str:
    """Run a command that must exit with 0, and return what it writes to a terminal, without colours.

    With `stderr`, stderr goes to the terminal too, and otherwise nowhere.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = make_environment(TERM="xterm-256color", **variables)
    del environment["COLUMNS"]
    command = [*warm_python.python(), "-m", "nextreel", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs if stderr else subprocess.DEVNULL,
        cwd=cwd,
        env=environment,
    ) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    text = CONTROL.sub("", written.decode())
    assert process.returncode == 0, text
    return text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the command has closed its end
        return b""
