"""How many movies of people's exports are matched with a catalog, and how many wrongly.

The movies of a real catalog are written as film sites spell them: with the article in front, without what stands in
brackets, with another year, in the original language, and so on. A share of the catalog is taken away beforehand and
written in the same way: these are the decoys, real movies that the catalog doesn't have, among which are remakes with
the title of one that it has. To match a decoy with anything is wrong, to match another movie with anything but itself
is wrong too; a movie that isn't matched is neither right nor wrong. IMDb's spelling comes with the movie's id, where
the data have ids, and is also measured without it.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import IMDB_ID, MOVIE_ID
from nextreel.ranking.title_matching import MovieName, TitleMatcher

IN_BRACKETS = re.compile(r"\s*\(([^()]*)\)")
DASH = re.compile(r"\s+-\s+")
WORD_AND = re.compile(r"\band\b")
ROMAN = re.compile(r"\b(II|III|IV)\b")
NUMBERS = {"II": "2", "III": "3", "IV": "4"}

Spelling = Callable[[str, int | None, int | None], MovieName]
"""Writes a movie from the title in the form of movies.csv without its year, its year, and its IMDb id."""


def _to_front(title: str) -> str:
    """Return a title with its article in front, independently of how the catalog's reader does it."""
    name, comma, article = title.rpartition(", ")
    if comma and 0 < len(article) <= 3 and article[0].isupper():
        return f"{article}{'' if article.endswith(chr(39)) else ' '}{name}"
    return title


