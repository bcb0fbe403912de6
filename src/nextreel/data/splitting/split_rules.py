"""Splits: dividing interactions into a train part, which models learn from, and a test part.

`course`         In each user's rows in order of time, the test part starts with the 5th-last positive. That row is
                 in both parts, because the course's notebook slices with pandas' `.loc`, which includes both ends.
                 This is a leak.
`clean`          The same without the shared row.
`leave-one-out`  The test part holds each user's last interaction: `clean` with one positive, where every rating
                 counts as a positive.
`next-visit`     The test part holds each user's last visit, so that a history that ends with the train part ends before
                 the visit: no query is helped by what the user did minutes earlier. A visit is a run of interactions
                 without a pause of more than a day (`pause`). Users with one visit stay in the train part.
`global`         One time for all users: earlier rows are the train part, the others the test part.

Rows of one user in the same second keep the order of their file. Users with too few positives stay in the train part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl
from narwhals.typing import IntoFrame
from pydantic import Field, FiniteFloat, JsonValue

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import check_frame, find_columns, to_polars
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.schema import INTERACTIONS, RATING, TIMESTAMP, USER_ID
from nextreel.data.times import DAY, LATEST_TIMESTAMP, format_timestamp
from nextreel.errors import ConfigError, DataError
from nextreel.options import Options
from nextreel.wording import number_of

Rule = Literal["course", "clean", "global", "leave-one-out", "next-visit"]
SHARE = 0.8
"""Default share of the rows that form the train part of a `global` split; 80 % is customary."""


class SplitRule(Options):
    """How to split. `for_rule` fills in the defaults of the named rule."""

    rule: Rule
    positives: int = Field(ge=0)
    """How many of a user's last positives the test part starts with. For `global`, how many positives a user must
    have in the test part; the rows of other users are left out of it. For `next-visit`, how many positives the last
    visit must have; otherwise it stays in the train part."""
    threshold: FiniteFloat
    """Lowest rating that makes a row a positive."""
    share: float | None = Field(default=None, gt=0, lt=1)
    """For `global` without a moment: the share of the rows that becomes the train part."""
    moment: int | None = Field(default=None, ge=0, le=LATEST_TIMESTAMP)
    """For `global`: the time at which the test part starts, POSIX seconds."""
    pause: int | None = Field(default=None, ge=0, le=LATEST_TIMESTAMP)
    """For `next-visit`: the longest time between two interactions of one visit, seconds."""

    @classmethod
    def for_rule(
        cls,
        rule: Rule,
        positives: int | None = None,
        threshold: float | None = None,
        share: float | None = None,
        moment: int | None = None,
        scale: RatingScale = STARS,
        pause: int | None = None,
    ) -> "SplitRule":
        """Return the named rule; each number that is None gets the default of this rule, for ratings on this scale.

        Raises
        ------
        ConfigError
            The rule is unknown, a number is out of range, or the rule doesn't take it.
        """
        if rule != "global" and (share, moment) != (None, None):
            raise ConfigError(f"the {rule} split takes no share and no moment; only the global split does")
        if rule != "next-visit" and pause is not None:
            raise ConfigError(f"the {rule} split takes no pause; only the next-visit split does")
        if share is not None and moment is not None:
            raise ConfigError("the global split takes a share or a moment, not both")
        if rule == "global" and moment is None and share is None:
            share = SHARE
        if rule == "next-visit" and pause is None:
            pause = DAY
        default_positives = {"course": 5, "clean": 5, "leave-one-out": 1, "next-visit": 1}.get(rule, 0)
        default_threshold = scale.lowest if rule == "leave-one-out" else scale.liked_from
        numbers = {
            "positives": default_positives if positives is None else positives,
            "threshold": default_threshold if threshold is None else threshold,
            "share": share,
            "moment": moment,
            "pause": pause,
        }
        return cls.parse({"rule": rule, **numbers}, f"the {rule} split")


def describe_rule(rule: SplitRule | None) -> dict[str, JsonValue]:
    """Return a rule as JSON files state it; empty if `rule` is None, that is, unknown."""
    return {} if rule is None else rule.model_dump(exclude_none=True)


@dataclass(frozen=True)
class Split:
    """The train and the test part of split interactions, as frames."""

    train: pl.DataFrame
    """Rows that models learn from: UserID, MovieID, Rating, Timestamp, sorted by time."""
    test: pl.DataFrame
    """Rows that models are evaluated on: UserID, MovieID, Rating, Timestamp, sorted by time."""
    left_out: int
    """Number of rows in neither part: for `global`, test rows of users with too few positives."""
    moment: int | None
    """For `global`: the time at which the test part starts, POSIX seconds; None for the other rules."""


def split_interactions(
    interactions: IntoFrame,
    rule: SplitRule | Rule,
    *,
    columns: Mapping[str, str] | None = None,
    liked_from: float | None = None,
) -> Split:
    """Check and split interactions given in any order.

    Both parts are sorted by time; rows with equal timestamps keep their order. Further columns are kept.

    Parameters
    ----------
    interactions
        A frame as `Dataset.from_frames` takes it, which takes the parts, too.
    rule : SplitRule | str
        How to split; the name of a rule, such as "clean", stands for it with the usual numbers for these ratings.
    columns : Mapping[str, str], optional
        Names of the columns by role, such as {"user": "account_id"}.
    liked_from : float, optional
        Lowest rating that counts as liked; needed for another scale than 0.5 to 5 stars. A `SplitRule` has a threshold
        of its own, which stays.

    Raises
    ------
    ConfigError
        `rule` is no rule, or `columns` names a role that no column has.
    DataError
        The frame lacks a column, a column holds a value that isn't allowed there, or a part would be empty.
    """
    if not isinstance(rule, SplitRule | str):
        raise ConfigError(f'{rule!r} isn\'t a SplitRule; create one with SplitRule.for_rule("clean")')
    request = DataFormat.request(columns, liked_from)
    frame = to_polars(interactions, INTERACTIONS, "interactions")
    rows = check_frame(frame, INTERACTIONS, "interactions", request)
    is_rated = RATING in find_columns(frame.columns, INTERACTIONS, request).sources
    if isinstance(rule, str):
        scale = RatingScale.of(rows[RATING].to_numpy(), liked_from) if is_rated else STARS
        rule = SplitRule.for_rule(rule, scale=scale)
    split = split_rows(frame.with_columns(rows), rule)
    if is_rated:
        return split
    return replace(split, train=split.train.drop(RATING), test=split.test.drop(RATING))


def split_rows(rows: pl.DataFrame, rule: SplitRule) -> Split:
    """Do as `split_interactions`, but without checking the rows: the caller has, or took them from a dataset.

    Raises DataError if there are no rows or a part would be empty.
    """
    if rows.is_empty():
        raise DataError("there are no interactions to split")
    by_time = rows.sort(TIMESTAMP, maintain_order=True)
    split = _split_by_time(by_time, rule) if rule.rule == "global" else _split_per_user(by_time, rule)
    for name, part in (("train", split.train), ("test", split.test)):
        if part.is_empty():
            raise DataError(
                f"the {rule.rule} split leaves the {name} part empty: {_explain_empty(name, split, rule)}"
            )
    return split


def _split_per_user(by_time: pl.DataFrame, rule: SplitRule) -> Split:
    if rule.positives < 1:
        raise DataError(f"the {rule.rule} split needs at least 1 positive per user, not {rule.positives}")
    if rule.rule == "next-visit":
        return _split_by_visit(by_time, rule)
    positive = (pl.col(RATING) >= rule.threshold).cast(pl.Int32)
    positives_from_here = positive.cum_sum(reverse=True).over(USER_ID)
    enough = positive.sum().over(USER_ID) >= rule.positives
    starts_test = enough & (positives_from_here == rule.positives) & (positive == 1)
    in_test = starts_test | (enough & (positives_from_here < rule.positives))
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


def _split_by_visit(by_time: pl.DataFrame, rule: SplitRule) -> Split:
    pause = DAY if rule.pause is None else rule.pause
    starts_visit = (pl.col(TIMESTAMP).diff().over(USER_ID) > pause).fill_null(value=False)
    visits_from_here = starts_visit.cast(pl.Int32).cum_sum(reverse=True).over(USER_ID)
    # The last visit is what no later visit follows; in the row that starts it, that visit itself is counted.
    is_last = (visits_from_here == 0) | (starts_visit & (visits_from_here == 1))
    returned = starts_visit.any().over(USER_ID)
    positives = (is_last & (pl.col(RATING) >= rule.threshold)).sum().over(USER_ID)
    in_test = is_last & returned & (positives >= rule.positives)
    return Split(train=by_time.filter(~in_test), test=by_time.filter(in_test), left_out=0, moment=None)


def _split_by_time(by_time: pl.DataFrame, rule: SplitRule) -> Split:
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


def _explain_empty(part: str, split: Split, rule: SplitRule) -> str:
    too_few = f"no user has {number_of(rule.positives, 'rating')} of at least {rule.threshold:g}"
    if rule.rule == "next-visit":
        return f"{too_few} in a visit that is not the first one"
    if split.moment is None:
        return too_few if part == "test" else "nobody rated anything before their test part"
    start = format_timestamp(split.moment)
    if part == "train":
        return f"nothing was rated before {start}"
    return f"{too_few} from {start} on" if split.left_out else f"nothing was rated from {start} on"
