"""Output in an encoding that doesn't have every character, such as that of a terminal which isn't set to UTF-8."""

import sys
from io import TextIOWrapper


def replace_unprintable() -> None:
    """Print a question mark for each character that stdout or stderr can't encode, instead of ending in an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
