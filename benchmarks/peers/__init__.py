"""Other libraries ("peers") on the same split, evaluated with the same metrics.

A peer runs in its own Python environment, where nextreel isn't installed: `recommend` and the modules named for a
library run there. They read the data and the queries from files and write recommendation lists to a file.
`scoring` runs in our environment: it writes what the peer may know and evaluates the lists.
"""

from pathlib import Path
from typing import Any


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Run a peer in its environment on one thread; return the metrics of its lists as a `quality` benchmark does."""
    # Imported here, since a peer's environment imports this package without nextreel.
    from benchmarks.peers import scoring

    return scoring.measure(config, data)
