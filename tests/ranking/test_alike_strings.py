"""The similarity of a text to many strings, beside a comparison with each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from nextreel.ranking.alike_strings import AlikeStrings

# "!" and "a" are of one kind.
WORDS = st.text(alphabet="abcdeé!", max_size=9)


@given(text=WORDS, strings=st.lists(WORDS, max_size=20), least=st.sampled_from([0.5, 0.66, 0.7, 1.0]))
@pytest.mark.parametrize("beginnings", [False, True])
def test_no_similar_string_is_overlooked(
    text: str, strings: list[str], least: float, beginnings: bool
) -> None:
    compared = [string[: len(text)] if beginnings else string for string in strings]
    expected = [OSA.normalized_similarity(text, other, score_cutoff=least) for other in compared]
    found = AlikeStrings.of(strings).compare(text, least, beginnings)
    np.testing.assert_allclose(found, np.array(expected, dtype=np.float32))


def test_edits_are_counted_only_for_strings_that_lack_few_characters_and_pairs_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[str] = []

    def count(_: str, other: str, **__: object) -> float:
        counted.append(other)
        return 0.0

    monkeypatch.setattr(OSA, "normalized_similarity", count)
    strings = ["gladiator", "clueless", "the matrix", "goldeneye", "taalgdroi"]
    AlikeStrings.of(strings).compare("gladaitor", 0.7, True)
    assert counted == ["gladiator"]
