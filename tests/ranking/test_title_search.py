import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.errors import MissingExtraError
from nextreel.ranking.title_search import TitleSearch
from tests.frames import interactions

TITLES = [
    "Matrix, The (1999)",
    "Mat, Beyond the (2000)",
    "Alien (1979)",
    "Aliens (1986)",
    "Alien: Resurrection (1997)",
    "Toy Story (1995)",
    "Toy Story 2 (1999)",
    "Toys (1992)",
    "M*A*S*H (1970)",
    "Rocky V (1990)",
    "Rocky II (1979)",
    "Rocky (1976)",
    "Twelve Monkeys (1995)",
    "Seven (Se7en) (1995)",
    "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    "Schindler's List (1993)",
    "L.A. Confidential (1997)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "Dumb & Dumber (1994)",
    "2001: A Space Odyssey (1968)",
    "Titanic (1953)",
    "Titanic (1997)",
    "Shawshank Redemption, The (1994)",
    "Smørrebrød (1990)",
    "$ (1971)",
]


def catalog_of(titles: list[str]) -> pl.DataFrame:
    """A dataset's movies with these titles, whose MovieIDs are their positions, and one without a title."""
    movies = pl.DataFrame({MOVIE_ID: range(len(titles)), "Title": titles, "Genres": [""] * len(titles)})
    return Dataset.from_frames(interactions((1, len(titles), 5, 1)), movies).movies


CATALOG = catalog_of(TITLES)
SEARCH = TitleSearch.of(CATALOG)


def find(text: str, search: TitleSearch = SEARCH) -> list[str]:
    """Titles of the matches, in the form of movies.csv."""
    return [TITLES[match.movie_id] for match in search.find(text)]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("The Matrix", "Matrix, The (1999)"),
        ("Matrix, The", "Matrix, The (1999)"),
        ("matrix", "Matrix, The (1999)"),
        ("MATRIX (1999)", "Matrix, The (1999)"),
        ("matrix 1999", "Matrix, The (1999)"),
        ("matrix (19", "Matrix, The (1999)"),
        ("  the   matrix!! ", "Matrix, The (1999)"),
        ("alien", "Alien (1979)"),
        ("aliens", "Aliens (1986)"),
        ("resurection alien", "Alien: Resurrection (1997)"),
        ("mash", "M*A*S*H (1970)"),
        ("rocky 5", "Rocky V (1990)"),
        ("rocky two", "Rocky II (1979)"),
        ("rocky", "Rocky (1976)"),
        ("toy story ii", "Toy Story 2 (1999)"),
        ("12 monkeys", "Twelve Monkeys (1995)"),
        ("se7en", "Seven (Se7en) (1995)"),
        ("cite des enfants", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
        ("La Cité des Enfants perdus", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
        ("lost children", "City of Lost Children, The (Cité des enfants perdus, La) (1995)"),
        ("schindlers list", "Schindler's List (1993)"),
        ("schindler\u2019s list", "Schindler's List (1993)"),
        ("la confidential", "L.A. Confidential (1997)"),
        ("starwars", "Star Wars: Episode IV - A New Hope (1977)"),
        ("dumb and dumber", "Dumb & Dumber (1994)"),
        ("2001", "2001: A Space Odyssey (1968)"),
        ("titanic 1953", "Titanic (1953)"),
        ("titanic 1997", "Titanic (1997)"),
        ("shawshenk redemtion", "Shawshank Redemption, The (1994)"),
        ("smorrebrod", "Smørrebrød (1990)"),
    ],
)
def test_what_people_type_finds_the_movie_first(typed: str, title: str) -> None:
    assert find(typed)[0] == title


@pytest.mark.parametrize("title", [title for title in TITLES if title != "$ (1971)"])
def test_a_title_is_found_at_every_letter_from_the_fourth_on(title: str) -> None:
    text = CATALOG["Title"][TITLES.index(title)]
    for typed in range(4, len(text) + 1):
        assert title in find(text[:typed]), text[:typed]


@given(st.integers(0, len(TITLES) - 2), st.data())
def test_two_swapped_letters_still_find_the_movie(movie: int, data: st.DataObject) -> None:
    letters = list(CATALOG["Title"][movie].split(" (")[0])
    inside = [
        i
        for i in range(1, len(letters) - 1)
        if letters[i].isalpha() and letters[i + 1].isalpha() and len(letters) > 8
    ]
    if inside:
        position = data.draw(st.sampled_from(inside))
        letters[position : position + 2] = reversed(letters[position : position + 2])
    assert TITLES[movie] in find("".join(letters))


def test_a_title_as_it_stands_scores_one() -> None:
    assert SEARCH.find("Toy Story")[0].score == pytest.approx(1)


def test_an_unlike_text_finds_nothing() -> None:
    assert find("xylophone quartet") == []


@pytest.mark.parametrize("text", ["", "  ", "?!", "$"])
def test_a_text_without_letters_and_figures_finds_nothing(text: str) -> None:
    assert SEARCH.find(text) == []


def test_a_year_alone_finds_the_movies_of_that_year() -> None:
    assert set(find("1999")[:2]) == {"Matrix, The (1999)", "Toy Story 2 (1999)"}


def test_a_movie_with_two_names_is_found_once() -> None:
    assert find("se7en").count("Seven (Se7en) (1995)") == 1


def test_no_more_than_the_limit_are_found() -> None:
    assert len(SEARCH.find("alien", limit=2)) == 2


@pytest.mark.parametrize("popular", ["Titanic (1953)", "Titanic (1997)"])
def test_of_equally_good_matches_the_more_popular_movie_comes_first(popular: str) -> None:
    interactions_of = np.array([10 if title == popular else 1 for title in [*TITLES, ""]])
    assert find("titanic", TitleSearch.of(CATALOG, interactions_of))[0] == popular


def test_popularity_does_not_put_a_half_typed_word_before_a_whole_one() -> None:
    interactions_of = np.array([1000 if title == "Aliens (1986)" else 0 for title in [*TITLES, ""]])
    assert find("alien", TitleSearch.of(CATALOG, interactions_of))[:2] == ["Alien (1979)", "Aliens (1986)"]


def test_of_the_titles_with_every_word_the_most_popular_comes_first() -> None:
    ratings_of = {
        "Star Wars: Episode IV - A New Hope (1977)": 3_000,
        "Stargate (1994)": 1_500,
        "Star Trek: Generations (1994)": 900,
    }
    titles = ["Star Maps (1997)", "Starman (1984)", *ratings_of, "Lone Star (1996)"]
    interactions_of = np.array([ratings_of.get(title, 10) for title in [*titles, ""]])
    matches = TitleSearch.of(catalog_of(titles), interactions_of).find("star")
    assert [titles[match.movie_id] for match in matches[:3]] == list(ratings_of)


def test_a_popular_movie_does_not_come_before_one_that_has_more_of_the_words() -> None:
    interactions_of = np.array([1_000 if title == "Toy Story (1995)" else 0 for title in [*TITLES, ""]])
    assert find("toy story 2", TitleSearch.of(CATALOG, interactions_of))[0] == "Toy Story 2 (1999)"


def test_a_catalog_without_titles_finds_nothing() -> None:
    assert TitleSearch.of(Dataset.from_frames(interactions((1, 1, 5, 1))).movies).find("alien") == []


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    with pytest.raises(MissingExtraError, match=r"rapidfuzz.*pip install '\.\[serve\]'"):
        TitleSearch.of(CATALOG)
