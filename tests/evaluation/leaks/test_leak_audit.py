"""Every kind of leak is found in a split that has it, and not in one that doesn't."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import Sample, make_sample
from nextreel.data.splitting.split_directory import TrainTest
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_interactions
from nextreel.evaluation.leaks.leak_audit import Audit, Leak, audit_split
from nextreel.models.base import Recommender
from nextreel.models.item_knn import ItemKNN
from nextreel.models.popularity import Popularity
from tests.frames import catalog, interactions


def run(train: pl.DataFrame, test: pl.DataFrame, movies: pl.DataFrame | None = None, k: int = 2) -> Audit:
    parts = TrainTest(Dataset.from_frames(train, catalog(6) if movies is None else movies), test, None)
    return audit_split(parts, ItemKNN, k)


def find_leak(name: str, audit: Audit) -> Leak:
    return next(leak for leak in audit.leaks if leak.name == name)


# Two users who rated in the past, then one query by either of them about a movie with past rows.
PAST = interactions((1, 0, 5, 1), (1, 1, 5, 2), (2, 1, 5, 3), (2, 2, 4, 4), (3, 2, 4, 5), (3, 0, 4, 6))
LATER = interactions((1, 2, 5, 20), (2, 0, 5, 21))


def test_a_split_without_leaks_has_none() -> None:
    audit = run(PAST, LATER)
    assert audit.found == ()
    assert [leak.sentence for leak in audit.leaks] == [
        "No row of the test part is in the train part.",
        "No user has train rows that are later than one of the user's queries.",
        "No train row of another user is later than a query.",
        "The movie of every query has an earlier train row.",
        "No history holds a row of its query's own second.",
    ]


def test_a_row_in_both_parts_is_found() -> None:
    shared = interactions((2, 2, 4, 4))
    leak = find_leak("shared rows", run(PAST, pl.concat([shared, LATER])))
    assert (leak.queries, leak.details) == (1, {"rows": 1, "users": 1})
    assert leak.sentence.startswith("1 row of 1 user is in both parts")


def test_a_row_of_another_second_or_movie_is_not_shared() -> None:
    near = interactions((2, 2, 4, 5), (2, 3, 4, 4))
    assert find_leak("shared rows", run(PAST, near)).queries == 0


def test_a_shared_row_that_is_no_query_is_counted_and_touches_none() -> None:
    train = pl.concat([PAST, interactions((1, 3, 2, 9))])
    leak = find_leak("shared rows", run(train, pl.concat([interactions((1, 3, 2, 9)), LATER])))
    assert (leak.queries, leak.details) == (0, {"rows": 1, "users": 1})


def test_the_effect_of_shared_rows_is_ndcg_with_them_minus_ndcg_without() -> None:
    leak = find_leak("shared rows", run(PAST, pl.concat([interactions((2, 2, 4, 4)), LATER])))
    for effect in leak.effects:
        assert effect.difference.mean == pytest.approx(effect.leaking.mean - effect.sealed.mean)
    touched = next(
        effect for effect in leak.effects if effect.label == "queries of shared rows, seen movies excluded"
    )
    # The movie stands in the history, so it is a movie seen and isn't recommended again.
    assert (touched.queries, touched.leaking.mean) == (1, 0.0)
    assert touched.sealed.mean > 0


def test_train_rows_of_the_asked_user_after_a_query_are_found() -> None:
    train = pl.concat([PAST, interactions((1, 3, 4, 30), (1, 4, 4, 31))])
    leak = find_leak("own future", run(train, LATER))
    assert leak.queries == 1
    assert "in the median of these, 2 rows" in leak.sentence
    assert len(leak.effects) == 1


def test_train_rows_of_others_after_a_query_are_found_and_how_far_they_reach() -> None:
    day = 86_400
    train = pl.concat([PAST, interactions((4, 3, 4, 20 + 3 * day), (4, 4, 4, 21 + 3 * day))])
    leak = find_leak("others' future", run(train, LATER))
    assert leak.queries == 2
    assert leak.details is not None
    assert leak.details["median_rows_later"] == 2
    assert leak.details["median_share_of_train"] == 2 / 8
    assert leak.details["median_days"] == pytest.approx(3, abs=1e-4)


def test_the_users_own_later_rows_are_no_future_of_others() -> None:
    assert (
        find_leak("others' future", run(pl.concat([PAST, interactions((1, 3, 4, 30))]), LATER[:1])).queries
        == 0
    )


def test_a_train_row_of_the_querys_second_is_not_later() -> None:
    assert (
        find_leak("others' future", run(pl.concat([PAST, interactions((4, 3, 4, 21))]), LATER[1:])).queries
        == 0
    )


def test_movies_that_are_not_in_train_are_found() -> None:
    leak = find_leak(
        "not there yet", run(PAST, pl.concat([LATER, interactions((3, 5, 5, 22), (3, 99, 5, 23))]))
    )
    assert leak.queries == 2
    assert leak.details is not None
    assert (leak.details["never_in_train"], leak.details["first_row_later"]) == (2, 0)


def test_movies_with_only_later_rows_are_found() -> None:
    train = pl.concat([PAST, interactions((4, 5, 4, 22))])
    leak = find_leak("not there yet", run(train, interactions((1, 2, 5, 20), (2, 5, 5, 22), (3, 5, 5, 23))))
    assert leak.queries == 1
    assert leak.details is not None
    assert leak.details["first_row_later"] == 1


def test_without_queries_about_movies_not_in_train_the_figure_is_that_of_the_other_queries() -> None:
    leak = find_leak("not there yet", run(PAST, pl.concat([LATER, interactions((3, 5, 5, 22))])))
    (effect,) = leak.effects
    assert effect.sealed.mean == pytest.approx(effect.leaking.mean * 3 / 2)


def test_lists_that_would_hold_movies_not_out_yet_are_found() -> None:
    movies = pl.concat([catalog(5), catalog(6, 2050)[5:]])
    train = pl.concat([PAST, interactions((4, 0, 4, 30), (4, 5, 4, 31), (5, 1, 4, 32), (5, 5, 4, 33))])
    leak = find_leak("not there yet", run(train, LATER, movies))
    assert leak.details is not None
    assert leak.details["places_held_by_movies_not_out"] > 0
    assert "If lists could hold movies that weren't out yet" in leak.sentence


def test_train_rows_in_the_querys_own_second_are_found() -> None:
    leak = find_leak("ties at the cut", run(pl.concat([PAST, interactions((2, 3, 4, 21))]), LATER))
    assert (leak.queries, leak.details) == (1, {"users": 1})
    assert [effect.queries for effect in leak.effects] == [2, 1]


def test_the_shared_row_is_no_tie_of_its_own() -> None:
    audit = run(PAST, pl.concat([interactions((2, 2, 4, 4)), LATER]))
    assert find_leak("ties at the cut", audit).queries == 0


def test_rows_of_others_in_the_querys_second_are_no_ties() -> None:
    assert (
        find_leak("ties at the cut", run(pl.concat([PAST, interactions((3, 3, 4, 21))]), LATER)).queries == 0
    )


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(users=120, movies=90, ratings=4000)


def audit_sample(sample: Sample, rule: Rule, create: Callable[[], Recommender] = ItemKNN) -> Audit:
    split = split_interactions(sample.interactions, SplitRule.for_rule(rule))
    return audit_split(
        TrainTest(Dataset.from_frames(split.train, sample.movies, sample.users), split.test, None), create
    )


@pytest.fixture(scope="module")
def course(sample: Sample) -> Audit:
    return audit_sample(sample, "course")


def test_the_courses_split_shares_one_row_of_each_user(course: Audit) -> None:
    leak = find_leak("shared rows", course)
    assert leak.queries == course.users == leak.details["rows"] == leak.details["users"]  # type: ignore[index]
    assert "20.0% of all" in leak.sentence


def test_without_the_shared_rows_the_courses_split_is_the_clean_one(sample: Sample, course: Audit) -> None:
    clean = audit_sample(sample, "clean")
    assert find_leak("shared rows", clean).queries == 0
    assert clean.leaks[1:] == course.leaks[1:]


def test_a_split_at_one_moment_has_no_future_of_anybody(sample: Sample) -> None:
    audit = audit_sample(sample, "global")
    assert find_leak("others' future", audit).queries == find_leak("own future", audit).queries == 0


def test_the_future_of_others_is_measured_against_the_past_and_against_as_many_rows_of_any_time(
    course: Audit,
) -> None:
    against_past, against_any_time = find_leak("others' future", course).effects
    assert against_past.queries == against_any_time.queries == pytest.approx(0.8 * course.queries, rel=0.02)
    assert against_past.sealed == against_any_time.sealed
    assert against_past.leaking.mean != against_any_time.leaking.mean


def test_a_model_that_cuts_its_training_at_the_query_has_no_effect_of_the_future(sample: Sample) -> None:
    leak = find_leak("others' future", audit_sample(sample, "clean", Popularity))
    assert leak.effects == ()
    assert leak.sentence.endswith("it uses only train rows that are earlier than the query.")


class Clairvoyant(Popularity):
    """Popularity that counts everything it was fitted on, whatever the query's timestamp."""

    uses_only_past = False

    def score(self, histories, timestamps):  # type: ignore[no-untyped-def]
        return super().score(histories, np.full(len(timestamps), self.times_[-1] + 1))


def test_a_model_that_relies_on_the_future_shows_a_large_effect() -> None:
    # Everybody's next movie is the one that becomes popular only later.
    past = [(user, user % 4, 5.0, 100 * user) for user in range(40)]
    hype = [(100 + user, 5, 5.0, 9_000 + user) for user in range(60)]
    test = [(user, 5, 5.0, 100 * user + 1) for user in range(40)]
    parts = TrainTest(Dataset.from_frames(interactions(*past, *hype), catalog(6)), interactions(*test), None)
    effect, _ = find_leak("others' future", audit_split(parts, Clairvoyant, k=1)).effects
    assert (effect.leaking.mean, effect.sealed.mean) == (1.0, 0.0)
    assert effect.difference.low > 0.9
