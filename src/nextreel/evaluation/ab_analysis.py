"""The analysis of an A/B experiment: two versions of a model served side by side, compared by what users did next.

A user is served by the challenger if a hash of the challenger's name and the UserID, read as a number in [0, 1), is
below the challenger's share. No assignment is stored: a user always gets the same version, another challenger divides
the users anew, and raising the share only moves users to the challenger.

An impression is a recommendation list that was shown to a user. Users are assigned at random, so the versions cause
the difference between their users. It is measured by what followed each impression: positives on its movies, strictly
later and within a window. The intervals come from a bootstrap over users (Field & Welsh, JRSS B 2007), each drawn with
all impressions of both versions, so a user who was moved from one version to the other is compared with themselves.
Impressions whose window hasn't passed don't count; otherwise a version with more recent impressions would look worse.

What such an experiment can't show
- Whether a movie was watched *because* it was recommended: the user might have watched it anyway. Only the difference
  between the versions is causal.
- The opinion of users who rated nothing. A rating isn't a viewing, and its Timestamp is what the client sent.
- What happens after the window, or once users are used to the new lists.
- The effect of serving the challenger to everybody: both versions learn from what users did under either of them.
- The unbiased effect on NDCG of the next positive, which is defined only for impressions that a positive followed. If
  a version changes how many do, the metric compares different impressions. The share of users with a hit doesn't have
  this bias, so decide by that.
- A difference found by looking every day until one appears: a 95 % interval holds for one look at one metric, both
  chosen in advance. Decide when to look before the experiment starts.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.arrays import Float64Array
from nextreel.data.ids import encode_ids
from nextreel.data.schema import POSITIVE, TIMESTAMP, USER_ID
from nextreel.data.times import format_duration
from nextreel.errors import QueryError
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.impression_outcomes import VERSION, follow
from nextreel.wording import number_of

FEWEST_USERS = 30
"""Number of users that each version needs before a difference is called significant or not: with fewer, bootstrap
intervals are too narrow."""
MISMATCH = 0.001
"""p-value below which a deviation from the planned share of users counts as a fault in the assignment rather than
chance (sample ratio mismatch; Fabijan et al., KDD 2019)."""
UNCHECKED = (
    "The division of the users wasn't checked: to check it, repeat the option --experiment VERSION=SHARE of "
    "nextreel serve."
)
"""Note on a report that was made without the challenger's planned share of users."""

METRICS = ("users with a hit", "positives a user", "precision", "NDCG of the next positive")
"""users with a hit: share of users who gave a positive to a movie of an impression.
positives a user: number of different recommended movies that a user gave a positive to.
precision: share of the recommended movies that got a positive.
NDCG of the next positive: see `impression_outcomes.follow`."""


@dataclass(frozen=True)
class Arm:
    """One version of the model in an A/B experiment: its number of users and of impressions."""

    version: str
    users: int
    """Number of users with at least one impression whose window has passed."""
    impressions: int
    """Number of impressions whose window has passed; the others are left out of the analysis."""

    def facts(self) -> dict[str, JsonValue]:
        """Return the name of the version and its counts in the form that is written as JSON."""
        return {"version": self.version, "users": self.users, "answers": self.impressions}


@dataclass(frozen=True)
class Comparison:
    """One metric of an A/B experiment for the control and for the challenger, with their difference."""

    metric: str
    control: Estimate
    challenger: Estimate
    difference: Estimate
    """Mean of the metric for the challenger minus its mean for the control."""
    verdict: str
    """Sentence on whether the difference between challenger and control is significant."""


@dataclass(frozen=True)
class Report:
    """The comparison of the two versions of a model in an A/B experiment, the control and the challenger."""

    control: Arm
    challenger: Arm
    within: int
    """Length of the window after each impression in which positives count, in seconds."""
    comparisons: list[Comparison]
    """One comparison per metric, in the order of METRICS."""
    notes: list[str]
    """Sentences on what a reader must know to interpret the comparisons, such as on moved users."""

    def facts(self) -> dict[str, JsonValue]:
        """Return the comparison of the versions in the form that is written as JSON."""
        return {
            "control": self.control.facts(),
            "challenger": self.challenger.facts(),
            "within": self.within,
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "notes": [*self.notes],
        }