def _letterboxd(title: str, year: int | None, _: int | None) -> MovieName:
    """The English title alone, typeset: a colon before the subtitle, and a typographic apostrophe."""
    name = _to_front(IN_BRACKETS.sub("", title).strip())
    return MovieName(DASH.sub(": ", name).replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"), year)


def _imdb(title: str, year: int | None, imdb_id: int | None) -> MovieName:
    """The English title with the original one beside it."""
    brackets = [name for name in IN_BRACKETS.findall(title) if not name.lower().startswith("a.k.a")]
    name = _to_front(IN_BRACKETS.sub("", title).strip())
    return MovieName(name, year, _to_front(brackets[-1]) if brackets else name, imdb_id)


def _imdb_without_id(title: str, year: int | None, _: int | None) -> MovieName:
    return replace(_imdb(title, year, None), imdb_id=None)


def _netflix(title: str, _: int | None, __: int | None) -> MovieName:
    """The English title without any year."""
    return MovieName(_to_front(IN_BRACKETS.sub("", title).strip()))


def _without_accents(title: str, year: int | None, _: int | None) -> MovieName:
    name = _letterboxd(title, year, None)
    decomposed = unicodedata.normalize("NFKD", name.title or "")
    return replace(name, title="".join(sign for sign in decomposed if not unicodedata.combining(sign)))


def _ampersand(title: str, year: int | None, _: int | None) -> MovieName:
    name = _letterboxd(title, year, None)
    text = ROMAN.sub(lambda found: NUMBERS[found[0]], WORD_AND.sub("&", name.title or ""))
    return replace(name, title=text)


def _year_later(title: str, year: int | None, _: int | None) -> MovieName:
    return _letterboxd(title, None if year is None else year + 1, None)


def _year_earlier(title: str, year: int | None, _: int | None) -> MovieName:
    return _letterboxd(title, None if year is None else year - 1, None)


def _original_title(title: str, year: int | None, _: int | None) -> MovieName | None:
    brackets = [name for name in IN_BRACKETS.findall(title) if not name.lower().startswith("a.k.a")]
    return MovieName(_to_front(brackets[-1]), year) if brackets else None


SPELLINGS: dict[str, Callable[[str, int | None, int | None], MovieName | None]] = {
    "Letterboxd": _letterboxd,
    "IMDb": _imdb,
    "IMDb, without its id": _imdb_without_id,
    "Netflix": _netflix,
    "without accents": _without_accents,
    "& for and, 2 for II": _ampersand,
    "a year later": _year_later,
    "a year earlier": _year_earlier,
    "original title": _original_title,
}


def measure(config: Config, data: Path) -> Result:
    """Return the shares of movies that are matched rightly and wrongly, and of decoys matched, by spelling."""
    dataset = read_dataset(data)
    titles = _read_titles(data)
    is_decoy = np.random.default_rng(config["seed"]).random(dataset.n_movies) < config["decoys"]
    movies = dataset.movies.filter(~pl.Series(is_decoy))
    matcher = TitleMatcher.of(movies, dataset.links)
    ids, years = movies[MOVIE_ID].to_list(), movies["Year"].to_list()
    index_of = {movie_id: index for index, movie_id in enumerate(ids)}
    imdb_ids = dict(dataset.links.select(MOVIE_ID, IMDB_ID.name).iter_rows())
    spellings = {}
    totals = dict.fromkeys(("movies", "right", "wrong", "decoys", "decoys_matched"), 0)
    for name, spell in SPELLINGS.items():
        right = wrong = decoys = wrong_decoys = written = 0
        for movie_id, year in dataset.movies.select(MOVIE_ID, "Year").iter_rows():
            spelt = spell(titles[movie_id], year, imdb_ids.get(movie_id))
            if spelt is None:
                continue
            found = matcher.match(spelt).movie
            is_right = found is not None and found == index_of.get(movie_id)
            if found is not None and not is_right:
                # MovieLens has some movies twice, once under the English and once under the original title.
                is_right = (_to_front(titles[ids[found]]), years[found]) == (spelt.title, year)
            if movie_id in index_of:
                written += 1
                right += is_right
                wrong += found is not None and not is_right
            else:
                decoys += 1
                wrong_decoys += found is not None and not is_right
        counts = {
            "movies": written,
            "right": right,
            "wrong": wrong,
            "decoys": decoys,
            "decoys_matched": wrong_decoys,
        }
        spellings[name] = _shares(counts)
        totals = {kind: total + counts[kind] for kind, total in totals.items()}
    spellings["all of them"] = _shares(totals)
    by_hand = _measure_by_hand(
        TitleMatcher.of(dataset.movies, dataset.links), dataset, config.get("by_hand", [])
    )
    return {
        "data": {"sha256": dataset.fingerprint, **_describe(dataset)},
        "spellings": spellings,
        **({"by_hand": by_hand} if by_hand else {}),
    }


def _measure_by_hand(matcher: TitleMatcher, dataset: Dataset, rows: list[dict[str, Any]]) -> Result | None:
    """Return what becomes of titles that were written by hand as the sites spell them, without looking at the catalog.

    Each names the movie of the whole catalog that it means; None for one that the catalog doesn't have.
    """
    if not rows:
        return None
    index_of = {title: index for index, title in enumerate(dataset.movies["Title"])}
    results: dict[str, list[str]] = {"right": [], "unmatched": [], "wrong": [], "rightly_unmatched": []}
    for row in rows:
        found = matcher.match(MovieName(row["title"], row["year"])).movie
        meant = None if row["movie"] is None else index_of[row["movie"]]
        if found is None:
            kind = "unmatched" if meant is not None else "rightly_unmatched"
        else:
            kind = "right" if found == meant else "wrong"
        results[kind].append(f"{row['site']}: {row['title']}")
    return {
        "titles": len(rows),
        **{kind: len(titles) for kind, titles in results.items()},
        "not_right": results["unmatched"] + results["wrong"],
    }


def _shares(counts: dict[str, int]) -> dict[str, float]:
    movies, decoys, wrong = counts["movies"], counts["decoys"], counts["wrong"]
    return {
        "movies": movies,
        "right": _share(counts["right"], movies),
        "wrong": _share(wrong, movies),
        "decoys": decoys,
        "decoys_matched": _share(counts["decoys_matched"], decoys),
        "wrong_in_all": _share(wrong + counts["decoys_matched"], movies + decoys),
    }


def _share(count: int, total: int) -> float:
    return round(count / total, 5) if total else 0.0


def _read_titles(data: Path) -> dict[int, str]:
    """Return the title of each movie as movies.csv has it, without its year."""
    movies = pl.read_csv(data / "movies.csv")
    titles = movies[movies.columns[1]].str.replace(r"\s*\([0-9]{4}\)\s*$", "")
    return dict(zip(movies[movies.columns[0]].to_list(), titles.to_list(), strict=True))


def _describe(dataset: Dataset) -> dict[str, int]:
    return {"movies": dataset.n_movies, "links": len(dataset.links)}
