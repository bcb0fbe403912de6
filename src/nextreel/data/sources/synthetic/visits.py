"""How many ratings each user of a synthetic data set gives, and when."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nextreel.arrays import BoolArray, Float64Array, Int64Array
from nextreel.data.sources.synthetic.movies import CLOSES, OPENS
from nextreel.data.times import DAY, WEEK
from nextreel.keyed_random import Bits, Key, following_bits, random_bits, to_uniform

LAST_JOIN = CLOSES - WEEK
"""Latest time at which a user joins, a week before the end of the data, so that the last users have time to rate."""
FEWEST_RATINGS_PER_USER = 20
"""Number of ratings that every user has at least; the same as in MovieLens 1M."""
HIGHEST_SHARE_OF_CATALOG = 0.7
"""Highest share of the catalog that one user rates; at any time, a larger share of it is released."""

ACTIVITY_SPREAD = 1.2
"""Standard deviation of the log-normal weights by which ratings are distributed over the users."""
VISIT_ENDS, PAGE_ENDS, LONGEST_PAGE = 1 / 150, 0.3, 8
"""Probability that a visit ends before a rating, the same of a page, and the highest number of ratings on a page."""
SAME_SECOND = 0.4
"""Probability that a rating has the same timestamp as the one before it on the page."""
SECONDS_IN_PAGE, SECONDS_BETWEEN_PAGES, FEWEST_SECONDS_BETWEEN_PAGES = 8.0, 45.0, 2
"""Mean seconds between two ratings on a page, and between two pages; seconds added to each of the latter."""
DAYS_AWAY, DAYS_AWAY_SPREAD = 15.0, 1.5
"""Median number of days between a user's visits, and the standard deviation of that number's logarithm."""


class Draws(Protocol):
    """Where random numbers come from: a generator of numpy, or keys."""

    def random(self, size: int) -> Float64Array:
        """Draw from the uniform distribution over 0 to 1."""

    def exponential(self, scale: float, size: int) -> Float64Array:
        """Draw from an exponential distribution with a mean of `scale`."""

    def lognormal(self, mean: float, sigma: float, size: int) -> Float64Array:
        """Draw numbers whose logarithms are normally distributed."""


class KeyedDraws:
    """Random numbers that depend on a seed and one key for each number alone, and on which call draws them."""

    def __init__(self, seed: int, purpose: str, *keys: Key) -> None:
        self._bits = random_bits(seed, purpose, *keys)
        self._calls = 0

    def random(self, size: int) -> Float64Array:
        """Draw from the uniform distribution over 0 to 1."""
        return to_uniform(self._draw(size))

    def exponential(self, scale: float, size: int) -> Float64Array:
        """Draw from an exponential distribution with a mean of `scale`."""
        drawn: Float64Array = -scale * np.log1p(-self.random(size))
        return drawn

    def normal(self, scale: float, size: int) -> Float64Array:
        """Draw from a normal distribution around 0, by the transform of Box and Muller."""
        bits = self._draw(size)
        radius = np.sqrt(-2 * np.log1p(-to_uniform(bits)))
        # The lower half of the bits, which hardly changes the radius.
        angle = (2 * np.pi * 2.0**-32) * (bits & np.uint64(2**32 - 1)).astype(np.float64)
        drawn: Float64Array = scale * radius * np.cos(angle)
        return drawn

    def lognormal(self, mean: float, sigma: float, size: int) -> Float64Array:
        """Draw numbers whose logarithms are normally distributed."""
        drawn: Float64Array = np.exp(mean + self.normal(sigma, size))
        return drawn

    def _draw(self, size: int) -> Bits:
        if len(self._bits) != size:
            raise ValueError(f"{size} numbers are asked for, and there are {len(self._bits)} keys")
        self._calls += 1
        return following_bits(self._bits, self._calls)


@dataclass(frozen=True)
class Schedule:
    """When each user rates a movie; movies are chosen later. Arrays have one value per rating, by user, then time."""

    user: Int64Array
    """Position of the user among those that the schedule is for."""
    timestamp: Int64Array
    opens_page: BoolArray
    """Whether the rating is the first one on its page."""
    opens_visit: BoolArray
    """Whether the rating is the first one of its visit."""


@dataclass(frozen=True)
class Pages:
    """The pages of a schedule, by user, then time."""

    start: Int64Array
    """Position of the first rating of each page."""
    size: Int64Array
    """Number of ratings on each page."""
    user: Int64Array
    number: Int64Array
    """How many pages of the same user come before."""
    week: Int64Array
    """How many weeks after the beginning of the data the page is seen."""
    opens_visit: BoolArray

    @classmethod
    def of(cls, schedule: Schedule) -> "Pages":
        """Collect the pages of a schedule."""
        start = np.flatnonzero(schedule.opens_page)
        user = schedule.user[start]
        return cls(
            start=start,
            size=np.diff(start, append=len(schedule.user)),
            user=user,
            number=np.arange(len(start)) - np.searchsorted(user, user),
            week=(schedule.timestamp[start] - OPENS) // WEEK,
            opens_visit=schedule.opens_visit[start],
        )

    def in_turns(self, first: int, last: int) -> list[Int64Array]:
        """Return the pages from one to before another: first those that are their users' first, then the second, …

        Within a turn, those with more ratings come first.
        """
        pages = np.arange(first, last)
        pages = pages[np.lexsort((-self.size[pages], self.number[pages]))]
        return np.split(pages, np.flatnonzero(np.diff(self.number[pages])) + 1)


def draw_activity(users: int, movies: int, ratings: int, rng: np.random.Generator) -> Int64Array:
    """Return int64[users]: the number of ratings of each user, which add up to `ratings`."""
    most = int(HIGHEST_SHARE_OF_CATALOG * movies)
    weight = rng.lognormal(sigma=ACTIVITY_SPREAD, size=users)
    activity = np.full(users, FEWEST_RATINGS_PER_USER)
    while remaining := ratings - int(activity.sum()):
        weight = np.where(activity < most, weight, 0)
        share = remaining * weight / weight.sum()
        if remaining < users:
            by_share = np.argsort(-share, kind="stable")[: min(remaining, np.count_nonzero(weight))]
            activity[by_share] += 1
        else:
            activity = np.minimum(activity + np.floor(share).astype(np.int64), most)
    return activity


def draw_visits(activity: Int64Array, of_ratings: Draws, of_users: Draws) -> Schedule:
    """Draw when users rate.

    Parameters
    ----------
    activity : int64[n_users]
        Number of ratings of each user.
    of_ratings, of_users : Draws
        Where the random numbers of each rating, and of each user, come from.
    """
    n = int(activity.sum())
    start = np.cumsum(activity) - activity
    user = np.repeat(np.arange(len(activity)), activity)
    position = np.arange(n) - start[user]
    opens_visit = (of_ratings.random(n) < VISIT_ENDS) | (position == 0)
    opens_page = opens_visit | (of_ratings.random(n) < PAGE_ENDS) | (position % LONGEST_PAGE == 0)
    in_page = np.where(of_ratings.random(n) < SAME_SECOND, 0, 1 + of_ratings.exponential(SECONDS_IN_PAGE, n))
    between_pages = FEWEST_SECONDS_BETWEEN_PAGES + of_ratings.exponential(SECONDS_BETWEEN_PAGES, n)
    gap = np.where(opens_page, between_pages, in_page)
    away = DAY * of_ratings.lognormal(np.log(DAYS_AWAY), DAYS_AWAY_SPREAD, n)
    gap = np.where(opens_visit, away, gap).round()
    since = np.cumsum(gap)
    since -= since[start][user]
    joined = OPENS + (LAST_JOIN - OPENS) * of_users.random(len(activity))
    # The visits of a user who would rate beyond the end of the data are compressed in time.
    pace = np.minimum(1, (CLOSES - 1 - joined) / np.maximum(since[start + activity - 1], 1))
    timestamp = np.floor(joined[user]) + np.floor(since * pace[user])
    return Schedule(user, timestamp.astype(np.int64), opens_page, opens_visit)
