import math
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nextreel.data.dataset import Dataset
from nextreel.data.schema import RATING, TIMESTAMP, USER_ID
from nextreel.data.splitting.split_rules import (
    Rule,
    Split,
    SplitRule,
    describe_rule,
    split_interactions,
)
from nextreel.errors import ConfigError, DataError
from nextreel.evaluation.protocol import EvaluationQueries
from tests.frames import any_interactions, interactions

ROW = "row"
PER_USER: list[Rule] = ["course", "clean", "leave-one-out", "next-visit"]


def split_numbered(rows: pl.DataFrame, rule: SplitRule) -> Split:
    """Split rows that carry their number; the example is dropped where a part would be empty."""
    try:
        return split_interactions(rows.with_row_index(ROW), rule)
    except DataError:
        assume(False)
        raise


def naive_clean(rows: pl.DataFrame, positives: int, threshold: float) -> set[int]:
    """Rows of the test part by the definition, user by user."""
    test: set[int] = set()
    for _, user in (
        rows.with_row_index(ROW).sort(TIMESTAMP, maintain_order=True).group_by(USER_ID, maintain_order=True)
    ):
        liked = [place for place, rating in enumerate(user[RATING]) if rating >= threshold]
        if len(liked) >= positives:
            test.update(user[ROW][liked[-positives] :])
    return test


@given(any_interactions(), st.integers(1, 4))
def test_the_clean_rule_holds_out_from_the_nth_last_positive_on(rows: pl.DataFrame, positives: int) -> None:
    split = split_numbered(rows, SplitRule.for_rule("clean", positives))
    assert set(split.test[ROW]) == naive_clean(rows, positives, 4)


@given(
    any_interactions(), st.sampled_from(["clean", "leave-one-out", "global", "next-visit"]), st.integers(1, 3)
)
def test_a_split_without_the_shared_row_is_disjoint_and_complete(
    rows: pl.DataFrame, rule: Rule, positives: int
) -> None:
    split = split_numbered(rows, SplitRule.for_rule(rule, None if rule == "global" else positives))
    assert sorted([*split.train[ROW], *split.test[ROW]]) == list(range(len(rows)))
    assert split.left_out == 0


@given(any_interactions(), st.integers(1, 4))
def test_the_course_rule_is_the_clean_one_with_one_shared_row_per_tested_user(
    rows: pl.DataFrame, positives: int
) -> None:
    course = split_numbered(rows, SplitRule.for_rule("course", positives))
    clean = split_numbered(rows, SplitRule.for_rule("clean", positives))
    assert course.test.equals(clean.test)
    shared = course.test.join(course.train, on=ROW, how="semi")
    assert len(shared) == shared[USER_ID].n_unique() == course.test[USER_ID].n_unique()
    assert (shared[RATING] >= 4).all()


@given(any_interactions(), st.sampled_from(PER_USER), st.integers(1, 3))
def test_no_users_train_row_is_later_than_their_test_rows(
    rows: pl.DataFrame, rule: Rule, positives: int
) -> None:
    split = split_numbered(rows, SplitRule.for_rule(rule, positives))
    last = split.train.group_by(USER_ID).agg(pl.col(TIMESTAMP).max().alias("last"))
    first = split.test.group_by(USER_ID).agg(pl.col(TIMESTAMP).min().alias("first"))
    both = last.join(first, on=USER_ID)
    assert (both["last"] <= both["first"]).all()


@given(any_interactions())
def test_both_parts_are_in_order_of_time(rows: pl.DataFrame) -> None:
    split = split_numbered(rows, SplitRule.for_rule("clean", 1))
    assert split.train[TIMESTAMP].is_sorted()
    assert split.test[TIMESTAMP].is_sorted()


@given(any_interactions(), st.integers(1, 12))
def test_the_global_rule_cuts_everybody_at_one_moment(rows: pl.DataFrame, moment: int) -> None:
    split = split_numbered(rows, SplitRule.for_rule("global", moment=moment))
    assert (split.train[TIMESTAMP] < moment).all()
    assert (split.test[TIMESTAMP] >= moment).all()


