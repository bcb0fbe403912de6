"""A synthetic data set in the form of MovieLens, drawn from the following generative process.

1.  Genres. A movie has one to three of MovieLens' 18 genres. Frequent genres are drawn more often, and so are
    genres that are often combined with the first one. Every genre has a random vector of taste factors.
2.  Movies. A movie's factors are the mean of its genres' vectors plus noise. It has a quality and a release
    date: most movies are older than the data, some are released while the data are collected. A few movies
    begin a series: the next part comes later, with the same genres and nearly the same factors. A few movies
    are never rated.
3.  Users. Age, gender and occupation are weakly related to clusters of taste. A user's factors are a mix of
    the clusters plus noise.
4.  Popularity. log w(i, t) is computed for each movie i and each week t. It is normally distributed over the
    movies (a long tail) and higher for good and for recent movies. It rises within weeks of the release and
    decays over months. Genres and movies become more or less fashionable by random walks, and a few movies
    have a revival of some weeks.
5.  Activity. Every user has at least 20 ratings; the others are distributed over the users by log-normal weights.
6.  Visits. A user joins at a uniformly drawn time and rates one page of movies after another. Sometimes a visit
    ends, and the next one begins days, weeks or months later. Many ratings on a page have the same timestamp.
7.  Choice. The k movies on a page are drawn without replacement from the released movies that the user hasn't
    rated yet, with P(i) proportional to
    w(i, t) exp(TASTE_PULL user . i + CONTEXT_PULL context . i + SEQUEL_PULL [i is the sequel of a rated movie]),
    by the Gumbel top-k trick. The context is the mean of the factors of the movies rated in this visit, with
    exponentially decaying weights, so that the next movie depends on the last few. A visit starts without context.
8.  Ratings. The sum of taste, quality, the user's generosity and noise is cut into 1 to 5 stars at fixed
    shares (STAR_SHARES).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from nextreel.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from nextreel.atomic_files import replacing
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic_movies import (
    CLOSES,
    GENRES,
    N_FACTORS,
    OPENS,
    YEAR,
    InventedMovies,
    draw_movies,
)
from nextreel.data.sources.synthetic_users import draw_users
from nextreel.data.table_writer import write_table
from nextreel.data.times import DAY, WEEK
from nextreel.errors import ConfigError, DataError

PROCESS = (__doc__ or "").partition("\n\n")[2]
README, README_TITLE = "README.md", "# A synthetic data set, made by `nextreel sample`"
"""Name and first line of the file that marks a directory as an earlier sample, which may be overwritten."""

LAST_JOIN = CLOSES - WEEK
"""Latest time at which a user joins, a week before the end of the data, so that the last users have time to rate."""

FEWEST_USERS, FEWEST_MOVIES, MOST_MOVIES = 10, 60, 10_000
FEWEST_RATINGS_PER_USER = 20
"""Number of ratings that every user has at least; the same as in MovieLens 1M."""
HIGHEST_DENSITY = 0.5
"""Highest accepted share of (user, movie) pairs with a rating, so that users have movies to choose from."""
HIGHEST_SHARE_OF_CATALOG = 0.7
"""Highest share of the catalog that one user rates; at any time, a larger share of it is released."""

NEVER_RATED = 0.03
"""Share of the movies that nobody rates."""
POPULARITY_SPREAD = 0.5
"""Standard deviation over movies of the part of log popularity that is constant in time."""
QUALITY_IN_POPULARITY = 0.3
"""Added to a movie's log popularity per unit (standard deviation) of its quality."""
LOSS_PER_YEAR = 0.02
"""Log popularity that a movie loses with every year of its age."""
RISE_DAYS, DECAY_DAYS, PREMIERE = 10.0, 60.0, 8.0
"""Time constants in days of the rise after a release and of the decay, and the height of the peak: popularity is
multiplied by up to 1 + PREMIERE."""
FASHION_STEP, DRIFT_STEP = 0.06, 0.1
"""Standard deviations of the weekly steps in the random walks of log popularity, by genre and by movie."""
REVIVED, REVIVAL, REVIVAL_DAYS = 0.05, 2.5, 25.0
"""Share of the movies that have a revival, its height in log popularity, and its standard deviation in days."""

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

