"""Which changes are made to a module, and which aren't."""

import pytest

from tests.mutation.mutants import list_mutants


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = a < b", "x = a <= b"),
        ("x = a is b", "x = a is not b"),
        ("x = a + b", "x = a - b"),
        ("x = a and b", "x = a or b"),
        ("x = not a", "x = a"),
        ("x = 3", "x = 4"),
        ("x = True", "x = False"),
        ("f(x)", "pass"),
        ("x += y", "x -= y"),
        ("x = a if b else c", "x = a if not b else c"),
    ],
)
def test_a_change_is_made(before: str, after: str) -> None:
    assert [mutant.source for mutant in list_mutants(before)] == [after]


def test_a_function_returns_none() -> None:
    assert "def f():\n    return None" in [mutant.source for mutant in list_mutants("def f():\n    return x")]


@pytest.mark.parametrize(
    "source", ['"""Text."""', "def f(x: 1) -> 2: ...", "@g(1)\nclass A: ...", "x = 'text'"]
)
def test_texts_annotations_and_decorators_stay(source: str) -> None:
    assert list_mutants(source) == []
