"""Movies by title as people type it: any case, accents or punctuation, an article anywhere, typos, half a word.

A movie matches as the better of two readings.

By words: a word of the query finds itself in the title, and the last one the words that it begins; a word that the
catalog doesn't know is a typo of those nearest to it in edits (optimal string alignment, so that two swapped letters
are one). A word weighs as much as it is rare in the catalog (inverse document frequency), so "the" counts for next to
nothing and its place for nothing at all. The year is a word that may be typed beside a title, and so is another
spelling of a number: "rocky 5" is Rocky V.

As one string: the query without its blanks against as much of the title, for "starwars" or "mat rix".

A title in brackets is a title of its own, and so are the two together.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Int64Array
from nextreel.data.schema import MOVIE_ID
from nextreel.errors import require

GOOD_ENOUGH = 0.7
"""Score from which on a movie is a match."""
NEAREST_WORD = 0.66
"""Likeness from which on a word may be a typo of another: one edit in three letters, two in six."""
BEGUN = 0.9
"""Likeness of the beginning of a word to the word."""
COMPLETENESS = 0.2
"""Part of the score that says how much of the title was typed: "alien" is Alien rather than Alien Nation."""
AS_ONE_STRING = 0.9
"""What the second reading is worth; it is tried where the first finds nothing better."""
BY_POPULARITY = 0.1
"""What the most popular movie is put ahead of one that nobody has rated, in units of the score."""
LAST_SIGN = chr(0x10FFFF)
ARTICLES = {"the", "a", "an"}
BRACKETS = re.compile(r"\s*\(([^()]*)\)\s*")
WORD = re.compile(r"[^\W_]+")
YEAR = re.compile(r"(?:18|19|20)\d\d")
APOSTROPHES = re.compile(r"['\u2018\u2019\u00b4`]")
SPELLINGS = str.maketrans({"&": " and ", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "\u0131": "i"})
"""Signs that Unicode doesn't take apart into a letter and an accent."""
NUMBERS = (
    "2 ii two,3 iii three,4 iv four,5 v five,6 vi six,7 vii seven,8 viii eight,9 ix nine,10 ten,12 twelve"
)
OTHER_SPELLINGS = {
    word: set(words) - {word} for words in (each.split() for each in NUMBERS.split(",")) for word in words
}


@dataclass(frozen=True)
class TitleMatch:
    """A movie found."""

    movie_id: int
    score: float
    """0 to 1; 1 is the title as it stands."""