def test_a_user_with_too_few_positives_stays_in_train() -> None:
    rows = interactions((1, 0, 5, 1), (1, 1, 5, 2), (2, 0, 5, 1), (2, 1, 3, 2))
    split = split_interactions(rows, SplitRule.for_rule("clean", positives=2))
    assert split.train[USER_ID].to_list() == [2, 2]


def test_global_leaves_later_rows_of_users_with_too_few_positives_out_of_both_parts() -> None:
    rows = interactions((1, 0, 5, 1), (1, 1, 5, 10), (2, 0, 5, 2), (2, 1, 1, 11))
    split = split_interactions(rows, SplitRule.for_rule("global", positives=1, moment=10))
    assert (split.test[USER_ID].to_list(), split.left_out) == ([1], 1)
    assert split.train[TIMESTAMP].to_list() == [1, 2]


def test_leave_one_out_takes_the_last_row_of_each_user_by_time_then_file() -> None:
    rows = interactions((1, 5, 1, 7), (1, 6, 2, 9), (1, 7, 3, 9), (2, 5, 1, 3), (2, 6, 1, 2))
    split = split_interactions(rows, SplitRule.for_rule("leave-one-out"))
    assert split.test.select(USER_ID, "MovieID").rows() == [(2, 5), (1, 7)]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            SplitRule.for_rule("clean", positives=3),
            "the clean split leaves the test part empty: no user has 3 ratings of at least 4",
        ),
        (
            SplitRule.for_rule("clean", positives=1, threshold=5.5),
            "the clean split leaves the test part empty: no user has 1 rating of at least 5.5",
        ),
        (
            SplitRule.for_rule("clean", positives=2),
            "the clean split leaves the train part empty: nobody rated anything before their test part",
        ),
        (
            SplitRule.for_rule("global", moment=86_400),
            "the global split leaves the train part empty: nothing was rated before 1970-01-02 00:00:00 UTC",
        ),
        (
            SplitRule.for_rule("global", moment=172_801),
            "the global split leaves the test part empty: nothing was rated from 1970-01-03 00:00:01 UTC on",
        ),
        (
            SplitRule.for_rule("global", positives=2, moment=172_800),
            "the global split leaves the test part empty: no user has 2 ratings of at least 4 from 1970-01-03 "
            "00:00:00 UTC on",
        ),
    ],
    ids=lambda value: "" if isinstance(value, SplitRule) else value,
)
def test_an_empty_part_is_an_error_that_says_why(rule: SplitRule, message: str) -> None:
    with pytest.raises(DataError) as caught:
        split_interactions(interactions((1, 0, 5, 86_400), (1, 1, 5, 172_800)), rule)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (interactions(), "there are no interactions to split"),
        (interactions((1, 0, 5, 1)).drop(TIMESTAMP), "interactions: column Timestamp is missing"),
        ("data/ratings_train.csv", "interactions: 'data/ratings_train.csv' is a path"),
    ],
    ids=["empty", "column", "path"],
)
def test_malformed_interactions_cannot_be_split(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_interactions(rows, SplitRule.for_rule("global"))


def test_the_name_of_a_rule_stands_for_it_with_its_usual_numbers() -> None:
    rows = interactions(*((1, movie, 5, movie) for movie in range(9)))
    by_name, by_rule = (
        split_interactions(rows, "clean"),
        split_interactions(rows, SplitRule.for_rule("clean")),
    )
    assert (by_name.train.rows(), by_name.test.rows()) == (by_rule.train.rows(), by_rule.test.rows())


@pytest.mark.parametrize("rule", [None, 5])
def test_anything_but_a_rule_is_told_how_to_make_one(rule: Any) -> None:
    with pytest.raises(
        ConfigError, match=rf'{rule} isn\'t a SplitRule; create one with SplitRule.for_rule\("clean"\)'
    ):
        split_interactions(interactions((1, 0, 5, 1)), rule)
    with pytest.raises(ConfigError, match="tidy"):
        split_interactions(interactions((1, 0, 5, 1)), "tidy")  # type: ignore[arg-type]


def test_columns_and_what_counts_as_liked_can_be_named() -> None:
    frame = pd.DataFrame(
        {
            "account": ["ann"] * 8,
            "sku": [f"tt{i}" for i in range(8)],
            "score": [90, 20, 75, 80, 10, 100, 70, 71],
            "seen": pd.date_range("2024-01-01", periods=8),
        }
    )
    names = {"user": "account", "movie": "sku", "rating": "score", "time": "seen"}
    split = split_interactions(frame, "clean", columns=names, liked_from=70)
    assert split.test["MovieID"].to_list() == [f"tt{i}" for i in range(2, 8)]
    dataset = Dataset.from_frames(split.train, columns=names, liked_from=70)
    assert (dataset.n_movies, dataset.positive_rating) == (2, 70)
    assert dataset.interactions()["Timestamp"].to_list() == [1_704_067_200, 1_704_153_600]


def test_interactions_without_ratings_are_split_by_the_name_of_a_rule() -> None:
    frame = pd.DataFrame({"user": [1] * 6, "item": range(6), "time": range(6)})
    split = split_interactions(frame, "clean")
    assert (split.train["MovieID"].to_list(), split.test.columns.count("Rating")) == ([0], 0)


@pytest.mark.parametrize(
    ("rule", "numbers", "message"),
    [
        (
            "global",
            {"share": 1.5},
            "option share of the global split is 1.5; expected a number above 0, below 1",
        ),
        (
            "clean",
            {"positives": -1},
            "option positives of the clean split is -1; expected a whole number from 0",
        ),
        (
            "clean",
            {"threshold": math.nan},
            "option threshold of the clean split is NaN; expected a finite number",
        ),
        ("clean", {"share": 0.9}, "the clean split takes no share and no moment; only the global split does"),
        (
            "course",
            {"moment": 86_400},
            "the course split takes no share and no moment; only the global split does",
        ),
        ("global", {"share": 0.9, "moment": 5}, "the global split takes a share or a moment, not both"),
        (
            "weekly",
            {},
            "option rule of the weekly split is 'weekly'; expected course, clean, global, leave-one-out or next-visit",
        ),
    ],
)
def test_an_impossible_rule_is_refused_with_what_is_allowed(
    rule: Rule, numbers: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        SplitRule.for_rule(rule, **numbers)
    assert str(caught.value) == message


def test_the_course_split_of_movielens_1m_has_the_courses_row_counts(movielens_1m: Path) -> None:
    rows = pl.read_csv(movielens_1m / "ratings_train.csv", schema_overrides={RATING: pl.Float32})
    split = split_interactions(rows, SplitRule.for_rule("course"))
    assert (len(split.train), len(split.test)) == (893_664, 52_040)


def naive_last_visits(rows: pl.DataFrame, pause: int) -> set[int]:
    """Rows of the test part by the definition: walk back from the last row until a pause that is too long."""
    test: set[int] = set()
    for _, user in (
        rows.with_row_index(ROW).sort(TIMESTAMP, maintain_order=True).group_by(USER_ID, maintain_order=True)
    ):
        times = user[TIMESTAMP].to_list()
        start = len(times) - 1
        while start > 0 and times[start] - times[start - 1] <= pause:
            start -= 1
        if start > 0 and (user[RATING][start:] >= 4).any():
            test.update(user[ROW][start:])
    return test


@given(any_interactions(), st.integers(0, 5))
def test_the_next_visit_rule_holds_out_the_last_run_without_a_long_pause(
    rows: pl.DataFrame, pause: int
) -> None:
    split = split_numbered(rows, SplitRule.for_rule("next-visit", pause=pause))
    assert set(split.test[ROW]) == naive_last_visits(rows, pause)


def test_a_visit_lasts_until_a_pause_of_more_than_a_day() -> None:
    rows = interactions((1, 0, 5, 0), (1, 1, 5, 86_401), (1, 2, 1, 2 * 86_401 - 1), (1, 3, 5, 2 * 86_401 - 1))
    split = split_interactions(rows, "next-visit")
    assert (split.train["MovieID"].to_list(), split.test["MovieID"].to_list()) == ([0], [1, 2, 3])


def test_a_frozen_history_of_a_next_visit_split_ends_before_the_visit() -> None:
    rows = interactions((1, 0, 5, 0), (1, 1, 5, 9), (1, 2, 5, 90_000), (1, 3, 5, 90_000), (2, 4, 5, 0))
    split = split_interactions(rows, "next-visit")
    train = Dataset.from_frames(split.train)
    queries = EvaluationQueries.from_split(train, split.test, "frozen")
    assert (queries.histories.lengths.tolist(), len(train.timeline)) == ([2, 2], 3)


def test_without_a_second_visit_the_test_part_would_be_empty() -> None:
    with pytest.raises(
        DataError, match="no user has 1 rating of at least 4 in a visit that is not the first"
    ):
        split_interactions(interactions((1, 0, 5, 0), (1, 1, 5, 9)), "next-visit")


def test_only_visits_have_a_pause() -> None:
    with pytest.raises(ConfigError, match="the clean split takes no pause; only the next-visit split does"):
        SplitRule.for_rule("clean", pause=60)


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        ("course", {"positives": 5, "threshold": 4.0}),
        ("clean", {"positives": 5, "threshold": 4.0}),
        ("leave-one-out", {"positives": 1, "threshold": 0.5}),
        ("next-visit", {"positives": 1, "threshold": 4.0, "pause": 86_400}),
        ("global", {"positives": 0, "threshold": 4.0, "share": 0.8}),
    ],
)
def test_the_usual_numbers_of_a_rule(rule: Rule, numbers: dict[str, float]) -> None:
    assert describe_rule(SplitRule.for_rule(rule)) == {"rule": rule, **numbers}
    given_ones = {"positives": 3, "threshold": 2.5}
    assert describe_rule(SplitRule.for_rule(rule, 3, 2.5)) == {"rule": rule, **numbers, **given_ones}