TASTE_PULL, CONTEXT_PULL, SEQUEL_PULL = 3.0, 20.0, 2.5
"""Weights of taste, context and sequels in the log probability of a choice. The context weighs most, so that models
of sequences have something to learn."""
CONTEXT_HALF_LIFE = 2.0
"""Number of ratings after which the weight of a movie in the context has halved."""

STAR_SHARES = (0.05, 0.10, 0.28, 0.34, 0.23)
"""Shares of 1 to 5 stars, about those of MovieLens 1M."""
TASTE_IN_RATING, QUALITY_IN_RATING, GENEROSITY, NOISE_IN_RATING = 0.6, 0.5, 0.4, 0.7
"""Standard deviations of taste, quality, the user's generosity and noise, whose sum is cut into 1 to 5 stars."""

USERS_AT_ONCE = 512
"""Number of users whose choices are drawn together: many enough for fast arrays, few enough for little memory."""
TINY = np.float32(1e-30)
"""Added to a random number that may be 0, so that its logarithm is finite."""


@dataclass(frozen=True)
class Sample:
    """A synthetic data set: three tables in the form of their files."""

    interactions: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp, sorted by Timestamp."""
    users: pl.DataFrame
    """UserID, Gender, Age, Occupation, ZipCode, in the form of users.csv."""
    movies: pl.DataFrame
    """MovieID, Title, Genres, in the form of movies.csv."""
    seed: int


@dataclass(frozen=True)
class _Schedule:
    """When each user rates a movie; movies are chosen later. Arrays have one value per rating, by user, then time."""

    user: Int64Array
    timestamp: Int64Array
    opens_page: BoolArray
    """Whether the rating is the first one on its page."""
    opens_visit: BoolArray
    """Whether the rating is the first one of its visit."""


def make_sample(users: int = 2_000, movies: int = 1_000, ratings: int = 150_000, seed: int = 0) -> Sample:
    """Draw a synthetic data set. Equal arguments give equal data sets.

    Parameters
    ----------
    users, movies, ratings : int
        Numbers of users, of movies, and of ratings.
    seed : int
        Seed of all random draws.

    Raises
    ------
    ConfigError
        The sizes don't fit together: every user needs at least 20 ratings, and at most half of all (user, movie) pairs
        can be rated.
    """
    _check_sizes(users, movies, ratings, seed)
    rng = np.random.default_rng(seed)
    genre_vectors = rng.normal(size=(len(GENRES), N_FACTORS))
    catalog = draw_movies(movies, genre_vectors, rng)
    user_frame, taste = draw_users(users, genre_vectors, rng)
    schedule = _draw_visits(_draw_activity(users, movies, ratings, rng), rng)
    chosen = _choose_movies(schedule, taste, catalog, _draw_log_popularity(catalog, rng), rng)
    interactions = pl.DataFrame(
        {
            USER_ID: schedule.user,
            MOVIE_ID: catalog.frame[MOVIE_ID].to_numpy()[chosen],
            RATING: _draw_ratings(schedule.user, chosen, taste, catalog, rng),
            TIMESTAMP: schedule.timestamp,
        }
    ).sort(TIMESTAMP, maintain_order=True)
    return Sample(interactions, user_frame, catalog.frame, seed)


def write_sample(sample: Sample, directory: Path, replace_other: bool = True) -> None:
    """Write ratings_train.csv, users.csv, movies.csv and README.md.

    They replace an earlier sample; without `replace_other`, only one of the same sizes and seed.

    Raises
    ------
    DataError
        The directory has files with these names that aren't a sample, or one that may not be replaced. Nothing is
        written in these cases.
    """
    readme = directory / README
    tables = {
        "ratings_train.csv": sample.interactions,
        "users.csv": sample.users,
        "movies.csv": sample.movies,
    }
    existing = [name for name in (*tables, README) if (directory / name).exists()]
    is_sample = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(
        README_TITLE
    )
    if existing and not is_sample:
        raise DataError(
            f"{directory} already holds {', '.join(existing)}, which `nextreel sample` didn't write; "
            "choose another directory"
        )
    if (
        is_sample
        and not replace_other
        and readme.read_text(encoding="utf-8", errors="replace") != _describe(sample)
    ):
        raise DataError(
            f"{directory} holds another sample, as its {README} says; nothing was written: name another directory, or "
            "replace it with --force"
        )
    # The README is written first, so that an interrupted run can be repeated in the same directory.
    with replacing(readme) as temporary:
        temporary.write_text(_describe(sample), encoding="utf-8")
    for name, frame in tables.items():
        write_table(frame, directory / name)


def _describe(sample: Sample) -> str:
    users, movies, ratings = sample.users.height, sample.movies.height, sample.interactions.height
    return f"""{README_TITLE}