@dataclass(frozen=True)
class TitleSearch:
    """An index over a catalog's titles; `of` makes it."""

    movie_ids: Int64Array
    """int64[n_titles]: each title's MovieID; a movie with brackets in its title has several."""
    popularity: Float32Array
    """float32[n_titles]: 0 to 1, of its movie."""
    joined: list[str]
    """str[n_titles]: letters and figures of each, without an article at its beginning."""
    vocabulary: list[str]
    """str[n_words], sorted."""
    rarity: Float32Array
    """float32[n_words]: inverse document frequency."""
    words: Int64Array
    """int64[n_occurrences]: the words of all titles, one title after the other."""
    belongs: BoolArray
    """bool[n_occurrences]: whether it is the title's own, or may be typed beside it, such as the year."""
    starts: Int64Array
    """int64[n_titles]: where each title's words start."""

    @classmethod
    def of(cls, movies: pl.DataFrame, popularity: npt.NDArray[np.number] | None = None) -> Self:
        """An index of MovieID, Title and Year, as a dataset's `movies` has them; movies without a title are left out.

        `popularity`, a number from 0 for each row such as its interactions, puts equally good matches in order.
        """
        require("rapidfuzz", "serve")
        popular = np.zeros(len(movies)) if popularity is None else np.log1p(popularity)
        popular = (popular / max(1.0, popular.max(initial=0))).astype(np.float32)
        titles = [
            (row, own, beside)
            for row, (title, year) in enumerate(movies.select("Title", "Year").iter_rows())
            for own, beside in _read_title(title, year)
        ]
        vocabulary = sorted({word for _, own, beside in titles for word in own + beside})
        number = {word: i for i, word in enumerate(vocabulary)}
        words = np.array([number[w] for _, own, beside in titles for w in own + beside], dtype=np.int64)
        belongs = [i < len(own) for _, own, beside in titles for i in range(len(own + beside))]
        lengths = np.array([len(own + beside) for _, own, beside in titles], dtype=np.int64)
        rows = np.array([row for row, _, _ in titles], dtype=np.int64)
        counts = np.bincount(words, minlength=len(vocabulary))
        return cls(
            movie_ids=movies[MOVIE_ID].to_numpy()[rows],
            popularity=popular[rows],
            joined=["".join(_without_article(own)) for _, own, _ in titles],
            vocabulary=vocabulary,
            rarity=np.log1p(len(titles) / counts).astype(np.float32),
            words=words,
            belongs=np.array(belongs, dtype=np.bool_),
            starts=np.cumsum(lengths) - lengths,
        )

    def find(self, text: str, limit: int = 10) -> list[TitleMatch]:
        """The best matches, at most `limit` of them; none for a text without letters and figures."""
        words = _split_words(text)
        if not words or not self.joined:
            return []
        score = self._by_words(words)
        if score.max() < AS_ONE_STRING:
            np.maximum(score, AS_ONE_STRING * self._as_one_string(words), out=score)
        found = np.flatnonzero(score >= GOOD_ENOUGH)
        best_first = found[np.argsort(-(score + BY_POPULARITY * self.popularity)[found], kind="stable")]
        _, first = np.unique(self.movie_ids[best_first], return_index=True)
        return [
            TitleMatch(int(self.movie_ids[title]), float(score[title]))
            for title in best_first[np.sort(first)[:limit]]
        ]

    def _by_words(self, words: list[str]) -> Float32Array:
        """float32[n_titles]: share of the query that the title has, and a little for that of the title in the query."""
        asked, had = np.float32(0), np.zeros(len(self.starts), dtype=np.float32)
        typed = np.zeros(len(self.words), dtype=np.float32)
        for place, word in enumerate(words):
            likeness = self._compare_word(word, still_typing=place == len(words) - 1)
            best = int(likeness.argmax())
            weight = self.rarity[best] if likeness[best] > 0 else self.rarity.max()
            each = likeness[self.words]
            asked += weight
            had += weight * np.maximum.reduceat(each, self.starts)
            np.maximum(typed, each, out=typed)
        rarity = self.rarity[self.words] * self.belongs
        complete = np.add.reduceat(rarity * typed, self.starts) / np.add.reduceat(rarity, self.starts)
        return np.asarray(had / asked * (1 - COMPLETENESS + COMPLETENESS * complete), dtype=np.float32)

    def _compare_word(self, word: str, still_typing: bool) -> Float32Array:
        """float32[n_words]: how like each word of the vocabulary is, 0 for one that isn't like it."""
        likeness = np.zeros(len(self.vocabulary), dtype=np.float32)
        first, last = (bisect_left(self.vocabulary, end) for end in (word, word + LAST_SIGN))
        known = first < last and self.vocabulary[first] == word
        if still_typing:
            likeness[first:last] = BEGUN
        if known:
            likeness[first] = 1
        if likeness.any():
            return likeness
        likeness = _likeness(word, self.vocabulary, NEAREST_WORD)
        if likeness.any() or not still_typing:
            return likeness
        return BEGUN * _likeness(word, [other[: len(word)] for other in self.vocabulary], NEAREST_WORD)

    def _as_one_string(self, words: list[str]) -> Float32Array:
        """float32[n_titles]: likeness of the query to the beginning of each title."""
        dated = len(words) > 1 and YEAR.fullmatch(words[-1]) is not None
        typed = "".join(_without_article(words[:-1] if dated else words))
        begun = _likeness(typed, [title[: len(typed)] for title in self.joined], GOOD_ENOUGH)
        likely = np.flatnonzero(begun)
        lengths = np.array([len(self.joined[title]) for title in likely])
        begun[likely] *= 1 - COMPLETENESS + COMPLETENESS * len(typed) / np.maximum(len(typed), lengths)
        return begun


def _read_title(title: str | None, year: int | None) -> Iterator[tuple[list[str], list[str]]]:
    """Each name that a title holds, as its words and those that may be typed beside it."""
    if title is None:
        return
    shown = title.removesuffix(f"({year})")
    for name in dict.fromkeys((BRACKETS.sub("", shown), shown, *BRACKETS.findall(shown))):
        if words := _split_words(name):
            beside = [other for word in words for other in OTHER_SPELLINGS.get(word, ())]
            yield words, beside if year is None else [*beside, str(year)]


def _split_words(text: str) -> list[str]:
    """The words of a text in lower case, without accents and apostrophes."""
    apart = unicodedata.normalize("NFKD", APOSTROPHES.sub("", text).casefold().translate(SPELLINGS))
    return WORD.findall("".join(sign for sign in apart if not unicodedata.combining(sign)))


def _without_article(words: list[str]) -> list[str]:
    return words[1:] if len(words) > 1 and words[0] in ARTICLES else words


def _likeness(word: str, choices: list[str], cutoff: float) -> Float32Array:
    """float32[n_choices]: 1 minus the edits from one to the other per letter of the longer; 0 below the cutoff."""
    process: Any = require("rapidfuzz.process", "serve")
    distance: Any = require("rapidfuzz.distance", "serve")
    scorer = distance.OSA.normalized_similarity
    row: Float32Array = process.cdist([word], choices, scorer=scorer, score_cutoff=cutoff, dtype=np.float32)[
        0
    ]
    return row
