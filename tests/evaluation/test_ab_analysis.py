from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nextreel.errors import QueryError
from nextreel.evaluation.ab_analysis import (
    METRICS,
    Comparison,
    Report,
    compare,
    sample_ratio_p,
)
from nextreel.evaluation.impression_outcomes import IMPRESSIONS, follow
from tests.frames import interactions

LATER = 10_000
"""A timestamp at which every window of these tests has passed."""


def impressions(*rows: tuple[int, int, str, Sequence[int]]) -> pl.DataFrame:
    """Rows of (UserID, Timestamp, Version, MovieIDs)."""
    return pl.DataFrame(rows, schema=IMPRESSIONS, orient="row")


def follow_one(*rows: tuple[int, int, float, int], within: int = 100) -> dict[str, object]:
    """What followed the impression of movies 7, 8, 9 that user 1 saw at 1000."""
    return follow(impressions((1, 1000, "a", [7, 8, 9])), interactions(*rows), within, 4.0).row(0, named=True)


def test_a_positive_on_a_recommended_movie_within_the_window_is_a_hit() -> None:
    assert follow_one((1, 8, 4.0, 1001))["Positives"] == [8]
    assert follow_one((1, 8, 4.0, 1100))["Positives"] == [8]


@pytest.mark.parametrize(
    "row",
    [
        (1, 8, 5.0, 999),
        (1, 8, 5.0, 1000),
        (1, 8, 5.0, 1101),
        (1, 8, 3.5, 1001),
        (1, 5, 5.0, 1001),
        (2, 8, 5.0, 1001),
    ],
    ids=["before", "in the same second", "after the window", "no positive", "another movie", "another user"],
)
def test_anything_else_is_no_hit(row: tuple[int, int, float, int]) -> None:
    assert follow_one(row)["Positives"] == []


def test_a_movie_that_got_two_positives_is_one_hit() -> None:
    assert follow_one((1, 8, 5.0, 1001), (1, 8, 4.0, 1002))["Positives"] == [8]


def test_the_first_positive_that_followed_is_sought_in_the_list() -> None:
    rows = [(1, 7, 3.0, 1001), (1, 9, 5.0, 1002), (1, 7, 5.0, 1003)]
    assert follow_one(*rows)["NextNDCG"] == pytest.approx(1 / np.log2(1 + 3))


def test_a_first_positive_outside_the_list_counts_as_not_found() -> None:
    assert follow_one((1, 5, 5.0, 1001), (1, 7, 5.0, 1002))["NextNDCG"] == 0


def test_of_two_positives_in_one_second_the_one_stored_first_is_the_next() -> None:
    assert follow_one((1, 5, 5.0, 1001), (1, 7, 5.0, 1001))["NextNDCG"] == 0
    assert follow_one((1, 7, 5.0, 1001), (1, 5, 5.0, 1001))["NextNDCG"] == 1


def test_without_a_positive_in_the_window_there_is_no_next_one() -> None:
    assert follow_one((1, 7, 5.0, 1000), (1, 7, 5.0, 1101))["NextNDCG"] is None


def test_a_positive_follows_every_impression_whose_window_it_lies_in() -> None:
    shown_lists = impressions((1, 1000, "a", [7, 8]), (1, 1050, "a", [9]), (1, 1200, "a", [7]))
    followed = follow(shown_lists, interactions((1, 7, 5.0, 1060)), 100, 4.0)
    assert followed["Positives"].to_list() == [[7], [], []]
    assert followed["NextNDCG"].to_list() == [1, 0, None]


def test_an_impression_without_movies_is_followed_by_nothing() -> None:
    followed = follow(impressions((1, 1000, "a", [])), interactions((1, 7, 5.0, 1001)), 100, 4.0).row(
        0, named=True
    )
    assert (followed["Answered"], followed["Positives"], followed["NextNDCG"]) == (0, [], 0)


def figures(report: Report) -> dict[str, tuple[float, float, float]]:
    return {
        comparison.metric: (comparison.control.mean, comparison.challenger.mean, comparison.difference.mean)
        for comparison in report.comparisons
    }


def find(report: Report, metric: str) -> Comparison:
    return next(comparison for comparison in report.comparisons if comparison.metric == metric)