def compare(
    impressions: pl.DataFrame,
    interactions: pl.DataFrame,
    within: int,
    now: int,
    challenger_name: str | None = None,
    planned_share: float | None = None,
    threshold: float = POSITIVE,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Compare the two versions of a model in an A/B experiment by what users did after each impression.

    Parameters
    ----------
    impressions : DataFrame
        The impressions of both versions, with the columns of `impression_outcomes.IMPRESSIONS`.
    interactions : DataFrame
        The interactions of the same users, in the order in which the interaction store holds them.
    within : int
        Length of the window after each impression in which positives count, in seconds.
    now : int
        Current time, POSIX seconds.
    challenger_name : str, optional
        The challenger; by default the version with fewer users.
    planned_share : float, optional
        Share of users that the challenger was meant to get; without it, the sample ratio isn't checked.
    threshold : float
        Lowest rating of a positive.
    resamples, seed : int
        Number of resamples of the bootstrap, and its seed.

    Raises
    ------
    QueryError
        The impressions aren't of exactly two versions, the challenger has none, or the window of every impression of
        one version is still open.
    """
    names = _name_versions(impressions, challenger_name)
    mismatch = _describe_mismatch(impressions, names, planned_share)
    closed = impressions.filter(pl.col(TIMESTAMP) + within <= now)
    control, challenger = (_count_arm(name, closed, within) for name in names)
    sums = _sum_by_user(follow(closed, interactions, within, threshold), names)
    comparisons = [
        Comparison(metric, *estimates, _describe_verdict(estimates[-1], control, challenger, bool(mismatch)))
        for metric, estimates in _estimate_metrics(sums, resamples, seed).items()
    ]
    notes = (
        mismatch,
        UNCHECKED if planned_share is None else "",
        _note_moved_users(impressions),
        _note_open_windows(len(impressions) - len(closed), within),
        _note_missing_metrics(comparisons),
    )
    return Report(control, challenger, within, comparisons, [note for note in notes if note])


def sample_ratio_p(control: int, challenger: int, share: float) -> float:
    """Return the p-value of the chi-square test, with one degree of freedom, of the challenger's share of users.

    Parameters
    ----------
    control, challenger : int
        Number of users of each version.
    share : float
        The challenger's planned share.
    """
    users = control + challenger
    expected = share * users
    chi_square = (challenger - expected) ** 2 * (1 / expected + 1 / (users - expected))
    return math.erfc(math.sqrt(chi_square / 2))


def _name_versions(impressions: pl.DataFrame, challenger: str | None) -> tuple[str, str]:
    """Return the names of the control and the challenger; by default, the one with fewer users is the challenger."""
    by_users = (
        impressions.group_by(VERSION).agg(pl.col(USER_ID).n_unique()).sort(USER_ID, VERSION, descending=True)
    )
    names: list[str] = by_users[VERSION].to_list()
    if len(names) != 2:
        shown = f"impressions of {', '.join(names)}" if names else "no impressions"
        raise QueryError(f"found {shown}; a comparison needs exactly two versions: choose another --since")
    if challenger is None:
        return names[0], names[1]
    if challenger not in names:
        raise QueryError(f"version {challenger} has no impressions; those that do are {names[0]}, {names[1]}")
    names.remove(challenger)
    return names[0], challenger


def _count_arm(version: str, impressions: pl.DataFrame, within: int) -> Arm:
    """Count the users and impressions of a version; QueryError if there are no impressions."""
    own = impressions.filter(pl.col(VERSION) == version)
    if own.is_empty():
        raise QueryError(
            f"no impression of version {version} is older than {format_duration(within)} yet: wait, or shorten the "
            "window after each impression with --within"
        )
    return Arm(version, own[USER_ID].n_unique(), len(own))


def _sum_by_user(followed: pl.DataFrame, versions: tuple[str, str]) -> Float64Array:
    """Sum the numerator and the denominator of each metric over each user's impressions.

    Returns
    -------
    float64[n_users, 2 versions, n_metrics, 2]
        Numerators and denominators; both 0 where the user has no impression of the version.
    """
    n_different = pl.col("Positives").explode().drop_nulls().n_unique()
    fractions = (
        (n_different > 0, pl.lit(1)),
        (n_different, pl.lit(1)),
        (pl.col("Positives").list.len().sum(), pl.col("Answered").sum()),
        (pl.col("NextNDCG").sum(), pl.col("NextNDCG").count()),
    )
    parts = [part.cast(pl.Float64).alias(str(n)) for n, part in enumerate(chain.from_iterable(fractions))]
    rows = followed.group_by(USER_ID, VERSION).agg(parts)
    ids, user = np.unique(encode_ids(rows[USER_ID]), return_inverse=True)
    version = (rows[VERSION] == versions[1]).to_numpy().astype(np.intp)
    sums = np.zeros((len(ids), 2, len(METRICS), 2))
    sums[user, version] = rows.drop(USER_ID, VERSION).to_numpy().reshape(-1, len(METRICS), 2)
    return sums


def _estimate_metrics(
    sums: Float64Array, resamples: int, seed: int
) -> dict[str, tuple[Estimate, Estimate, Estimate]]:
    """Return the estimates for the control, the challenger and their difference by metric; metrics with a denominator
    of 0 are left out."""
    totals = np.concatenate([[sums.sum(axis=0)], _resample(sums, resamples, seed)])
    with np.errstate(invalid="ignore"):
        means = totals[..., 0] / totals[..., 1]  # float64[1 + resamples, 2 versions, n_metrics]
    control, challenger = means[:, 0], means[:, 1]
    columns = np.stack([control, challenger, challenger - control])  # float64[3, 1 + resamples, n_metrics]
    return {
        metric: (_estimate(columns[0, :, n]), _estimate(columns[1, :, n]), _estimate(columns[2, :, n]))
        for n, metric in enumerate(METRICS)
        if np.isfinite(columns[:, 0, n]).all()
    }


def _resample(sums: Float64Array, resamples: int, seed: int) -> Float64Array:
    """Return totals of `sums` over users drawn with replacement, float64[resamples, 2 versions, n_metrics, 2].

    Users of the control only, of the challenger only and of both are drawn separately, so that no resample lacks
    the users of a version.
    """
    random = np.random.default_rng(seed)
    has_version = sums[:, :, 0, 1] > 0
    groups = [
        np.flatnonzero((has_version == versions).all(axis=1))
        for versions in ((True, False), (False, True), (True, True))
    ]
    flat = sums.reshape(len(sums), -1)
    totals = np.empty((resamples, flat.shape[1]))
    for row in range(resamples):
        drawn = np.concatenate([random.choice(group, len(group)) for group in groups if len(group)])
        totals[row] = np.bincount(drawn, minlength=len(flat)) @ flat
    return totals.reshape(resamples, *sums.shape[1:])


def _estimate(means: Float64Array) -> Estimate:
    """Return an estimate with its interval from `means`, float64[1 + resamples]: the mean over the actual users first,
    then the mean in each bootstrap resample."""
    low, high = np.nanquantile(means[1:], [0.025, 0.975])
    return Estimate(float(means[0]), float(low), float(high))


def _describe_verdict(difference: Estimate, control: Arm, challenger: Arm, mismatch: bool) -> str:
    """Return a sentence on whether the difference of a metric between the challenger and the control is significant."""
    if mismatch:
        return "No verdict: the users weren't divided as planned."
    smaller = min(control, challenger, key=lambda arm: arm.users)
    if smaller.users < FEWEST_USERS:
        return f"Too few users: {smaller.version} has {smaller.users}; each version needs at least {FEWEST_USERS}."
    if difference.low <= 0 <= difference.high:
        return f"Not significant: the difference may be anything from {difference.low:+.4f} to {difference.high:+.4f}."
    direction = "higher" if difference.mean > 0 else "lower"
    return f"Significant: {challenger.version} is {direction}; the 95 % interval of the difference excludes zero."


def _describe_mismatch(impressions: pl.DataFrame, names: tuple[str, str], share: float | None) -> str:
    """Return a warning if users, each counted for their latest version, weren't divided as planned; else ""."""
    if share is None:
        return ""
    latest = impressions.sort(TIMESTAMP, maintain_order=True).unique(USER_ID, keep="last")
    control, challenger = (int((latest[VERSION] == name).sum()) for name in names)
    p = sample_ratio_p(control, challenger, share)
    if p >= MISMATCH:
        return ""
    return (
        f"Sample ratio mismatch: {challenger:,} of {control + challenger:,} users got {names[1]}, where "
        f"{share:.1%} were planned; by chance that happens with p = {p:.1g}. Something treats the "
        "versions differently (errors, a changed share, lost answers): find it before you trust a difference."
    )


def _note_moved_users(impressions: pl.DataFrame) -> str:
    """Return a note on users with impressions of both versions; "" if there are none."""
    versions = impressions.group_by(USER_ID).agg(pl.col(VERSION).n_unique())
    moved = int((versions[VERSION] > 1).sum())
    if not moved:
        return ""
    return (
        f"{moved:,} users got lists of both versions, as happens when the share is changed, so that one version may "
        "have influenced what is counted for the other. To count only later lists, set --since."
    )


def _note_open_windows(n_open: int, within: int) -> str:
    """Return a note on impressions whose window is still open; "" if there are none."""
    if not n_open:
        return ""
    lists = number_of(n_open, "list isn't", "lists aren't")
    return f"{lists} counted yet, because less than {format_duration(within)} have passed since."


def _note_missing_metrics(comparisons: Sequence[Comparison]) -> str:
    """Return a note on metrics that are undefined because no positive followed; "" if there are none."""
    present = {comparison.metric for comparison in comparisons}
    missing = [metric for metric in METRICS if metric not in present]
    if not missing:
        return ""
    return f"No positive followed the lists of one version, so there is no {' and no '.join(missing)}."
