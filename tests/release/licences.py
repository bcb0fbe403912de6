"""The licences of what is installed, checked against those that nextreel may be used with: `python -m tests.release.licences`."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import distributions
from typing import cast

ALLOWED = {
    "0BSD",
    "3-Clause BSD License",
    "Apache 2.0",
    "Apache License 2.0",
    "Apache License, Version 2.0",
    "Apache Software License",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "ISC License (ISCL)",
    "MIT",
    "MIT License",
    "MIT-0",
    "MPL-2.0",  # for its own files alone
    "Mozilla Public License 2.0 (MPL 2.0)",
    "PSF-2.0",
    "Python Software Foundation License",
    "Unlicense",
    "Zlib",
}
"""Licences that ask nothing of code which only imports the library."""
EXCEPTIONS = {
    "axe-playwright-python": "its metadata name no licence; our tests use it, nextreel does not",
    "psycopg": "LGPL-3.0: it is installed beside nextreel, unchanged, and can be exchanged",
    "psycopg-binary": "LGPL-3.0, as psycopg",
}
"""Libraries whose licence isn't among them, and why they may be used all the same."""


def name_licence(metadata: Message) -> str:
    """Return a library's licence: its SPDX expression, else its classifiers, else its own words."""
    if expression := metadata["License-Expression"]:
        return str(expression)
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License :: ")]
    named = [text.rpartition(" :: ")[2] for text in classifiers if text != "License :: OSI Approved"]
    return " AND ".join(named) or str(metadata["License"] or "none").strip().splitlines()[0]


def is_allowed(licence: str) -> bool:
    """Say whether all of what "AND" joins is allowed, and one of what "OR" does."""
    flat = re.sub(r"^\((.*)\)$", r"\1", licence.strip())
    if flat in ALLOWED:
        return True
    both = re.split(r" AND (?![^(]*\))", licence)
    if len(both) > 1:
        return all(map(is_allowed, both))
    either = re.split(r" OR |/", flat, flags=re.IGNORECASE)
    return len(either) > 1 and any(map(is_allowed, either))


def list_licences() -> Iterator[tuple[str, str]]:
    for distribution in distributions():
        metadata = cast("Message", distribution.metadata)
        yield str(metadata["Name"]), name_licence(metadata)


def main() -> int:
    """Print how many libraries have which licence; the exit status is the number that may not be used."""
    licences = {name: licence for name, licence in sorted(set(list_licences())) if name != "nextreel"}
    for licence, number in Counter(licences.values()).most_common():
        print(f"{number:4} {licence}")
    wrong = {name: licence for name, licence in licences.items() if not is_allowed(licence)}
    for name, licence in wrong.items():
        print(f"{name}: {licence}: {EXCEPTIONS.get(name.lower(), 'NOT ALLOWED')}")
    return len([name for name in wrong if name.lower() not in EXCEPTIONS])


if __name__ == "__main__":
    sys.exit(main())