def test_each_metric_counts_what_it_says() -> None:
    shown_lists = impressions(
        (1, 1000, "a", [7, 8]),
        (1, 1010, "a", [7, 9]),
        (2, 1000, "a", [7, 8]),
        (3, 1000, "b", [7, 8]),
    )
    rated = interactions((1, 7, 5.0, 1020), (3, 8, 5.0, 1001), (3, 7, 5.0, 1002))
    metrics = figures(compare(shown_lists, rated, 100, LATER, "b", 0.5))
    assert metrics["users with a hit"] == (1 / 2, 1, 1 / 2)
    assert metrics["positives a user"] == (1 / 2, 2, 3 / 2)
    assert metrics["precision"] == pytest.approx((2 / 6, 1, 2 / 3))
    assert metrics["NDCG of the next positive"] == pytest.approx((1, 1 / np.log2(3), 1 / np.log2(3) - 1))


def test_an_impression_whose_window_has_not_passed_is_not_counted_but_noted() -> None:
    shown_lists = impressions((1, 1000, "a", [7]), (2, 1000, "b", [7]), (3, 1001, "b", [7]))
    report = compare(shown_lists, interactions((3, 7, 5.0, 1002)), 100, 1100, "b", 0.5)
    assert report.challenger.users == 1
    assert figures(report)["users with a hit"] == (0, 0, 0)
    assert "1 list isn't counted yet, because less than 100 seconds have passed since." in report.notes


def test_a_version_without_an_impression_that_is_old_enough_is_an_error_that_says_what_to_do() -> None:
    shown_lists = impressions((1, 1000, "a", [7]), (2, 2000, "b", [7]))
    with pytest.raises(
        QueryError, match=r"no impression of version b is older than 2 hours yet: wait, or .*--within"
    ):
        compare(shown_lists, interactions((1, 7, 5.0, 1)), 7200, 8200)


@pytest.mark.parametrize(
    ("versions", "shown"),
    [("", "no impressions"), ("a", "impressions of a"), ("abc", "impressions of c, b, a")],
)
def test_a_comparison_needs_two_versions(versions: str, shown: str) -> None:
    shown_lists = impressions(*((1, 1000, version, [7]) for version in versions))
    with pytest.raises(QueryError, match=f"found {shown}; a comparison needs exactly two versions"):
        compare(shown_lists, interactions((1, 7, 5.0, 1)), 100, LATER)


def test_the_challenger_is_the_version_of_the_experiment_or_else_the_one_with_fewer_users() -> None:
    shown_lists = impressions((1, 1000, "b", [7]), (2, 1000, "b", [7]), (3, 1000, "a", [7]))
    rated = interactions((1, 7, 5.0, 1001))
    assert compare(shown_lists, rated, 100, LATER).challenger.version == "a"
    assert compare(shown_lists, rated, 100, LATER, "b", 0.5).challenger.version == "b"
    with pytest.raises(QueryError, match="version c has no impressions; those that do are b, a"):
        compare(shown_lists, rated, 100, LATER, "c", 0.5)


