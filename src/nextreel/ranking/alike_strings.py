"""Strings that are like what somebody types: similarity by the number of edits, of one text to many strings.

Counting edits takes longer than all else in a search among 100,000 titles. Each character of the text that a string
doesn't have costs at least one edit, and an edit changes at most three pairs of neighbouring characters: swapping two
does. So edits are only counted for strings that lack few characters and few pairs of the text.
"""

from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Self

import numpy as np
import numpy.typing as npt

from nextreel.arrays import BoolArray, Float32Array, Int32Array, Int64Array, concatenate_ranges
from nextreel.errors import require

KINDS = 64
"""Characters are told apart by their code modulo this number; two that aren't told apart only cost time."""
PAIR_KINDS = 2048
"""The same for pairs of neighbouring characters."""
PAIRS_OF_AN_EDIT = 3
"""Maximum number of pairs of neighbouring characters that an edit changes."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class AlikeStrings:
    """Strings to compare texts with; `of` prepares them."""

    strings: list[str]
    lengths: Int64Array
    """int64[n_strings]: number of characters of each string."""
    has: BoolArray
    """bool[KINDS, n_strings]: whether a string has a character of a kind."""
    with_pair: Int32Array
    """int32[n]: the strings that have a pair of neighbouring characters of each kind, one kind after the other."""
    bounds: Int64Array
    """int64[PAIR_KINDS + 1]: those with a pair of kind i are with_pair[bounds[i]] to with_pair[bounds[i + 1] - 1]."""

    @classmethod
    def of(cls, strings: list[str]) -> Self:
        """Note which characters and which pairs of them each string has."""
        lengths = np.array([len(string) for string in strings], dtype=np.int64)
        has = np.zeros((KINDS, len(strings)), dtype=np.bool_)
        characters, string = _characters("".join(strings)), np.repeat(np.arange(len(strings)), lengths)
        has[characters % KINDS, string] = True
        pairs = np.flatnonzero(string[1:] == string[:-1])
        kind, with_pair = np.divmod(
            np.unique(_pair_kinds(characters)[pairs] * len(strings) + string[pairs]), max(1, len(strings))
        )
        bounds = np.append(0, np.cumsum(np.bincount(kind, minlength=PAIR_KINDS)))
        return cls(strings, lengths, has, with_pair.astype(np.int32), bounds)

    @cached_property
    def _strings(self) -> npt.NDArray[np.object_]:
        """object[n_strings]: `strings` as an array, from which many are taken in less time than from a list."""
        return np.array(self.strings, dtype=np.object_)

    def compare(self, text: str, least: float, beginnings: bool = False) -> Float32Array:
        """Return the similarity of a text to each string, float32[n_strings]; 0 where it is below `least`.

        It is 1 minus the number of edits (optimal string alignment) divided by the length of the longer string. With
        `beginnings`, only as much of each string counts as the text is long.
        """
        length, characters = len(text), _characters(text)
        longer = length if beginnings else np.maximum(self.lengths, length)
        edits = np.floor((1 - least) * longer + ROUNDING)
        kinds, pair_kinds = np.unique(characters % KINDS), np.unique(_pair_kinds(characters))
        has = self.has[kinds].sum(axis=0, dtype=np.uint8)
        starts, counts = self.bounds[pair_kinds], np.diff(self.bounds)[pair_kinds]
        n_pairs = np.bincount(self.with_pair[concatenate_ranges(starts, counts)], minlength=len(self.strings))
        is_likely = (has >= len(kinds) - edits) & (n_pairs >= len(pair_kinds) - PAIRS_OF_AN_EDIT * edits)
        likely = np.flatnonzero(is_likely)
        others = self._strings[likely].tolist()
        if beginnings:
            others = list(map(itemgetter(slice(length)), others))
        scorer = require("rapidfuzz.distance", "serve").OSA.normalized_similarity
        cdist = require("rapidfuzz.process", "serve").cdist
        similarity = np.zeros(len(self.strings), dtype=np.float32)
        similarity[likely] = cdist([text], others, scorer=scorer, score_cutoff=least, dtype=np.float32)[0]
        return similarity


def _characters(text: str) -> Int64Array:
    """Return the code of each character."""
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)


def _pair_kinds(characters: Int64Array) -> Int64Array:
    """Return the kind of each pair of neighbouring characters, int64[n_characters - 1]."""
    # There are 36 letters and digits, whose pairs mostly get different numbers this way.
    return (characters[:-1] * 37 + characters[1:]) % PAIR_KINDS
