from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import MOVIE_ID, TIMESTAMP
from nextreel.errors import QueryError
from nextreel.ranking import similar_movies
from nextreel.ranking.similar_movies import SimilarMovies
from tests.frames import any_interactions, catalog, interactions

LATER = 2_000_000_000
FANS = interactions(*((user, movie, 5, 10 + user) for user in range(30) for movie in (0, 1)))
OTHERS = interactions(*((user, movie, 5, 10 + user) for user in range(30, 60) for movie in (2, 3)))
TWO_TASTES = Dataset.from_frames(pl.concat([FANS, OTHERS]), catalog(5))


def neighbours(dataset: Dataset, movie: int, timestamp: int = LATER, k: int = 10) -> list[int]:
    similar: list[int] = SimilarMovies.of(dataset).find(movie, timestamp, k)[0].tolist()
    return similar


def films(*rows: tuple[str, str]) -> pl.DataFrame:
    """(title, genres) of the MovieIDs from 0."""
    frame = pl.DataFrame(rows, schema=["Title", "Genres"], orient="row")
    return frame.with_columns(pl.Series(MOVIE_ID, range(len(rows))))


def test_movies_liked_by_the_same_people_are_alike() -> None:
    assert neighbours(TWO_TASTES, 0)[0] == 1
    assert neighbours(TWO_TASTES, 3)[0] == 2


def test_a_movie_is_no_neighbour_of_itself() -> None:
    assert sorted(neighbours(TWO_TASTES, 0)) == [1, 2, 3, 4]


def test_the_most_similar_come_first_with_their_similarities() -> None:
    movies, similarities = SimilarMovies.of(TWO_TASTES).find(0, LATER, 3)
    assert len(movies) == len(similarities) == 3
    assert (np.diff(similarities) <= 0).all()


def test_a_movie_that_everybody_likes_is_not_like_everything() -> None:
    everybody = interactions(*((user, 4, 5, 100) for user in range(60)))
    dataset = Dataset.from_frames(pl.concat([FANS, OTHERS, everybody]), catalog(5))
    assert neighbours(dataset, 0)[0] == 1


def test_a_movie_that_was_disliked_by_the_same_people_is_not_alike_for_that() -> None:
    disliked = interactions(*((user, 4, 1, 100) for user in range(30)))
    dataset = Dataset.from_frames(pl.concat([FANS, OTHERS, disliked]), catalog(5))
    similarities = dict(zip(*SimilarMovies.of(dataset).find(0, LATER), strict=True))
    assert similarities[4] == dict(zip(*SimilarMovies.of(TWO_TASTES).find(0, LATER), strict=True))[4]


def test_a_like_counts_until_the_user_rates_the_movie_lower() -> None:
    lower_rating = interactions(*((user, 1, 1, 1_000) for user in range(30)))
    dataset = Dataset.from_frames(pl.concat([FANS, OTHERS, lower_rating]), catalog(5))
    before, after = (
        dict(zip(*SimilarMovies.of(dataset).find(0, timestamp), strict=True))[1]
        for timestamp in (1_000, 1_001)
    )
    assert before > after


@given(any_interactions(), st.integers(0, 13), st.integers(0, 9))
def test_a_rating_at_or_after_the_timestamp_changes_nothing(
    rows: pl.DataFrame, timestamp: int, movie: int
) -> None:
    movies = catalog(10)
    past = rows.filter(pl.col(TIMESTAMP) < timestamp)
    with_future, past_only = (
        SimilarMovies.of(Dataset.from_frames(part, movies)).find(movie, timestamp) for part in (rows, past)
    )
    np.testing.assert_array_equal(with_future[0], past_only[0])
    np.testing.assert_array_equal(with_future[1], past_only[1])


def test_a_movie_that_nobody_has_rated_is_like_those_of_its_genres_and_years() -> None:
    movies = films(
        ("Solaris (1972)", "Sci-Fi"),
        ("Her (2013)", "Sci-Fi"),
        ("Dark Star (1974)", "Sci-Fi"),
        ("The Sting (1973)", "Comedy"),
        ("Untold", ""),
    )
    dataset = Dataset.from_frames(interactions((1, 4, 5, 10)), movies)
    assert neighbours(dataset, 0)[:2] == [2, 1]


