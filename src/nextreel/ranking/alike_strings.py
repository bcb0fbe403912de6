"""Strings that are like what somebody types: similarity by the number of edits, of one text to many strings.

Counting edits takes longer than all else in a search among 100,000 titles. Each character of the text that a string
doesn't have costs at least one edit, so edits are only counted for strings that lack few of them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.errors import require

KINDS = 64
"""Characters are told apart by their code modulo this number; two that aren't told apart only cost time."""
ROUNDING = 1e-6


@dataclass(frozen=True)
class AlikeStrings:
    """Strings to compare texts with; `of` prepares them."""

    strings: list[str]
    lengths: Int64Array
    """int64[n_strings]: number of characters of each string."""
    has: BoolArray
    """bool[KINDS, n_strings]: whether a string has a character of a kind."""

    @classmethod
    def of(cls, strings: list[str]) -> Self:
        """Note which characters each string has."""
        lengths = np.array([len(string) for string in strings], dtype=np.int64)
        has = np.zeros((KINDS, len(strings)), dtype=np.bool_)
        characters = np.frombuffer("".join(strings).encode("utf-32-le"), dtype=np.uint32)
        has[characters % KINDS, np.repeat(np.arange(len(strings)), lengths)] = True
        return cls(strings, lengths, has)

    def compare(self, text: str, least: float, beginnings: bool = False) -> Float32Array:
        """Return the similarity of a text to each string, float32[n_strings]; 0 where it is below `least`.

        It is 1 minus the number of edits (optimal string alignment) divided by the length of the longer string. With
        `beginnings`, only as much of each string counts as the text is long.
        """
        length = len(text)
        kinds = np.unique(np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32) % KINDS)
        lacks = np.uint8(len(kinds)) - self.has[kinds].sum(axis=0, dtype=np.uint8)
        longer = length if beginnings else np.maximum(self.lengths, length)
        likely = np.flatnonzero(lacks <= (1 - least) * longer + ROUNDING)
        others = [self.strings[i] for i in likely.tolist()]
        if beginnings:
            others = [other[:length] for other in others]
        scorer = require("rapidfuzz.distance", "serve").OSA.normalized_similarity
        cdist = require("rapidfuzz.process", "serve").cdist
        similarity = np.zeros(len(self.strings), dtype=np.float32)
        similarity[likely] = cdist([text], others, scorer=scorer, score_cutoff=least, dtype=np.float32)[0]
        return similarity
