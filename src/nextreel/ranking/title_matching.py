"""Which movie of a catalog another site's title means: by IMDb id, or by title and year. It never guesses.

Two titles are the same if they have the same letters and digits, after accents, punctuation and "and" are dropped and
numbers are written in one way: "Rocky II" is "Rocky 2". A movie has several titles: its own, and those in brackets
behind it, such as the original one. A title with a year means a movie of that year or, since sites date a premiere
differently, of the year before or after. The closest year decides first, then a movie's own title over one in brackets,
then a title with its article over one without, then a whole title over that of an episode without its number: "Return
of the Jedi" is "Star Wars: Episode VI - Return of the Jedi". If two movies are equally close, the title is ambiguous
and means none of them; nor does it mean a movie that only resembles it: "Robin Hood" of 1991 isn't "Robin Hood: Prince
of Thieves" of the same year. Those are candidates, for a person to choose from.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from nextreel.data.ids import Id
from nextreel.data.schema import IMDB_ID, MOVIE_ID
from nextreel.data.title_words import split_words, without_article

MOST_CANDIDATES = 5
"""Number of movies that an unmatched title is said to resemble: more than a person would look through."""
UNKNOWN_YEAR = 2
"""Distance of the years if the catalog doesn't know the movie's: farther than any that is accepted."""
LAST_BRACKET = re.compile(r"^(.*\S)\s*\(([^()]*)\)\s*$", re.DOTALL)
ALSO_KNOWN_AS = re.compile(r"^\s*a\.?k\.?a\.?:?\s+", re.IGNORECASE)
ARTICLE_LAST_IN_BRACKETS = re.compile(r"^(.*), (\w{1,3}'?|Les|Los|Las|Une|Eine)$")
EPISODE = re.compile(r"^(.+): Episode \w+(?:: |\s+[-\u2013\u2014]\s+)(.+)$")
"""A series, the number of an episode, and the episode's own title."""
PARTS = re.compile(r":\s+|\s+[-\u2013\u2014]\s+")
"""What stands between a title and its subtitle."""
NUMERALS = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx"
NUMBER_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
SAME_WORDS = {
    **{
        word: str(number)
        for words in (NUMERALS, NUMBER_WORDS)
        for number, word in enumerate(words.split(), 1)
    },
    "vol": "volume",
    "pt": "part",
    "vs": "versus",
    "dr": "doctor",
    "mr": "mister",
    "st": "saint",
    "and": "",
    "colour": "color",
    "colours": "colors",
    "grey": "gray",
}
"""Words that are written in several ways, each with one of them."""


@dataclass(frozen=True)
class MovieName:
    """How another site, or a person, names a movie."""

    title: str | None = None
    year: int | None = None
    original_title: str | None = None
    """The title in the language of the movie."""
    imdb_id: int | None = None
    movie_id: Id | None = None
    """MovieID; it counts only if the title, if there is one, is that of the movie."""


@dataclass(frozen=True)
class TitleMatch:
    """What a name was found to mean."""

    movie: int | None
    """Index of the movie in the catalog; None if the name means no movie for certain."""
    reason: str
    """By what the movie was found, or why none was."""
    candidates: tuple[int, ...] = ()
    """Indices of movies that may be meant, at most MOST_CANDIDATES; empty if one was found."""


Closeness = tuple[int, int]
"""How close a movie is to a name, the closest lowest: distance of the years; rank of the title that was found."""
OWN, IN_BRACKETS, WITHOUT_ARTICLE, WITHOUT_BRACKETS, WITHOUT_NUMBER = 0, 1, 2, 4, 8
"""Ranks of titles; the rank of a title in brackets without its article is the sum of both."""