All users, movies and ratings in it are invented. It is meant for trying things out. Figures measured on it
mean nothing about real viewers.

nextreel generated these files, and they are free to use: all rights in them are waived as far as the law allows,
as by CC0 1.0. This command generates them again:

    nextreel sample DIR --users {users} --movies {movies} --ratings {ratings} --seed {sample.seed}

| file | rows | columns |
|---|---|---|
| ratings_train.csv | {ratings:,} | {", ".join(sample.interactions.columns)} |
| users.csv | {users:,} | {", ".join(sample.users.columns)} |
| movies.csv | {movies:,} | {", ".join(sample.movies.columns)} |

Ratings are sorted by Timestamp, in POSIX seconds.

## The generative process

Names in capitals are constants of the module nextreel.data.sources.synthetic_data.

{PROCESS}"""


def _check_sizes(users: int, movies: int, ratings: int, seed: int) -> None:
    if seed < 0:
        raise ConfigError(f"seed: {seed} is negative; choose 0 or more")
    if users < FEWEST_USERS:
        raise ConfigError(f"users: {users:,} is too few; choose at least {FEWEST_USERS}")
    if not FEWEST_MOVIES <= movies <= MOST_MOVIES:
        raise ConfigError(f"movies: {movies:,} is out of range; choose {FEWEST_MOVIES} to {MOST_MOVIES:,}")
    fewest, most = FEWEST_RATINGS_PER_USER * users, int(HIGHEST_DENSITY * users * movies)
    if not fewest <= ratings <= most:
        raise ConfigError(
            f"ratings: {ratings:,} is out of range; {users:,} users and {movies:,} movies can have "
            f"{fewest:,} to {most:,}"
        )


def _draw_activity(users: int, movies: int, ratings: int, rng: np.random.Generator) -> Int64Array:
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


def _draw_visits(activity: Int64Array, rng: np.random.Generator) -> _Schedule:
    n = int(activity.sum())
    start = np.cumsum(activity) - activity
    user = np.repeat(np.arange(len(activity)), activity)
    position = np.arange(n) - start[user]
    opens_visit = (rng.random(n) < VISIT_ENDS) | (position == 0)
    opens_page = opens_visit | (rng.random(n) < PAGE_ENDS) | (position % LONGEST_PAGE == 0)
    in_page = np.where(rng.random(n) < SAME_SECOND, 0, 1 + rng.exponential(SECONDS_IN_PAGE, n))
    between_pages = FEWEST_SECONDS_BETWEEN_PAGES + rng.exponential(SECONDS_BETWEEN_PAGES, n)
    gap = np.where(opens_page, between_pages, in_page)
    gap = np.where(opens_visit, DAY * rng.lognormal(np.log(DAYS_AWAY), DAYS_AWAY_SPREAD, n), gap).round()
    since = np.cumsum(gap)
    since -= since[start][user]
    joined = rng.uniform(OPENS, LAST_JOIN, len(activity))
    # The visits of a user who would rate beyond the end of the data are compressed in time.
    pace = np.minimum(1, (CLOSES - 1 - joined) / np.maximum(since[start + activity - 1], 1))
    timestamp = np.floor(joined[user]) + np.floor(since * pace[user])
    return _Schedule(user, timestamp.astype(np.int64), opens_page, opens_visit)


def _draw_log_popularity(catalog: InventedMovies, rng: np.random.Generator) -> Float32Array:
    """Return float32[n_weeks, n_movies]: log popularity at the start of each week; -inf before the release."""
    n = len(catalog.released)
    week_starts = np.arange(OPENS, CLOSES, WEEK)
    days = np.maximum(week_starts[:, None] - catalog.released, 0) / DAY
    base = POPULARITY_SPREAD * rng.normal(size=n) + QUALITY_IN_POPULARITY * catalog.quality
    premiere = np.log1p(PREMIERE * np.exp(-days / DECAY_DAYS)) - LOSS_PER_YEAR * days * DAY / YEAR
    fashion = np.cumsum(rng.normal(scale=FASHION_STEP, size=(len(week_starts), len(GENRES))), axis=0)
    drift = np.cumsum(rng.normal(scale=DRIFT_STEP, size=days.shape), axis=0)
    revived = rng.uniform(OPENS, CLOSES, n)
    revival = np.exp(-0.5 * ((week_starts[:, None] - revived) / (REVIVAL_DAYS * DAY)) ** 2)
    with np.errstate(divide="ignore"):
        rise = np.log(-np.expm1(-days / RISE_DAYS))
    rateable = np.where(rng.permutation(n) < NEVER_RATED * n, -np.inf, 0)
    popularity: Float64Array = base + drift + premiere + rise + fashion @ catalog.genres.T + rateable
    popularity += np.where(rng.random(n) < REVIVED, REVIVAL, 0) * revival
    return popularity.astype(np.float32)


def _choose_movies(
    schedule: _Schedule,
    taste: Float64Array,
    catalog: InventedMovies,
    log_popularity: Float32Array,
    rng: np.random.Generator,
) -> Int64Array:
    """Return int64[n_ratings]: the movie of each rating. USERS_AT_ONCE users at a time are simulated together."""
    chosen = np.empty(len(schedule.user), dtype=np.int64)
    factors = catalog.factors.astype(np.float32)
    by_factor = np.ascontiguousarray(factors.T)
    page_start = np.flatnonzero(schedule.opens_page)
    page_user = schedule.user[page_start]
    page_size = np.diff(page_start, append=len(schedule.user))
    page_week = (schedule.timestamp[page_start] - OPENS) // WEEK
    page_number = np.arange(len(page_start)) - np.searchsorted(page_user, page_user)
    decay = np.float32(0.5 ** (1 / CONTEXT_HALF_LIFE))
    for first_user in range(0, len(taste), USERS_AT_ONCE):
        next_user = first_user + USERS_AT_ONCE
        liking = (TASTE_PULL * taste[first_user:next_user] @ by_factor).astype(np.float32)
        context = np.zeros((len(liking), N_FACTORS), dtype=np.float32)
        pages = np.arange(*np.searchsorted(page_user, [first_user, next_user]))
        pages = pages[np.lexsort((-page_size[pages], page_number[pages]))]
        for page in np.split(pages, np.flatnonzero(np.diff(page_number[pages])) + 1):
            user = page_user[page] - first_user
            context[user[schedule.opens_visit[page_start[page]]]] = 0
            # einsum, because BLAS would start threads for each of these small products.
            score = np.einsum("uf,fm->um", CONTEXT_PULL * context[user], by_factor)
            score += liking[user]
            score += log_popularity[page_week[page]]
            score -= np.log(rng.standard_exponential(score.shape, dtype=np.float32) + TINY)
            for slot in range(page_size[page[0]]):
                active = np.arange(np.count_nonzero(page_size[page] > slot))
                movie = np.argmax(score[: len(active)], axis=1)
                score[active, movie] = -np.inf
                chosen[page_start[page[active]] + slot] = movie
                chooser = user[active]
                has_sequel = catalog.sequel[movie] >= 0
                liking[chooser[has_sequel], catalog.sequel[movie[has_sequel]]] += SEQUEL_PULL
                liking[chooser, movie] = -np.inf
                context[chooser] += (1 - decay) * (factors[movie] - context[chooser])
    return chosen


def _draw_ratings(
    user: Int64Array,
    movie: Int64Array,
    taste: Float64Array,
    catalog: InventedMovies,
    rng: np.random.Generator,
) -> Int64Array:
    """Return int64[n_ratings]: the stars, 1 to 5, that each user gives to each chosen movie."""
    affinity = np.einsum("ij,ij->i", taste[user], catalog.factors[movie])
    latent = (
        TASTE_IN_RATING * (affinity - affinity.mean()) / affinity.std()
        + QUALITY_IN_RATING * catalog.quality[movie]
        + rng.normal(scale=GENEROSITY, size=len(taste))[user]
        + rng.normal(scale=NOISE_IN_RATING, size=len(user))
    )
    cuts = np.quantile(latent, np.cumsum(STAR_SHARES)[:-1])
    stars: Int64Array = 1 + np.searchsorted(cuts, latent)
    return stars
