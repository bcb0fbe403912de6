"""Search for movies by title as people type it: in any case, with typos, without accents, articles or the last letters.

A movie's score is the better of two comparisons of the query with its title:

- Word by word. A word of the query matches the same word of the title. The last word, which may still be typed, also
  matches the words that begin with it. A word that the catalog doesn't have is taken for a typo of the words nearest to
  it by optimal string alignment distance, which counts two swapped letters as one edit. Words are weighted by their
  inverse document frequency, so "the" hardly counts, and their order doesn't count at all. The query may also hold the
  year and other spellings of numbers: "rocky 5" matches Rocky V.
- As one string without blanks, compared with as much of the title: for "starwars" or "mat rix".

A name in brackets within a title is a title of its own, and so is the whole title with it.

The title that was typed to the end comes first. Those that have every word of the query follow, the most popular first:
"star" is more likely to be meant for Star Wars than for Star Maps. The others follow by score.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import Float32Array, Int64Array, concatenate_ranges
from nextreel.data.ids import encode_ids
from nextreel.data.schema import MOVIE_ID
from nextreel.data.title_words import split_words, without_article
from nextreel.errors import require
from nextreel.ranking.alike_strings import AlikeStrings

LEAST_SCORE = 0.7
"""Least score, of at most 1, with which a title matches the query."""
LEAST_SIMILARITY = 0.66
"""Least similarity at which a word counts as a typo of another: one edit in three letters, two in six."""
BEGINNING = 0.9
"""Similarity of a word that is still being typed to a longer word that begins with it; 1 for equal words."""
COMPLETENESS = 0.2
"""Part of the score that depends on how much of the title was typed: it ranks Alien before Alien Nation."""
AS_ONE_STRING = 0.9
"""Factor on the score of the comparison without blanks, made only if no title has every word of the query."""
POPULARITY_WEIGHT = 0.1
"""Advantage of the most popular movie over one without ratings among matches that lack a word of the query, in units
of the score."""
ROUNDING = 1e-5
"""Tolerance for sums of float32."""
LAST_CHARACTER = chr(0x10FFFF)
BRACKETS = re.compile(r"\s*\(([^()]*)\)\s*")
YEAR = re.compile(r"(?:18|19|20)[0-9][0-9]")
NUMBERS = (
    "2 ii two,3 iii three,4 iv four,5 v five,6 vi six,7 vii seven,8 viii eight,9 ix nine,10 ten,12 twelve"
)
OTHER_SPELLINGS = {
    word: set(words) - {word} for words in (number.split() for number in NUMBERS.split(",")) for word in words
}


@dataclass(frozen=True)
class TitleMatch:
    """A movie whose title matches the query."""

    movie_id: int
    """MovieID, or the code of a text id, of the movie that was found."""
    score: float
    """How well the title matches, LEAST_SCORE to 1; 1 for a query that equals the title."""


@dataclass(frozen=True)
class TitleSearch:
    """An index of the titles of a catalog; `of` builds it."""

    movie_ids: Int64Array
    """int64[n_titles]: MovieID, or the code of a text id, of each title's movie; a movie with brackets in its title has
    several titles."""
    popularity: Float32Array
    """float32[n_titles]: popularity of the title's movie, 0 to 1 for the most popular one, on a logarithmic scale."""
    joined: AlikeStrings
    """n_titles: each title's letters and digits without blanks, and without an article at the beginning."""
    vocabulary: AlikeStrings
    """n_words: the distinct words of all titles, with their years and other spellings of numbers, sorted."""
    rarity: Float32Array
    """float32[n_words]: inverse document frequency of each word of `vocabulary` among the titles."""
    titles: Int64Array
    """int64[n_occurrences]: the title of each occurrence of a word, by the words of `vocabulary` in their order."""
    own_rarity: Float32Array
    """float32[n_occurrences]: rarity of the word if it is in the title itself; 0 for the year and other spellings."""
    bounds: Int64Array
    """int64[n_words + 1]: the occurrences of word i are bounds[i] to bounds[i + 1] - 1."""
    title_rarity: Float32Array
    """float32[n_titles]: sum of `own_rarity` over the title's words."""

    @classmethod
    def of(cls, movies: pl.DataFrame, popularity: npt.NDArray[np.number] | None = None) -> Self:
        """Build the index from the titles and years of a catalog.

        Parameters
        ----------
        movies : pl.DataFrame
            MovieID, Title and Year, as `Dataset.movies` has them; movies without a title are left out.
        popularity : number[n_movies] | None
            Number of interactions of each movie, at least 0; of equally good matches, the more popular comes first.

        Raises
        ------
        MissingExtraError
            rapidfuzz isn't installed.
        """
        require("rapidfuzz", "serve")
        popular = np.zeros(len(movies)) if popularity is None else np.log1p(popularity)
        popular = (popular / max(1.0, popular.max(initial=0))).astype(np.float32)
        titles = [
            (row, own, extra)
            for row, (title, year) in enumerate(movies.select("Title", "Year").iter_rows())
            for own, extra in _read_title(title, year)
        ]
        vocabulary = sorted({word for _, own, extra in titles for word in own + extra})
        index_of = {word: i for i, word in enumerate(vocabulary)}
        words = np.array([index_of[word] for _, own, extra in titles for word in own + extra], dtype=np.int64)
        in_title = np.array(
            [i < len(own) for _, own, extra in titles for i in range(len(own + extra))], dtype=np.bool_
        )
        title = np.repeat(np.arange(len(titles)), [len(own + extra) for _, own, extra in titles])
        rows = np.array([row for row, _, _ in titles], dtype=np.int64)
        counts = np.bincount(words, minlength=len(vocabulary))
        rarity = np.log1p(len(titles) / counts).astype(np.float32)
        own_rarity = rarity[words] * in_title
        by_word = np.argsort(words, kind="stable")
        return cls(
            movie_ids=encode_ids(movies[MOVIE_ID])[rows],
            popularity=popular[rows],
            joined=AlikeStrings.of(["".join(without_article(own)) for _, own, _ in titles]),
            vocabulary=AlikeStrings.of(vocabulary),
            rarity=rarity,
            titles=title[by_word],
            own_rarity=own_rarity[by_word],
            bounds=np.append(0, np.cumsum(counts)),
            title_rarity=np.bincount(title, own_rarity, len(titles)).astype(np.float32),
        )

    def find(self, text: str, limit: int = 10) -> list[TitleMatch]:
        """Return the best matches, at most `limit`; none for a text without letters and digits."""
        words = split_words(text)
        if not words or not self.joined.strings:
            return []
        share, score = self._score_words(words)
        if share.max() < BEGINNING - ROUNDING:
            np.maximum(score, AS_ONE_STRING * self._score_as_one_string(words), out=score)
        matches = np.flatnonzero(score >= LEAST_SCORE)
        best_first = matches[self._order(share[matches], score[matches], self.popularity[matches])]
        _, first = np.unique(self.movie_ids[best_first], return_index=True)
        return [
            TitleMatch(int(self.movie_ids[title]), float(score[title]))
            for title in best_first[np.sort(first)[:limit]]
        ]

    @staticmethod
    def _order(share: Float32Array, score: Float32Array, popularity: Float32Array) -> Int64Array:
        """Return the order of matches, best first, as indices: int64[n_matches].

        `share` is the share of the query's words that each match has; `score` and `popularity` are as in the class.
        """
        is_typed_out = score >= 1 - ROUNDING
        has_every_word = share >= BEGINNING - ROUNDING
        closeness = np.where(has_every_word, popularity, score + POPULARITY_WEIGHT * popularity)
        return np.lexsort((-score, -closeness, ~has_every_word, ~is_typed_out))

    def _score_words(self, words: list[str]) -> tuple[Float32Array, Float32Array]:
        """Compare every title with the query word by word.

        Returns
        -------
        share : float32[n_titles]
            Share of the query's words that the title has, weighted by rarity.
        score : float32[n_titles]
            The same, but its part COMPLETENESS is multiplied by the share of the title's words that the query has.
        """
        n_titles = len(self.title_rarity)
        total_weight, matched_weight = np.float32(0), np.zeros(n_titles, dtype=np.float32)
        typed = np.zeros(len(self.titles), dtype=np.float32)
        for position, word in enumerate(words):
            similarity = self._compare_word(word, still_typing=position == len(words) - 1)
            best = int(similarity.argmax())
            weight = self.rarity[best] if similarity[best] > 0 else self.rarity.max()
            occurrence, of_occurrence = self._find_occurrences(similarity)
            of_title = np.zeros(n_titles, dtype=np.float32)
            np.maximum.at(of_title, self.titles[occurrence], of_occurrence)
            total_weight += weight
            matched_weight += weight * of_title
            typed[occurrence] = np.maximum(typed[occurrence], of_occurrence)
        found = np.flatnonzero(typed > 0)
        typed_rarity = np.bincount(self.titles[found], typed[found] * self.own_rarity[found], n_titles)
        complete = typed_rarity.astype(np.float32) / self.title_rarity
        share = matched_weight / total_weight
        score = share * (1 - COMPLETENESS + COMPLETENESS * complete)
        return np.asarray(share, dtype=np.float32), np.asarray(score, dtype=np.float32)

    def _find_occurrences(self, similarity: Float32Array) -> tuple[Int64Array, Float32Array]:
        """Return where words like the query's occur, int64[n], and the similarity of each of these words, float32[n].

        `similarity`, float32[n_words], is what `_compare_word` returns.
        """
        words = np.flatnonzero(similarity > 0)
        counts = self.bounds[words + 1] - self.bounds[words]
        return concatenate_ranges(self.bounds[words], counts), np.repeat(similarity[words], counts)

    def _compare_word(self, word: str, still_typing: bool) -> Float32Array:
        """Return the similarity of a word to each word of the vocabulary, float32[n_words]; 0 for words unlike it."""
        vocabulary = self.vocabulary.strings
        similarity = np.zeros(len(vocabulary), dtype=np.float32)
        first, last = (bisect_left(vocabulary, end) for end in (word, word + LAST_CHARACTER))
        in_vocabulary = first < last and vocabulary[first] == word
        if still_typing:
            similarity[first:last] = BEGINNING
        if in_vocabulary:
            similarity[first] = 1
        if similarity.any():
            return similarity
        similarity = self.vocabulary.compare(word, LEAST_SIMILARITY)
        if similarity.any() or not still_typing:
            return similarity
        return BEGINNING * self.vocabulary.compare(word, LEAST_SIMILARITY, beginnings=True)

    def _score_as_one_string(self, words: list[str]) -> Float32Array:
        """Score every title by the similarity of the query to its beginning, both without blanks: float32[n_titles]."""
        ends_in_year = len(words) > 1 and YEAR.fullmatch(words[-1]) is not None
        typed = "".join(without_article(words[:-1] if ends_in_year else words))
        score = self.joined.compare(typed, LEAST_SCORE, beginnings=True)
        score *= 1 - COMPLETENESS + COMPLETENESS * len(typed) / np.maximum(len(typed), self.joined.lengths)
        return score


def _read_title(title: str | None, year: int | None) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the words of each name in a title, with extra words that may be typed: other spellings and the year."""
    if title is None:
        return
    without_year = title.removesuffix(f"({year})")
    names = (BRACKETS.sub("", without_year), without_year, *BRACKETS.findall(without_year))
    for name in dict.fromkeys(names):
        if words := split_words(name):
            extra = [other for word in words for other in OTHER_SPELLINGS.get(word, ())]
            yield words, extra if year is None else [*extra, str(year)]