def simulated(
    n_users: int, share: float, hit_rates: tuple[float, float], seed: int, impressions_each: int = 1
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Users divided as planned between a and b, who then like the recommended movie 7 or else the movie 1."""
    random = np.random.default_rng(seed)
    challenger = random.random(n_users) < share
    liked = random.random(n_users) < np.where(challenger, hit_rates[1], hit_rates[0])
    shown_lists = [
        (user, 1000 + turn, "b" if challenger[user] else "a", [7, 8])
        for user in range(n_users)
        for turn in range(impressions_each)
    ]
    rated = [(user, 7 if liked[user] else 1, 5.0, 1050) for user in range(n_users)]
    return impressions(*shown_lists), interactions(*rated)


def test_a_large_difference_is_significant_and_named_by_its_direction() -> None:
    report = compare(*simulated(600, 0.5, (0.1, 0.4), seed=1), 100, LATER, "b", 0.5)
    assert find(report, "users with a hit").verdict.startswith("Significant: b is higher")
    worse = compare(*simulated(600, 0.5, (0.4, 0.1), seed=1), 100, LATER, "b", 0.5)
    assert find(worse, "users with a hit").verdict.startswith("Significant: b is lower")


def test_two_versions_alike_show_no_difference() -> None:
    report = compare(*simulated(600, 0.5, (0.2, 0.2), seed=1), 100, LATER, "b", 0.5)
    assert all(comparison.verdict.startswith("Not significant") for comparison in report.comparisons)


def test_the_interval_of_the_difference_holds_what_is_true_about_as_often_as_it_says() -> None:
    truth, held = 0.1, 0
    for seed in range(100):
        shown_lists, rated = simulated(300, 0.3, (0.2, 0.2 + truth), seed)
        difference = find(
            compare(shown_lists, rated, 100, LATER, resamples=200), "users with a hit"
        ).difference
        held += difference.low <= truth <= difference.high
    assert stats.binomtest(held, 100, 0.95).pvalue > 0.001


def test_more_impressions_per_user_do_not_narrow_the_interval() -> None:
    """Ten impressions per user, followed by the same positives, are no more evidence than one."""
    once, often = (
        find(compare(*simulated(400, 0.5, (0.2, 0.2), 3, times), 100, LATER), "precision").difference
        for times in (1, 10)
    )
    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_users_who_saw_both_versions_are_paired_with_themselves() -> None:
    """b adds a hit for comparison user to very different numbers of them: unpaired, that difference would drown."""
    shown_lists, rated = [], []
    for user in range(60):
        liked = user % 10
        movies = list(range(10, 20))
        shown_lists += [(user, 1000, "a", [*movies, 30, 31]), (user, 2000, "b", [*movies, 30, 31])]
        rated += [(user, movie, 5.0, 1001) for movie in movies[:liked]]
        rated += [(user, movie, 5.0, 2001) for movie in [*movies[:liked], 30]]
    report = compare(impressions(*shown_lists), interactions(*rated), 100, LATER, "b", 0.5)
    difference = find(report, "positives a user").difference
    assert (difference.low, difference.mean, difference.high) == pytest.approx((1, 1, 1))
    assert any(note.startswith("60 users got lists of both versions") for note in report.notes)


def test_a_handful_of_users_gets_no_verdict_however_clear_it_looks() -> None:
    shown_lists = impressions(*((user, 1000, "ab"[user % 2], [7]) for user in range(58)))
    rated = interactions(*((user, 7 if user % 2 else 1, 5.0, 1001) for user in range(58)))
    report = compare(shown_lists, rated, 100, LATER, "b", 0.5)
    assert {comparison.verdict for comparison in report.comparisons} == {
        "Too few users: a has 29; each version needs at least 30."
    }


def test_where_no_positive_followed_one_version_its_ndcg_is_left_out_and_noted() -> None:
    shown_lists = impressions((1, 1000, "a", [7]), (2, 1000, "b", [7]))
    report = compare(shown_lists, interactions((1, 7, 5.0, 1001)), 100, LATER, "b", 0.5)
    assert [comparison.metric for comparison in report.comparisons] == list(METRICS[:3])
    assert (
        "No positive followed the lists of one version, so there is no NDCG of the next positive."
        in report.notes
    )


def test_the_order_of_the_impressions_does_not_change_the_report() -> None:
    shown_lists, rated = simulated(80, 0.5, (0.2, 0.3), seed=5)
    shuffled = shown_lists.sample(fraction=1, shuffle=True, seed=1)
    assert compare(shown_lists, rated, 100, LATER).facts() == compare(shuffled, rated, 100, LATER).facts()


def divided(challengers: int, users: int, share: float) -> Report:
    """The report on a version a that liked nothing and a version b that liked all."""
    shown_lists = impressions(
        *((user, 1000, "b" if user < challengers else "a", [7]) for user in range(users))
    )
    rated = interactions(*((user, 7, 5.0, 1001) for user in range(challengers)))
    return compare(shown_lists, rated, 100, LATER, "b", share)


def test_too_few_users_of_the_challenger_are_a_sample_ratio_mismatch_and_forbid_a_verdict() -> None:
    report = divided(60, 1000, 0.1)
    assert report.notes[0].startswith(
        "Sample ratio mismatch: 60 of 1,000 users got b, where 10.0% were planned"
    )
    assert {comparison.verdict for comparison in report.comparisons} == {
        "No verdict: the users weren't divided as planned."
    }


def test_a_ratio_that_chance_explains_is_no_mismatch() -> None:
    report = divided(90, 1000, 0.1)
    assert not any("mismatch" in note for note in report.notes)
    assert report.comparisons[0].verdict.startswith("Significant")


def test_without_the_planned_share_the_reader_is_told_that_it_was_not_checked() -> None:
    report = compare(
        impressions((1, 1, "a", [7]), (2, 1, "b", [7])), interactions((1, 7, 5.0, 2)), 100, LATER
    )
    assert any(
        "wasn't checked: to check it, repeat the option --experiment VERSION=SHARE" in note
        for note in report.notes
    )


@pytest.mark.parametrize(
    ("control", "challenger", "share"), [(900, 100, 0.1), (930, 70, 0.1), (480, 520, 0.5)]
)
def test_the_likelihood_of_a_sample_ratio_is_that_of_the_chi_square_test(
    control: int, challenger: int, share: float
) -> None:
    users = control + challenger
    expected = stats.chisquare([control, challenger], [users * (1 - share), users * share]).pvalue
    assert sample_ratio_p(control, challenger, share) == pytest.approx(expected)