def test_equally_similar_movies_stand_with_the_more_liked_one_first() -> None:
    movies = films(("A (1990)", "War"), ("B (1990)", "Drama"), ("C (1990)", "Drama"))
    dataset = Dataset.from_frames(interactions((1, 2, 5, 10)), movies)
    assert neighbours(dataset, 0) == [2, 1]


def test_a_movie_that_is_not_out_yet_is_nobodys_neighbour() -> None:
    movies = films(("A (1990)", "War"), ("B (1995)", "War"), ("C (1990)", "Drama"))
    dataset = Dataset.from_frames(interactions((1, 2, 5, 800_000_000)), movies)
    opens = 788_918_400
    assert neighbours(dataset, 0, opens - 1) == [2]
    assert neighbours(dataset, 0, opens) == [1, 2]


def test_only_allowed_movies_are_found() -> None:
    allowed = np.array([True, False, False, True, True])
    movies, _ = SimilarMovies.of(TWO_TASTES).find(0, LATER, allowed=allowed)
    assert sorted(movies.tolist()) == [3, 4]


@pytest.mark.parametrize("movie", [-1, 5])
def test_a_movie_outside_the_catalog_is_refused(movie: int) -> None:
    with pytest.raises(QueryError, match=f"movie {movie} is outside the catalog of 5 movies"):
        SimilarMovies.of(TWO_TASTES).find(movie, LATER)


def test_real_movies_have_the_neighbours_that_a_person_would_name(movielens_1m: Path) -> None:
    tables = read_tables(movielens_1m)
    dataset = Dataset.from_frames(tables.interactions, tables.movies)
    similar, titles = SimilarMovies.of(dataset), dataset.movies["Title"].to_list()
    expected = {
        "Toy Story (1995)": {"Toy Story 2 (1999)", "Aladdin (1992)", "The Lion King (1994)"},
        "Alien (1979)": {"Aliens (1986)", "The Thing (1982)", "Predator (1987)"},
        "Casablanca (1942)": {"Citizen Kane (1941)", "The African Queen (1951)", "The Maltese Falcon (1941)"},
    }
    for title, expected_neighbours in expected.items():
        movies, _ = similar.find(titles.index(title), LATER)
        assert expected_neighbours <= {titles[movie] for movie in movies}, title


def test_of_very_many_users_who_like_a_movie_some_of_each_time_stand_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first_fans_of_movie_2 = interactions(*((user, 2, 5, 200) for user in range(10)))
    later_fans_of_movie_3 = interactions(*((user, 3, 5, 200) for user in range(10, 30)))
    dataset = Dataset.from_frames(pl.concat([FANS, first_fans_of_movie_2, later_fans_of_movie_3]), catalog(5))
    everyone, _ = SimilarMovies.of(dataset).find(0, LATER)
    monkeypatch.setattr(similar_movies, "MOST_LIKERS", 3)
    some, _ = SimilarMovies.of(dataset).find(0, LATER)
    assert some.tolist() == everyone.tolist()


def test_a_single_user_among_those_asked_makes_no_movie_the_most_similar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fans = interactions(*((user, 0, 5, 10 + user) for user in range(300)))
    most_of_them_like_movie_1 = interactions(*((user, 1, 5, 1000) for user in range(300) if user % 3))
    one_of_those_asked_likes_movie_2 = interactions((100, 2, 5, 1000))
    others_like_movie_3 = interactions(*((user, 3, 5, 1000) for user in range(300, 2300)))
    rows = [fans, most_of_them_like_movie_1, one_of_those_asked_likes_movie_2, others_like_movie_3]
    dataset = Dataset.from_frames(pl.concat(rows), films(*((title, title) for title in "ABCD")))
    monkeypatch.setattr(similar_movies, "MOST_LIKERS", 3)
    assert neighbours(dataset, 0, k=1) == [1]
