import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.errors import QueryError
from nextreel.ranking.filters import Filters
from nextreel.ranking.genres import list_genres
from tests.frames import interactions


def movies(*rows: tuple[str, str]) -> pl.DataFrame:
    """A dataset's movies of (title, genres), with the MovieIDs 0, 10, 20, ..., and 99, of which nothing is known."""
    frame = pl.DataFrame(rows, schema=["Title", "Genres"], orient="row")
    ids = pl.Series(MOVIE_ID, range(0, 10 * len(rows), 10))
    return Dataset.from_frames(interactions((1, 99, 5, 1)), frame.with_columns(ids)).movies


CATALOG = movies(
    ("Heat (1995)", "Action|Crime"),
    ("Clue (1985)", "Comedy|Crime"),
    ("Babe (1995)", "Children's|Comedy"),
    ("Untold", ""),
)


def passing(filters: Filters) -> list[int]:
    """MovieIDs that pass."""
    allowed = filters.allowed(CATALOG)
    assert allowed is not None
    return CATALOG.filter(allowed)[MOVIE_ID].to_list()


def test_without_a_condition_there_is_no_mask() -> None:
    assert Filters().allowed(CATALOG) is None


def test_a_movie_passes_with_one_of_the_included_genres() -> None:
    assert passing(Filters(include_genres=frozenset({"Action", "Comedy"}))) == [0, 10, 20]


def test_a_movie_passes_with_none_of_the_excluded_genres() -> None:
    assert passing(Filters(exclude_genres=frozenset({"Crime"}))) == [20, 30, 99]


def test_genres_may_be_written_in_any_case() -> None:
    assert passing(Filters(include_genres=frozenset({"cOMEDY"}), exclude_genres=frozenset({"CRIME"}))) == [20]


TWO_SPELLINGS = pl.DataFrame(
    {MOVIE_ID: [1, 2, 3], "Genres": [["Drama"], ["drama", "War"], ["War"]], "Year": [1990, 1990, 1990]}
)
"""Movies that no reader of ours wrote: the readers leave one spelling."""


@pytest.mark.parametrize("genre", ["Drama", "drama", " DRAMA ", "\tdrama\u00a0"])
def test_a_genre_is_met_in_every_spelling_that_the_movies_have(genre: str) -> None:
    included = Filters(include_genres=frozenset({genre})).allowed(TWO_SPELLINGS)
    excluded = Filters(exclude_genres=frozenset({genre})).allowed(TWO_SPELLINGS)
    assert included is not None
    assert excluded is not None
    assert included.tolist() == [True, True, False]
    assert excluded.tolist() == [False, False, True]


def test_blanks_dont_hide_that_a_genre_is_both_included_and_excluded() -> None:
    with pytest.raises(QueryError, match=r"^Crime is in include_genres and in exclude_genres"):
        Filters(include_genres=frozenset({" Crime "}), exclude_genres=frozenset({"crime"}))


def test_both_years_are_included() -> None:
    assert passing(Filters(year_min=1985, year_max=1985)) == [10]


@pytest.mark.parametrize("filters", [Filters(year_min=1900), Filters(year_max=2000)])
def test_a_movie_without_a_year_fails_a_bound_on_the_year(filters: Filters) -> None:
    assert passing(filters) == [0, 10, 20]


def test_excluded_movies_fail_and_an_unknown_one_excludes_nothing() -> None:
    assert passing(Filters(exclude=frozenset({0, 30, 1000}))) == [10, 20, 99]


def test_a_first_year_after_the_last_year_is_refused() -> None:
    with pytest.raises(QueryError, match="year_min is 2000 and year_max 1990"):
        Filters(year_min=2000, year_max=1990)


def test_a_genre_both_included_and_excluded_is_refused() -> None:
    with pytest.raises(QueryError, match="Crime is in include_genres and in exclude_genres"):
        Filters(include_genres=frozenset({"Crime"}), exclude_genres=frozenset({"crime"}))


@pytest.mark.parametrize("condition", ["include_genres", "exclude_genres"])
def test_an_unknown_genre_is_refused_with_a_list_of_the_genres(condition: str) -> None:
    filters = Filters(**{condition: frozenset({"Wester"})})  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="genre 'Wester'; expected one of Action, Children's, Comedy, Crime"):
        filters.allowed(CATALOG)


def test_a_catalog_without_genres_has_none() -> None:
    assert list_genres(movies(("Heat", ""), ("Clue", ""))) == []
    with pytest.raises(QueryError, match="no movie has the genre 'War'; the catalog has no genres"):
        Filters(include_genres=frozenset({"War"})).allowed(movies(("Heat", ""), ("Clue", "")))


genre_sets = st.frozensets(st.sampled_from(["Action", "Comedy", "Crime"]), max_size=2)
years = st.none() | st.integers(1984, 1996)


@given(genre_sets, genre_sets, years, years, st.frozensets(st.sampled_from([0, 10, 20, 30, 99, 1000])))
def test_a_movie_passes_where_every_condition_holds(
    include: frozenset[str],
    exclude: frozenset[str],
    first: int | None,
    last: int | None,
    excluded: frozenset[int],
) -> None:
    exclude -= include
    if first is not None and last is not None:
        first, last = min(first, last), max(first, last)
    expected = [
        movie
        for movie, genres, year in CATALOG.select(MOVIE_ID, "Genres", "Year").iter_rows()
        if (not include or include & set(genres or ()))
        and not exclude & set(genres or ())
        and (first is None or (year is not None and year >= first))
        and (last is None or (year is not None and year <= last))
        and movie not in excluded
    ]
    allowed = Filters(include, exclude, first, last, excluded).allowed(CATALOG)
    passed = CATALOG if allowed is None else CATALOG.filter(allowed)
    assert passed[MOVIE_ID].to_list() == expected
