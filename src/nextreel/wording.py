"""Numbers of things as people say them."""

from collections.abc import Sequence


def number_of(n: float, noun: str, plural: str | None = None) -> str:
    """ "1 row", "2,000 rows"; `plural` for a noun that takes more than an s, or for one with its verb."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def join_names(names: Sequence[str]) -> str:
    """Such as "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