def test_a_moment_takes_the_place_of_the_usual_share() -> None:
    assert describe_rule(SplitRule.for_rule("global", moment=7)) == {
        "rule": "global",
        "positives": 0,
        "threshold": 4.0,
        "moment": 7,
    }
    assert describe_rule(None) == {}


@pytest.mark.parametrize(("share", "moment"), [(0.8, 8), (0.5, 5), (None, 8)])
def test_a_share_of_the_rows_is_earlier_than_the_test_part(share: float | None, moment: int) -> None:
    rows = interactions(*((row % 3, row, 5, row) for row in range(10)))
    split = split_interactions(rows, SplitRule(rule="global", positives=0, threshold=4, share=share))
    assert (split.moment, split.test[TIMESTAMP].to_list()) == (moment, list(range(moment, 10)))


def test_a_rule_for_each_user_needs_a_positive() -> None:
    for rule in PER_USER:
        message = f"the {rule} split needs at least 1 positive per user, not 0"
        with pytest.raises(DataError, match=message):
            split_interactions(interactions((1, 0, 5, 1)), SplitRule.for_rule(rule, positives=0))


def test_the_last_visit_has_as_many_positives_as_the_rule_asks_for() -> None:
    rows = interactions(
        (1, 0, 5, 0), (1, 1, 5, 90_000), (1, 2, 4, 90_001), (2, 0, 5, 0), (2, 1, 5, 90_000), (2, 2, 3, 90_001)
    )
    split = split_interactions(rows, SplitRule(rule="next-visit", positives=2, threshold=4))
    assert split.test.select(USER_ID, "MovieID").rows() == [(1, 1), (1, 2)]
    assert len(split.train) == 4
    assert (split.moment, split.left_out) == (None, 0)
