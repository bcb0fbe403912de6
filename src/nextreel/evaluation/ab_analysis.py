"""Two versions of a model side by side, and whether one of them is better.

A user gets the challenger if a hash of the challenger's name and the UserID, taken as a number in [0, 1), lies below
the challenger's share. Nothing is remembered: the same user always gets the same version, another challenger divides
the users anew, and raising the share only moves users into the challenger.

Users were divided by chance, so a difference between the versions is caused by them. It is judged on what followed
each answer: positives on its movies, strictly after it and within a window. Whole users are drawn for the intervals
(Field & Welsh, JRSS B 2007), with all their answers under both versions, so that a user who was moved is paired with
herself. Only answers whose window has passed count; otherwise a version with younger answers would look worse.

What such an experiment can't show
- Whether a movie was watched *because* it was recommended: a hit may have happened anyway. Only the difference between
  the versions is caused by them.
- What people felt who rated nothing. A rating isn't a viewing, and its Timestamp is what the client sent.
- What happens after the window, or once a new list is no longer new to people.
- The effect of everybody getting the challenger: both versions learn from, and show the popularity of, what people did
  under either.
- NDCG of the next positive looks only at answers that a positive followed. If a version changes how many there are, it
  compares different answers; the share of users with a hit doesn't have this fault, so decide by that.
- A difference that was looked for every day until it showed up: an interval of 95 % holds for one look at one metric
  chosen beforehand. Decide when to look before you start.
"""

import math
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from nextreel.arrays import Float64Array
from nextreel.data.schema import MOVIE_ID, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.data.times import format_duration
from nextreel.errors import QueryError
from nextreel.evaluation.bootstrap import Estimate

FEWEST_USERS = 30
"""Users whom each version must have for a verdict: with fewer, bootstrap intervals are too narrow."""

MISMATCH = 0.001
"""A sample ratio less likely than this is a fault, not chance (Fabijan et al., KDD 2019)."""

UNCHECKED = (
    "Whether the users were divided as planned wasn't checked: --experiment VERSION=SHARE, as nextreel serve was "
    "given it, does so."
)

VERSION, MOVIES = "Version", "MovieIDs"
ANSWERS = pl.Schema(
    {USER_ID: pl.Int64(), TIMESTAMP: pl.Int64(), VERSION: pl.String(), MOVIES: pl.List(pl.Int64())}
)
"""Answers given: to whom, when (POSIX seconds), by which version, and which movies, best first."""

METRICS = ("users with a hit", "positives a user", "precision", "NDCG of the next positive")
"""users with a hit: share of the users who gave a positive to a movie of an answer. positives a user: different
movies they gave one to. precision: share of the answered movies. NDCG of the next positive: as in `follow`."""


@dataclass(frozen=True)
class Arm:
    """What one version did in the experiment."""

    version: str
    users: int
    """Users with an answer that counts."""
    answers: int
    """Answers that count: their window has passed."""


@dataclass(frozen=True)
class Comparison:
    """One metric under both versions."""

    metric: str
    control: Estimate
    challenger: Estimate
    difference: Estimate
    """Challenger minus control."""
    verdict: str
    """One sentence: whether the difference is real."""


@dataclass(frozen=True)
class Report:
    """Two versions compared."""

    control: Arm
    challenger: Arm
    within: int
    """Length of the window after each answer, in seconds."""
    comparisons: list[Comparison]
    notes: list[str]
    """What a reader of the figures must know, as sentences."""

    def facts(self) -> dict[str, Any]:
        """All of it, in the form of JSON."""
        return asdict(self)


