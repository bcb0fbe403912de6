"""Splits: which interactions a model may learn from, and which it is asked about.

`course`         Per user in time order, the row of the 5th-last positive starts the test part and stands in
                 both parts, as pandas' inclusive `.loc` slices it in the course's notebook: a leak.
`clean`          The same without the shared row.
`leave-one-out`  The last interaction of each user: `clean` with one positive, where every rating counts as one.
`global`         One moment for everybody: train before it, test from it on.

A user's rows of one second keep the order of their file. Users with too few positives stay in train.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import Field

from nextreel.data.schema import INTERACTIONS, LOWEST_RATING, POSITIVE, RATING, TIMESTAMP, USER_ID
from nextreel.data.times import LATEST_TIMESTAMP, format_timestamp
from nextreel.data.value_checks import check_frame
from nextreel.errors import ConfigError, DataError
from nextreel.options import Options
from nextreel.wording import number_of

Rule = Literal["course", "clean", "global", "leave-one-out"]
SHARE = 0.8
"""For `global`: the share of the rows that lies before its moment, where neither is named."""


class SplitRule(Options):
    """How to split; what is left out is filled with the rule's own defaults by `for_rule`."""

    rule: Rule
    positives: int = Field(ge=0)
    """How many of a user's last positives the test part starts with. For `global`, how many positives a user
    must have from the moment on to be asked about."""
    threshold: float = Field(ge=0)
    """Rating from which on a row is a positive."""
    share: float | None = Field(default=None, gt=0, lt=1)
    """For `global` without a moment: the share of the rows that lies before it."""
    moment: int | None = Field(default=None, ge=0, le=LATEST_TIMESTAMP)
    """For `global`: where train ends, POSIX seconds."""

    @classmethod
    def for_rule(
        cls,
        rule: Rule,
        positives: int | None = None,
        threshold: float | None = None,
        share: float | None = None,
        moment: int | None = None,
    ) -> "SplitRule":
        """A rule with its usual numbers where none is given; ConfigError names one that it can't have."""
        if rule != "global" and (share, moment) != (None, None):
            raise ConfigError(f"the {rule} split takes no share and no moment; the global one does")
        if share is not None and moment is not None:
            raise ConfigError("the global split takes a share or a moment, not both")
        if rule == "global" and moment is None and share is None:
            share = SHARE
        usual_positives = {"course": 5, "clean": 5, "leave-one-out": 1}.get(rule, 0)
        usual_threshold = LOWEST_RATING if rule == "leave-one-out" else POSITIVE
        numbers = {
            "positives": usual_positives if positives is None else positives,
            "threshold": usual_threshold if threshold is None else threshold,
            "share": share,
            "moment": moment,
        }
        return cls.parse({"rule": rule, **numbers}, f"the {rule} split")


@dataclass(frozen=True)
class Split:
    """The two parts of a split."""

    train: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp in order of time."""
    test: pl.DataFrame
    left_out: int
    """Rows in neither part: under `global`, later rows of users with too few positives."""
    moment: int | None
    """Where train ends, if it ends at one moment."""


def split_interactions(interactions: pl.DataFrame, rule: SplitRule) -> Split:
    """Split rows given in any order; both parts come back in order of time, ties in the given order.

    Raises DataError, with the reason, where a part would be empty.
    """
    if not isinstance(rule, SplitRule):
        raise ConfigError(f"{rule!r} is no rule; SplitRule.for_rule({rule!r}) makes one")
    rows = check_frame(interactions, INTERACTIONS, "interactions")
    if rows.is_empty():
        raise DataError("there are no interactions to split")
    by_time = interactions.with_columns(rows).sort(TIMESTAMP, maintain_order=True)
    split = _split_at_moment(by_time, rule) if rule.rule == "global" else _split_per_user(by_time, rule)
    for part, rows in (("train", split.train), ("test", split.test)):
        if rows.is_empty():
            raise DataError(
                f"the {rule.rule} split leaves the {part} part empty: {_explain_empty(part, split, rule)}"
            )
    return split


def _explain_empty(part: str, split: Split, rule: SplitRule) -> str:
    too_few = f"no user has {number_of(rule.positives, 'rating')} of at least {rule.threshold:g}"
    if split.moment is None:
        return too_few if part == "test" else "nobody rated anything before their test part"
    moment = format_timestamp(split.moment)
    if part == "train":
        return f"nothing was rated before {moment}"
    return f"{too_few} from {moment} on" if split.left_out else f"nothing was rated from {moment} on"


def _split_per_user(by_time: pl.DataFrame, rule: SplitRule) -> Split:
    if rule.positives < 1:
        raise DataError(f"the {rule.rule} split needs at least 1 positive per user, not {rule.positives}")
    positive = (pl.col(RATING) >= rule.threshold).cast(pl.Int32)
    from_here = positive.cum_sum(reverse=True).over(USER_ID)
    enough = positive.sum().over(USER_ID) >= rule.positives
    in_test = enough & ((from_here < rule.positives) | ((from_here == rule.positives) & (positive == 1)))
    starts_test = in_test & (from_here == rule.positives)
    marked = by_time.with_columns(in_test=in_test, starts_test=starts_test)
    in_train = ~pl.col("in_test")
    if rule.rule == "course":
        in_train |= pl.col("starts_test")
    columns = by_time.columns
    return Split(
        train=marked.filter(in_train).select(columns),
        test=marked.filter("in_test").select(columns),
        left_out=0,
        moment=None,
    )


def _split_at_moment(by_time: pl.DataFrame, rule: SplitRule) -> Split:
    moment = rule.moment
    if moment is None:
        moment = int(by_time[TIMESTAMP][int((rule.share or SHARE) * len(by_time))])
    later = by_time.filter(pl.col(TIMESTAMP) >= moment)
    positives = (pl.col(RATING) >= rule.threshold).sum().over(USER_ID)
    test = later.filter(positives >= rule.positives)
    return Split(
        train=by_time.filter(pl.col(TIMESTAMP) < moment),
        test=test,
        left_out=len(later) - len(test),
        moment=moment,
    )
