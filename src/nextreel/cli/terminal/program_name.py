"""How to type the next command: `nextreel`, or as this program was started where that isn't on the PATH."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAM = "nextreel"


def next_command(*arguments: object) -> str:
    """Return a command of nextreel's that works as it is printed, such as ".venv/bin/nextreel fit parts"."""
    return " ".join([program_name(), *(shlex.quote(str(argument)) for argument in arguments)])


def program_name(started: Sequence[str] | None = None, interpreter: str | None = None) -> str:
    """Return what runs nextreel again from the current directory, quoted for a shell.

    Parameters
    ----------
    started : Sequence[str] or None
        `sys.argv`, of which the first element matters.
    interpreter : str or None
        Path of the Python interpreter, `sys.executable`.
    """
    script = Path((started or sys.argv)[0])
    python = Path(interpreter or sys.executable)
    installed = python.with_name(PROGRAM)
    if _is_on_path(PROGRAM, script if script.stem == PROGRAM else installed):
        return PROGRAM
    if script.stem == PROGRAM:
        return _show(script)
    if installed.exists():
        return _show(installed)
    return f"{python_name(python)} -m {PROGRAM}"


def python_name(interpreter: Path | None = None) -> str:
    """Return what runs the Python that nextreel is installed in, quoted for a shell."""
    python = interpreter or Path(sys.executable)
    return python.name if _is_on_path(python.name, python) else _show(python)


def _is_on_path(name: str, file: Path) -> bool:
    found = shutil.which(name)
    return found is not None and Path(found).parent.absolute() == file.parent.absolute()


def _show(path: Path) -> str:
    """Return a path relative to the current directory if it lies below it."""
    relative = os.path.relpath(path)
    return shlex.quote(str(path) if relative.startswith(os.pardir) else relative)