def compare(
    answers: pl.DataFrame,
    interactions: pl.DataFrame,
    within: int,
    now: int,
    challenger_name: str | None = None,
    planned_share: float | None = None,
    threshold: float = POSITIVE,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Compare the two versions that gave `answers` (ANSWERS) on the `interactions` that followed.

    Without the challenger's name, the version with more users is the control; without its planned share of the users,
    the sample ratio isn't checked.
    QueryError if not exactly two versions answered, or no answer of one is older than the window.
    """
    names = _two_versions(answers, challenger_name)
    mismatch = _find_mismatch(answers, names, planned_share)
    whole = answers.filter(pl.col(TIMESTAMP) + within <= now)
    control, challenger = (_arm(name, whole, within) for name in names)
    sums = _sum_by_user(follow(whole, interactions, within, threshold), names)
    comparisons = [
        Comparison(metric, *estimates, _judge(estimates[-1], control, challenger, bool(mismatch)))
        for metric, estimates in _estimate_metrics(sums, resamples, seed).items()
    ]
    notes = (
        mismatch,
        UNCHECKED if planned_share is None else "",
        _note_moved(answers),
        _note_young(len(answers) - len(whole), within),
        _note_nothing_followed(comparisons),
    )
    return Report(control, challenger, within, comparisons, [note for note in notes if note])


def follow(
    answers: pl.DataFrame, interactions: pl.DataFrame, within: int, threshold: float = POSITIVE
) -> pl.DataFrame:
    """What followed each answer, strictly after it and at most `within` seconds later.

    One row an answer: UserID, Version, Answered (movies in it), Positives (those of them that got a positive, as
    a list of MovieIDs), NextNDCG (of the first positive that followed, within the list's length; null if none did).
    """
    asked = answers.with_row_index("Answer")
    positives = interactions.filter(pl.col(RATING) >= threshold).select(
        USER_ID, MOVIE_ID, pl.col(TIMESTAMP).alias("At")
    )
    in_window = pl.col("At").is_between(pl.col(TIMESTAMP), pl.col(TIMESTAMP) + within, closed="right")
    listed = asked.explode(MOVIES).rename({MOVIES: MOVIE_ID})
    ranked = listed.select(
        "Answer", MOVIE_ID, pl.int_range(1, pl.len() + 1).over("Answer").cast(pl.Float64).alias("Rank")
    )
    hits = (
        listed.join(positives, on=[USER_ID, MOVIE_ID])
        .filter(in_window)
        .group_by("Answer")
        .agg(pl.col(MOVIE_ID).unique().sort().alias("Positives"))
    )
    # Of several in the same second, the first in the order of the store.
    first_of_second = positives.unique([USER_ID, "At"], keep="first", maintain_order=True).sort("At")
    following = (
        asked.select("Answer", USER_ID, TIMESTAMP)
        .sort(TIMESTAMP)
        .join_asof(
            first_of_second,
            left_on=TIMESTAMP,
            right_on="At",
            by=USER_ID,
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter(in_window)
        .join(ranked, on=["Answer", MOVIE_ID], how="left")
        .select("Answer", NextNDCG=(1 / (1 + pl.col("Rank")).log(2)).fill_null(0.0))
    )
    return (
        asked.join(hits, on="Answer", how="left")
        .join(following, on="Answer", how="left")
        .sort("Answer")
        .select(
            USER_ID,
            VERSION,
            pl.col(MOVIES).list.len().cast(pl.Int64).alias("Answered"),
            pl.col("Positives").fill_null([]),
            "NextNDCG",
        )
    )


def _two_versions(answers: pl.DataFrame, challenger: str | None) -> tuple[str, str]:
    """Names of control and challenger."""
    by_users = (
        answers.group_by(VERSION).agg(pl.col(USER_ID).n_unique()).sort(USER_ID, VERSION, descending=True)
    )
    names: list[str] = by_users[VERSION].to_list()
    if len(names) != 2:
        found = f"answers of {', '.join(names)}" if names else "no answers"
        raise QueryError(f"there are {found}; to compare, there must be two versions: choose another --since")
    if challenger is None:
        return names[0], names[1]
    if challenger not in names:
        raise QueryError(f"version {challenger} gave no answer; those that did are {names[0]}, {names[1]}")
    names.remove(challenger)
    return names[0], challenger


def _arm(version: str, answers: pl.DataFrame, within: int) -> Arm:
    own = answers.filter(pl.col(VERSION) == version)
    if own.is_empty():
        raise QueryError(
            f"no answer of version {version} is older than {format_duration(within)} yet: wait, or look at a shorter "
            "time after each answer with --within"
        )
    return Arm(version, own[USER_ID].n_unique(), len(own))


def _sum_by_user(followed: pl.DataFrame, versions: tuple[str, str]) -> Float64Array:
    """float64[n_users, 2 versions, metrics, 2]: what each metric divides, and by what; 0 and 0 where no answer was."""
    different = pl.col("Positives").explode().drop_nulls().n_unique()
    fractions = (
        (different > 0, pl.lit(1)),
        (different, pl.lit(1)),
        (pl.col("Positives").list.len().sum(), pl.col("Answered").sum()),
        (pl.col("NextNDCG").sum(), pl.col("NextNDCG").count()),
    )
    parts = [part.cast(pl.Float64).alias(str(n)) for n, part in enumerate(chain.from_iterable(fractions))]
    rows = followed.group_by(USER_ID, VERSION).agg(parts)
    ids, user = np.unique(rows[USER_ID].to_numpy(), return_inverse=True)
    version = (rows[VERSION] == versions[1]).to_numpy().astype(np.intp)
    sums = np.zeros((len(ids), 2, len(METRICS), 2))
    sums[user, version] = rows.drop(USER_ID, VERSION).to_numpy().reshape(-1, len(METRICS), 2)
    return sums


def _estimate_metrics(
    sums: Float64Array, resamples: int, seed: int
) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Control, challenger and their difference by metric; a metric that divides by nothing is left out."""
    totals = np.concatenate([[sums.sum(axis=0)], _resample(sums, resamples, seed)])
    with np.errstate(invalid="ignore"):
        means = totals[..., 0] / totals[..., 1]  # float64[1 + resamples, 2 versions, metrics]
    control, challenger = means[:, 0], means[:, 1]
    columns = np.stack([control, challenger, challenger - control])  # [3, 1 + resamples, metrics]
    return {
        metric: (_estimate(columns[0, :, n]), _estimate(columns[1, :, n]), _estimate(columns[2, :, n]))
        for n, metric in enumerate(METRICS)
        if np.isfinite(columns[:, 0, n]).all()
    }


def _resample(sums: Float64Array, resamples: int, seed: int) -> Float64Array:
    """float64[resamples, 2 versions, metrics, 2]: totals over users drawn with replacement.

    Drawn apart are users of one version, of the other and of both, so that no version ever runs out of users.
    """
    random = np.random.default_rng(seed)
    asked = sums[:, :, 0, 1] > 0
    groups = [
        np.flatnonzero((asked == kind).all(axis=1)) for kind in ((True, False), (False, True), (True, True))
    ]
    flat = sums.reshape(len(sums), -1)
    totals = np.empty((resamples, flat.shape[1]))
    for row in range(resamples):
        drawn = np.concatenate([random.choice(group, len(group)) for group in groups if len(group)])
        totals[row] = np.bincount(drawn, minlength=len(flat)) @ flat
    return totals.reshape(resamples, *sums.shape[1:])


def _estimate(means: Float64Array) -> Estimate:
    """Of the mean itself, which comes first, and its resamples."""
    low, high = np.nanquantile(means[1:], [0.025, 0.975])
    return Estimate(float(means[0]), float(low), float(high))


def _judge(difference: Estimate, control: Arm, challenger: Arm, mismatch: bool) -> str:
    if mismatch:
        return "No verdict: the users weren't divided as planned."
    fewest = min(control, challenger, key=lambda arm: arm.users)
    if fewest.users < FEWEST_USERS:
        return f"Too few users to tell: {fewest.version} has {fewest.users}, a verdict needs {FEWEST_USERS} each."
    if difference.low <= 0 <= difference.high:
        return (
            f"No difference shown; it may be anything from {difference.low:+.4f} to {difference.high:+.4f}."
        )
    direction = "higher" if difference.mean > 0 else "lower"
    return f"Real: {challenger.version} is {direction}; chance alone seldom makes such a difference."


def _note_young(young: int, within: int) -> str:
    if not young:
        return ""
    return f"{young:,} answers aren't counted yet: less than {format_duration(within)} have passed since."


def _note_nothing_followed(comparisons: list[Comparison]) -> str:
    missing = [metric for metric in METRICS if metric not in [each.metric for each in comparisons]]
    if not missing:
        return ""
    return f"No positive followed the answers of one version, so there is no {' and no '.join(missing)}."


def _note_moved(answers: pl.DataFrame) -> str:
    versions = answers.group_by(USER_ID).agg(pl.col(VERSION).n_unique())
    moved = int((versions[VERSION] > 1).sum())
    if not moved:
        return ""
    return (
        f"{moved:,} users got answers of both versions, as happens when the share is changed: what they do under one "
        "may come from the other. --since a moment after the change leaves that out."
    )


def _find_mismatch(answers: pl.DataFrame, names: tuple[str, str], share: float | None) -> str:
    """A sentence if the users, by their latest version, weren't divided as planned; otherwise nothing."""
    if share is None:
        return ""
    latest = answers.sort(TIMESTAMP, maintain_order=True).unique(USER_ID, keep="last")
    control, challenger = (int((latest[VERSION] == name).sum()) for name in names)
    likelihood = sample_ratio_p(control, challenger, share)
    if likelihood >= MISMATCH:
        return ""
    return (
        f"Sample ratio mismatch: {challenger:,} of {control + challenger:,} users got {names[1]}, where "
        f"{share:.1%} were planned; by chance that happens with p = {likelihood:.1g}. Something treats the "
        "versions differently (errors, a changed share, lost answers): find it before you trust a difference."
    )


def sample_ratio_p(control: int, challenger: int, share: float) -> float:
    """p-value of the chi-square test that the challenger has this share of the users (one degree of freedom)."""
    users = control + challenger
    expected = share * users
    chi_square = (challenger - expected) ** 2 * (1 / expected + 1 / (users - expected))
    return math.erfc(math.sqrt(chi_square / 2))
