from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.schema import USERS
from nextreel.data.times import DAY
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.fairness import FairnessGap, Gaps, adjust_gaps, describe_gaps, find_gaps
from nextreel.evaluation.protocol import EvaluationQueries
from nextreel.evaluation.slices import count_days, slice_queries
from tests.frames import catalog, interactions

YEAR_2000 = 946_684_800


def people(*rows: tuple[int, str | None, int | None, int | None]) -> pl.DataFrame:
    """Rows of (UserID, Gender, Age, Occupation)."""
    return pl.DataFrame([(*row, None) for row in rows], schema=USERS.schema, orient="row")


def slices_of(*queries: tuple[int, int], users: pl.DataFrame | None = None) -> dict[str, list[int]]:
    """Return the slices of queries (UserID, MovieID) in 2000. Movie 1 is of 1999 and unrated; the others are of 1950."""
    movies = pl.concat([catalog(1), catalog(2, 1999)[1:], catalog(3)[2:]])
    movies = movies.with_columns(Genres=pl.Series(["Drama", "Drama|War", ""]))
    train = interactions(*((user, 0, 4, YEAR_2000 + user) for user in range(4)), (9, 2, 4, YEAR_2000))
    test = interactions(*((user, movie, 5, YEAR_2000 + DAY) for user, movie in queries))
    evaluation_queries = EvaluationQueries.from_split(
        Dataset.from_frames(train, movies, users), test, "frozen"
    )
    return {name: np.flatnonzero(part).tolist() for name, part in slice_queries(evaluation_queries).items()}


def test_a_query_is_in_the_slice_of_each_of_its_movies_genres() -> None:
    slices = slices_of((0, 0), (1, 1), (2, 2))
    assert (slices["genre: Drama"], slices["genre: War"]) == ([0, 1], [1])


def test_a_query_is_in_the_slice_of_its_movies_age() -> None:
    slices = slices_of((0, 0), (1, 1))
    assert (slices["movie age: under 2 years"], slices["movie age: 16 and more years"]) == ([1], [0])


def test_a_query_is_in_the_slice_of_the_share_who_had_rated_its_movie() -> None:
    slices = slices_of((0, 0), (1, 1), (2, 2))
    assert slices["popularity: 20 % and more"] == [0, 2]
    assert slices["popularity: rated by none"] == [1]


def test_a_movie_outside_the_catalog_has_no_genre_and_no_age() -> None:
    slices = slices_of((0, 99))
    assert not [name for name in slices if name.startswith(("genre", "movie age"))]
    assert slices["popularity: rated by none"] == [0]


def test_a_query_is_in_the_slices_of_its_user() -> None:
    slices = slices_of(
        (0, 0), (1, 0), (2, 0), users=people((0, "F", 1, 4), (1, "M", 56, 4), (2, None, None, None))
    )
    of_users = {
        name: part for name, part in slices.items() if name.startswith(("gender", "age", "occupation"))
    }
    assert of_users == {
        "gender: F": [0],
        "gender: M": [1],
        "age: under 18": [0],
        "age: 56 and more": [1],
        "occupation: 4": [0, 1],
    }


def test_activity_is_the_number_of_days_with_a_rating_in_the_history() -> None:
    train = Dataset.from_frames(
        interactions((1, 0, 5, 10), (2, 0, 5, 20), (2, 1, 5, 30), (2, 2, 5, 30 + DAY), (2, 3, 5, 9 * DAY))
    )
    histories = train.histories(np.array([1, 2, 2, 2, 7]), np.array([99, 99, 3 * DAY, 99 * DAY, 99]))
    assert count_days(histories).tolist() == [1, 1, 2, 3, 0]


def gaps_of(women: float, men: float, n: int = 40) -> Gaps:
    """Return the gaps of n women and n men with two queries per user, whose figures scatter around these means."""
    users = np.repeat(np.arange(2 * n), 2)
    noise = np.random.default_rng(0).normal(0, 0.1, size=len(users))
    values = np.where(users < n, women, men) + noise
    slices = {"gender: F": users < n, "gender: M": users >= n, "genre: War": users < 5}
    return find_gaps({"one": values}, slices, UserBootstrap(users, resamples=200), shuffles=200)


def test_a_gap_is_that_of_the_best_and_the_worst_group() -> None:
    gap = gaps_of(0.2, 0.5)["gender"]["one"]
    assert (gap.best, gap.worst) == ("M", "F")
    assert gap.gap.mean == pytest.approx(0.3, abs=0.05)
    assert gap.gap.low > 0.2
    assert gap.p < 0.01


def test_groups_that_are_served_alike_have_no_significant_gap() -> None:
    gap = adjust_gaps({"frozen": gaps_of(0.3, 0.3)})["frozen"]["gender"]["one"]
    assert gap.gap.mean >= 0
    assert not gap.significant


def test_gaps_are_of_groups_of_users_alone() -> None:
    assert set(gaps_of(0.2, 0.5)) == {"gender"}


def test_groups_of_few_users_are_left_out() -> None:
    assert gaps_of(0.2, 0.5, n=29) == {}


def test_many_gaps_are_tested_more_strictly_than_one() -> None:
    gaps = gaps_of(0.2, 0.5)
    alone = adjust_gaps({"frozen": gaps})["frozen"]["gender"]["one"]
    among_two = adjust_gaps({"frozen": gaps, "live": gaps})["frozen"]["gender"]["one"]
    assert among_two.adjusted_p == pytest.approx(2 * alone.adjusted_p)


@pytest.mark.parametrize(
    ("p", "sentence"),
    [
        (
            0.01,
            "By gender, live history: the difference between groups of users is significant for fast, best.",
        ),
        (0.5, "No difference between groups of users is significant."),
    ],
)
def test_the_models_that_serve_groups_differently_are_named(p: float, sentence: str) -> None:
    gap = FairnessGap("F", "M", Estimate(0.1, 0.0, 0.2), p, adjusted_p=p)
    alike = replace(gap, adjusted_p=1.0)
    gaps = {"live": {"gender": {"fast": gap, "popularity": alike, "best": gap}, "age": {"fast": alike}}}
    assert describe_gaps(gaps) == [sentence]


def test_of_no_gaps_nothing_is_said() -> None:
    assert describe_gaps({}) == []
