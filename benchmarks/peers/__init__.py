"""Other libraries on the same split, judged by the same metrics: fed by files, they answer with a file.

A peer runs in an environment of its own, where nextreel isn't installed: `answer` and the modules beside it that
name a library run there. `scoring` runs here, writes what the peer may know and judges what it answered.
"""

from pathlib import Path
from typing import Any


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Let one peer learn and answer in its environment, on one thread; its figures in the form of our own."""
    # Late, since a peer's environment imports this package without nextreel.
    from benchmarks.peers import scoring

    return scoring.measure(config, data)
