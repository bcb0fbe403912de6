"""Helpers for the wording of messages: a count with its noun, a list of names, and a long text cut short."""

from collections.abc import Sequence


def number_of(n: float, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun, such as "1 row" or "2,000 rows".

    `plural` is for nouns whose plural isn't formed with an s ("queries"), and for phrases ("rows are").
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def join_names(names: Sequence[str]) -> str:
    """Return names joined as in "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def shorten(text: str, length: int = 500) -> str:
    """Return a text, without its middle if it has more than `length` characters."""
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end]} [...] {text[-end:]}"
