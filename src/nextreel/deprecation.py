"""Renamed public names: the old name works for one more release and issues a DeprecationWarning."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def warn_renamed(old: str, new: str) -> None:
    """Issue a DeprecationWarning that points at the code which used the old name."""
    warnings.warn(describe_renaming(old, new), DeprecationWarning, 3)


def describe_renaming(old: str, new: str) -> str:
    """Return the sentence that tells a user of an old name the new one."""
    return f"{old} is now {new}; the old name will be removed in the next release"


def renamed_argument(old: str, new: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that it accepts the keyword `old` for its argument `new`, with a DeprecationWarning."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if old in kwargs:
                warn_renamed(f"the argument {old}", new)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate
