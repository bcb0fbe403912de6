"""Run the examples of the pages under docs; `python -m tests.docs.pages` writes their current outputs into the pages.

    sh, bash    run by bash; a block of one line `nextreel serve …` keeps running until the end of the page
    python      run by one Python interpreter per page
    text        directly after one of these: its output, which is compared without numbers
    console     lines `$ command` are run and may fail; the output between them is compared exactly

All blocks of a page run in order, in one directory.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests import warm_python

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = {"sh", "bash", "python", "console"}
END = "~~ end of a block ~~"

PRELUDE = """
import atexit, subprocess, sys, warnings

warnings.simplefilter("error")

def shell(text):
    if subprocess.run(["bash", "-euo", "pipefail", "-c", text]).returncode:
        sys.exit(f"failed: {text}")

def serve(command):
    quiet = {"stderr": subprocess.DEVNULL}  # the log of requests
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, text=True, **quiet)
    atexit.register(lambda: (process.terminate(), process.wait()))
    for line in process.stdout:
        print(line, end="")
        if "http://" in line:
            return
    sys.exit(f"the server didn't start: {command}")

def run_console(text):
    for line in text.splitlines():
        if line.startswith("$ "):
            print(line, flush=True)
            subprocess.run(["bash", "-c", line[2:]])
"""


@dataclass(frozen=True)
class Block:
    """A fenced block that is run."""

    kind: str
    text: str
    output: slice | None
    """Position of the block's output in the page; None if the page doesn't show it."""


def find_blocks(page: str) -> list[Block]:
    """Return the blocks of a page that are run, in order."""
    fences = list(FENCE.finditer(page))
    blocks = []
    for fence, following in pairwise([*fences, None]):
        assert fence is not None
        kind, output = fence[1], None
        if kind == "console":
            output = slice(*fence.span(2))
        elif following and following[1] == "text" and not page[fence.end() : following.start()].strip():
            output = slice(*following.span(2))
        if kind in RUN:
            blocks.append(Block(kind, fence[2], output))
    return blocks


def run_blocks(blocks: list[Block], directory: Path, anew: bool = False) -> list[str]:
    """Run the blocks in a directory and return what each one prints to stdout and stderr.

    With `anew`, each command is a new interpreter, as in a reader's shell, and otherwise one with the libraries loaded.
    """
    port = str(_free_port())
    script = [PRELUDE]
    for block in blocks:
        text = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        if block.kind == "python":
            script.append(text)
        elif block.kind == "console":
            script.append(f"run_console({text!r})")
        elif text.startswith("nextreel serve") and len(text.splitlines()) == 1:
            script.append(f"serve({f'{text.strip()} --port {port}'!r})")
        else:
            script.append(f"shell({text!r})")
        script.append(f"print({END!r}, flush=True)")
    with tempfile.TemporaryDirectory() as name:
        programs = [Path(sys.executable).parent]
        if not anew:
            warm_python.write_program(Path(name))
            programs.insert(0, Path(name))
        completed = subprocess.run(
            [*([sys.executable, "-u"] if anew else warm_python.python()), "-c", "\n".join(script)],
            cwd=directory,
            env={
                **os.environ,
                "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
                "OMP_NUM_THREADS": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert completed.returncode == 0, completed.stdout
    return completed.stdout.replace(port, "8000").split(f"{END}\n")[:-1]


def tidy(output: str) -> str:
    """Return the output without blanks at the ends of lines and without empty lines at its end."""
    return "".join(f"{line.rstrip()}\n" for line in output.rstrip().splitlines())


def without_numbers(output: str) -> str:
    """Return the words of an output; times and metrics differ between machines, and so does the width of a table."""
    words = re.sub(r"[-+]?\d[\d.,:]*", "0", re.sub(r"[━─┏┓┡╇┩└┴┘┳█]+", " ", output))
    return " ".join(words.split())


def rewrite(page: str, directory: Path) -> str:
    """Return the text of the page with the current outputs of its blocks."""
    blocks = find_blocks(page)
    for block, output in reversed(list(zip(blocks, run_blocks(blocks, directory), strict=True))):
        if block.output is not None:
            page = page[: block.output.start] + tidy(output) + page[block.output.stop :]
    return page


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else PAGES:
        with tempfile.TemporaryDirectory() as home:
            path.write_text(rewrite(path.read_text(encoding="utf-8"), Path(home)), encoding="utf-8")