@dataclass(frozen=True)
class TitleMatcher:
    """The titles and IMDb ids of a catalog; `of` collects them."""

    movie_ids: list[Id]
    years: list[int | None]
    by_imdb_id: dict[int, list[int]]
    linked: frozenset[int]
    """Indices of the movies whose IMDb ids are known."""
    by_title: dict[str, list[tuple[int, int]]]
    """Index of each movie with a title, and the rank of the title, by what `_key` makes of the title."""
    by_part: dict[str, list[int]]
    """Index of each movie by what stands before or behind the colon of its title."""

    @classmethod
    def of(cls, movies: pl.DataFrame, links: pl.DataFrame) -> Self:
        """Collect the titles of a catalog.

        Parameters
        ----------
        movies : pl.DataFrame
            MovieID, Title and Year, as `Dataset.movies` has them.
        links : pl.DataFrame
            MovieID and ImdbID, as `Dataset.links` has them.
        """
        movie_ids: list[Id] = movies[MOVIE_ID].to_list()
        by_title: dict[str, list[tuple[int, int]]] = defaultdict(list)
        by_part: dict[str, list[int]] = defaultdict(list)
        for index, (title, year) in enumerate(movies.select("Title", "Year").iter_rows()):
            if title is None:
                continue
            ranks: dict[str, int] = {}
            for name, rank in _names_of(title.removesuffix(f"({year})").strip()):
                for key, of_key in _keys(name, rank):
                    ranks[key] = min(of_key, ranks.get(key, of_key))
                for part in _parts(name):
                    by_part[part].append(index)
            for key, rank in ranks.items():
                by_title[key].append((index, rank))
        index_of = {movie_id: index for index, movie_id in enumerate(movie_ids)}
        by_imdb_id: dict[int, list[int]] = defaultdict(list)
        for movie_id, imdb_id in links.select(MOVIE_ID, IMDB_ID.name).iter_rows():
            if movie_id in index_of:
                by_imdb_id[imdb_id].append(index_of[movie_id])
        linked = frozenset(index for indices in by_imdb_id.values() for index in indices)
        return cls(
            movie_ids, movies["Year"].to_list(), dict(by_imdb_id), linked, dict(by_title), dict(by_part)
        )

    def match(self, name: MovieName) -> TitleMatch:
        """Return the movie that a name means, or the reason why none is meant for certain."""
        if name.imdb_id is not None and (found := self.by_imdb_id.get(name.imdb_id)):
            if len(found) == 1:
                return TitleMatch(found[0], "IMDb id")
            return TitleMatch(None, "several movies of the catalog have its IMDb id", tuple(found))
        by_title = self._find_titles(name)
        if name.movie_id is not None:
            index = self._index_of.get(name.movie_id)
            if index is not None and (name.title is None or index in by_title):
                return TitleMatch(index, "MovieID")
            if name.title is None:
                return TitleMatch(None, f"the catalog has no movie {name.movie_id}")
        if not (name.title or name.original_title):
            return TitleMatch(None, "it has no title")
        others = set()
        if name.imdb_id is not None:
            others = {index for index in by_title if index in self.linked}
        closeness = {
            index: close
            for index, close in by_title.items()
            if index not in others and (name.year is None or close[0] in (0, 1, UNKNOWN_YEAR))
        }
        if not closeness:
            return TitleMatch(None, self._explain(name, by_title, others), self._candidates(name, by_title))
        best = min(closeness.values())
        closest = [index for index, close in closeness.items() if close == best]
        if len(closest) > 1:
            return TitleMatch(
                None, "several movies of the catalog have this title", tuple(closest[:MOST_CANDIDATES])
            )
        return TitleMatch(closest[0], "title alone" if name.year is None else "title and year")

    @property
    def _index_of(self) -> dict[Id, int]:
        index_of: dict[Id, int] | None = self.__dict__.get("_by_id")
        if index_of is None:
            index_of = self.__dict__["_by_id"] = {movie: index for index, movie in enumerate(self.movie_ids)}
        return index_of

    def _find_titles(self, name: MovieName) -> dict[int, Closeness]:
        """Return the movies that have one of the name's titles, whatever their year, with their closeness."""
        found: dict[int, Closeness] = {}
        for title in dict.fromkeys(filter(None, (name.title, name.original_title))):
            bare = LAST_BRACKET.match(title)
            spellings = [(title, OWN), *([(bare[1], WITHOUT_BRACKETS)] if bare else [])]
            for spelling, rank in spellings:
                for key, of_key in _keys(spelling, rank):
                    for index, of_movie in self.by_title.get(key, ()):
                        # Of an article that only one side has, either side tells.
                        close = (self._distance(index, name.year), of_key | of_movie)
                        found[index] = min(close, found.get(index, close))
        return found

    def _distance(self, index: int, year: int | None) -> int:
        of_movie = self.years[index]
        if year is None:
            return 0
        return UNKNOWN_YEAR if of_movie is None else abs(of_movie - year) + (abs(of_movie - year) > 1)

    def _explain(self, name: MovieName, by_title: dict[int, Closeness], others: set[int]) -> str:
        if others & by_title.keys():
            return "the catalog's movie of this title has another IMDb id"
        if by_title:
            years = sorted({year for index in by_title if (year := self.years[index]) is not None})
            return f"the catalog's movies of this title are of {', '.join(map(str, years))}"
        return "the catalog has no movie of this title"

    def _candidates(self, name: MovieName, by_title: dict[int, Closeness]) -> tuple[int, ...]:
        """Return movies that may be meant: those with the title, then those of about the year with a part of it."""
        found = dict.fromkeys(sorted(by_title, key=lambda index: by_title[index]))
        for title in filter(None, (name.title, name.original_title)):
            whole = [key for key, _ in _keys(title, OWN)]
            similar = [index for key in whole for index in self.by_part.get(key, ())]
            similar += [index for part in _parts(title) for index, _ in self.by_title.get(part, ())]
            found |= dict.fromkeys(
                index for index in similar if name.year is None or self._distance(index, name.year) <= 1
            )
        return tuple(found)[:MOST_CANDIDATES]


def _names_of(title: str) -> Iterator[tuple[str, int]]:
    """Yield the names in a title without its year, each with its rank.

    They are all of it, what its last brackets hold, and of an episode also the title, the series, and both.
    """
    yield title, OWN
    if episode := EPISODE.match(title):
        for name in (": ".join(episode.groups()), *episode.groups()):
            yield name, WITHOUT_NUMBER
    while (found := LAST_BRACKET.match(title)) is not None:
        title, in_brackets = found[1], ALSO_KNOWN_AS.sub("", found[2])
        yield title, OWN
        yield ARTICLE_LAST_IN_BRACKETS.sub(r"\2 \1", in_brackets), IN_BRACKETS


def title_key(title: str) -> str:
    """Return what the spellings of one title have in common."""
    return _key(split_words(title.replace("+", " and "))) or title.strip()


def _keys(title: str, rank: int) -> list[tuple[str, int]]:
    """Return the key of a title and, if it begins with an article, the key without it, each with its rank."""
    words = split_words(title.replace("+", " and "))
    whole = (_key(words) or title.strip(), rank)
    bare = without_article(words)
    return [whole] if bare is words else [whole, (_key(bare), rank | WITHOUT_ARTICLE)]


def _key(words: Sequence[str]) -> str:
    return "".join(SAME_WORDS.get(word, word) for word in words)


def _parts(title: str) -> Iterable[str]:
    """Return the keys of what stands before and behind each colon or dash of a title."""
    parts = PARTS.split(title)
    if len(parts) < 2:
        return ()
    joined = [": ".join(parts[:i]) for i in range(1, len(parts))] + [
        ": ".join(parts[i:]) for i in range(1, len(parts))
    ]
    return [key for part in joined for key, _ in _keys(part, OWN)]
