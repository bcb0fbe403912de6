"""A synthetic data set in the shape of MovieLens, from a stated generative process.

1.  Genres. A movie has one to three of MovieLens' 18 genres, the frequent ones more often, and a second or
    third one is likelier where it goes well with the first. Every genre is a random vector of taste.
2.  Movies. A movie's factors are the mean of its genres' vectors plus noise of its own. It has a quality and
    a release date: most are older than the data, some fall inside its window. A few movies begin a series:
    part II comes later, with the same genres and nearly the same factors. A few movies are never rated.
3.  Users. Age, gender and occupation lean weakly towards clusters of taste; a user's factors are a mix of
    the clusters plus noise.
4.  Popularity. log w(i, t) is normal over movies (a long tail), higher for quality and recent years. It rises
    within weeks of the release and decays over months, genres and movies come in and out of fashion by random
    walks, and a few movies have a revival of some weeks. It is computed week by week.
5.  Activity. A user has 20 ratings and a log-normal share of all others.
6.  Visits. A user joins at a uniform moment and rates page after page; now and then a visit ends and the next
    one begins days, weeks or months later. On a page, many ratings share their second.
7.  Choice. A page of k movies is drawn without replacement from the released, unseen movies with
    P(i) proportional to
    w(i, t) exp(TASTE_PULL user . i + CONTEXT_PULL context . i + SEQUEL_PULL [i follows a movie seen]),
    by the Gumbel top-k trick. The context is the mean of the factors rated in this visit, with exponentially
    fading weights, so the next movie depends on the last few; a new visit begins without one.
8.  Ratings. taste + quality + the user's generosity + noise, cut into 1 to 5 stars at fixed shares
    (STAR_SHARES).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from nextreel.arrays import BoolArray, Int64Array
from nextreel.atomic_files import replacing
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.sources.synthetic_movies import (
    CLOSES,
    GENRES,
    N_FACTORS,
    OPENS,
    YEAR,
    Floats,
    InventedMovies,
    draw_movies,
    mix_factors,
)
from nextreel.data.table_writer import write_table
from nextreel.data.times import DAY, WEEK
from nextreel.errors import ConfigError, DataError

Singles = npt.NDArray[np.float32]

PROCESS = (__doc__ or "").partition("\n\n")[2]
README, README_TITLE = "README.md", "# A synthetic data set, made by `nextreel sample`"

LAST_JOIN = CLOSES - WEEK

FEWEST_USERS, FEWEST_MOVIES, MOST_MOVIES = 10, 60, 10_000
FEWEST_RATINGS_PER_USER = 20
HIGHEST_DENSITY = 0.5
HIGHEST_SHARE_OF_CATALOG = 0.7
"""The part of the catalog that one user can rate; more than this is released and listed at any moment."""

N_CLUSTERS = 12
OWN_SHARE_OF_USER = 0.35
LEANING_SPREAD, DEMOGRAPHIC_LEANING = 1.5, 0.6

NEVER_RATED = 0.03
REVIVED = 0.05
POPULARITY_SPREAD = 0.5
QUALITY_IN_POPULARITY = 0.3
LOSS_PER_YEAR = 0.02
RISE_DAYS, DECAY_DAYS, PREMIERE = 10.0, 60.0, 8.0
FASHION_STEP, DRIFT_STEP = 0.06, 0.1
REVIVAL, REVIVAL_DAYS = 2.5, 25.0

ACTIVITY_SPREAD = 1.2
VISIT_ENDS, PAGE_ENDS, LONGEST_PAGE = 1 / 150, 0.3, 8
SAME_SECOND = 0.4
SECONDS_IN_PAGE, SECONDS_BETWEEN_PAGES = 8.0, 45.0
DAYS_AWAY, DAYS_AWAY_SPREAD = 15.0, 1.5

TASTE_PULL, CONTEXT_PULL, SEQUEL_PULL = 3.0, 20.0, 2.5
CONTEXT_HALF_LIFE = 2.0
"""In movies."""

USERS_AT_ONCE = 512
TINY = np.float32(1e-30)
"""Keeps the logarithm of a random number of exactly 0 finite."""

STAR_SHARES = (0.05, 0.10, 0.28, 0.34, 0.23)
TASTE_IN_RATING, QUALITY_IN_RATING, GENEROSITY, NOISE_IN_RATING = 0.6, 0.5, 0.4, 0.7

AGES = {1: 220, 18: 1100, 25: 2100, 35: 1190, 45: 550, 50: 500, 56: 380}
"""MovieLens' age codes and how often each occurs, relative to the others."""
OCCUPATIONS = (71, 53, 27, 17, 76, 11, 24, 68, 2, 9, 20, 13, 39, 14, 30, 14, 24, 50, 7, 7, 28)
"""How often each of MovieLens' codes 0 to 20 occurs, relative to the others."""
PUPIL, PUPILS_AMONG_CHILDREN = 10, 0.8
MEN, ZIP_PLUS_4 = 0.72, 0.02


@dataclass(frozen=True)
class Sample:
    """Three tables in the form of their files."""

    interactions: pl.DataFrame
    """UserID, MovieID, Rating, Timestamp; sorted by Timestamp."""
    users: pl.DataFrame
    """UserID, Gender, Age, Occupation, ZipCode."""
    movies: pl.DataFrame
    """MovieID, Title, Genres."""
    seed: int


@dataclass(frozen=True)
class _Plan:
    """When each user rates, before it is known what; rows in order of (user, time)."""

    user: Int64Array
    timestamp: Int64Array
    opens_page: BoolArray
    opens_visit: BoolArray


def make_sample(users: int = 2_000, movies: int = 1_000, ratings: int = 150_000, seed: int = 0) -> Sample:
    """Draw a data set; the same arguments give the same one.

    Raises ConfigError for sizes that can't be had together: every user has at least 20 ratings, and at most
    half of all (user, movie) pairs are rated.
    """
    _check_sizes(users, movies, ratings, seed)
    rng = np.random.default_rng(seed)
    genre_vectors = rng.normal(size=(len(GENRES), N_FACTORS))
    catalog = draw_movies(movies, genre_vectors, rng)
    user_frame, taste = _draw_users(users, genre_vectors, rng)
    plan = _plan_visits(_draw_activity(users, movies, ratings, rng), rng)
    chosen = _choose_movies(plan, taste, catalog, _draw_log_popularity(catalog, rng), rng)
    interactions = pl.DataFrame(
        {
            USER_ID: plan.user,
            MOVIE_ID: catalog.frame[MOVIE_ID].to_numpy()[chosen],
            RATING: _draw_ratings(plan.user, chosen, taste, catalog, rng),
            TIMESTAMP: plan.timestamp,
        }
    ).sort(TIMESTAMP, maintain_order=True)
    return Sample(interactions, user_frame, catalog.frame, seed)


def write_sample(sample: Sample, directory: Path) -> None:
    """Write ratings_train.csv, users.csv, movies.csv and README.md, in place of an earlier sample there.

    Raises DataError, and writes nothing, if the directory holds files of these names from elsewhere.
    """
    readme = directory / README
    tables = {
        "ratings_train.csv": sample.interactions,
        "users.csv": sample.users,
        "movies.csv": sample.movies,
    }
    present = [name for name in (*tables, README) if (directory / name).exists()]
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(README_TITLE)
    if present and not ours:
        raise DataError(
            f"{directory}: {', '.join(present)} already there, and not made by `nextreel sample`; "
            "choose another directory"
        )
    # The README goes first: it is what lets an interrupted run be repeated.
    with replacing(readme) as temporary:
        temporary.write_text(_describe(sample), encoding="utf-8")
    for name, frame in tables.items():
        write_table(frame, directory / name)


def _describe(sample: Sample) -> str:
    users, movies, ratings = sample.users.height, sample.movies.height, sample.interactions.height
    return f"""{README_TITLE}

Everything in it is invented: no person, movie or rating is real. It is there to try things out. Figures
measured on it mean nothing about real viewers.

Made by nextreel, free to use: all rights in these files are waived, as far as the law allows (as by CC0 1.0).
To make them again:

    nextreel sample DIR --users {users} --movies {movies} --ratings {ratings} --seed {sample.seed}

| file | rows | columns |
|---|---|---|
| ratings_train.csv | {ratings:,} | {", ".join(sample.interactions.columns)} |
| users.csv | {users:,} | {", ".join(sample.users.columns)} |
| movies.csv | {movies:,} | {", ".join(sample.movies.columns)} |

Ratings are sorted by Timestamp, which is in POSIX seconds.

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


def _draw_users(n: int, genre_vectors: Floats, rng: np.random.Generator) -> tuple[pl.DataFrame, Floats]:
    """The table of users and their factors: float64[n, N_FACTORS], unit vectors."""
    age = rng.choice(len(AGES), size=n, p=_shares(list(AGES.values())))
    man = rng.random(n) < MEN
    occupation = rng.choice(len(OCCUPATIONS), size=n, p=_shares(OCCUPATIONS))
    occupation[(age == 0) & (rng.random(n) < PUPILS_AMONG_CHILDREN)] = PUPIL
    leaning = rng.normal(scale=LEANING_SPREAD, size=(n, N_CLUSTERS))
    for groups, member in ((len(AGES), age), (2, man.astype(np.int64)), (len(OCCUPATIONS), occupation)):
        leaning += rng.normal(scale=DEMOGRAPHIC_LEANING, size=(groups, N_CLUSTERS))[member]
    clusters = rng.dirichlet(np.full(len(genre_vectors), 0.3), size=N_CLUSTERS) @ genre_vectors
    taste = mix_factors(np.exp(leaning) @ clusters, OWN_SHARE_OF_USER, rng)
    plus_4 = np.where(rng.random(n) < ZIP_PLUS_4, rng.integers(1, 10_000, n), 0)
    frame = pl.DataFrame(
        {
            USER_ID: np.arange(n),
            "Gender": np.where(man, "M", "F"),
            "Age": np.array(list(AGES))[age],
            "Occupation": occupation,
            "ZipCode": [
                f"{zip_:05d}-{more:04d}" if more else f"{zip_:05d}"
                for zip_, more in zip(rng.integers(1_000, 100_000, n), plus_4, strict=True)
            ],
        }
    )
    return frame, taste


def _shares(frequencies: list[int] | tuple[int, ...]) -> Floats:
    return np.array(frequencies) / sum(frequencies)


def _draw_activity(users: int, movies: int, ratings: int, rng: np.random.Generator) -> Int64Array:
    """int64[users]: how many ratings each user has, exactly `ratings` in all."""
    most = int(HIGHEST_SHARE_OF_CATALOG * movies)
    weight = rng.lognormal(sigma=ACTIVITY_SPREAD, size=users)
    activity = np.full(users, FEWEST_RATINGS_PER_USER)
    while left := ratings - int(activity.sum()):
        weight = np.where(activity < most, weight, 0)
        share = left * weight / weight.sum()
        if left < users:
            by_share = np.argsort(-share, kind="stable")[: min(left, np.count_nonzero(weight))]
            activity[by_share] += 1
        else:
            activity = np.minimum(activity + np.floor(share).astype(np.int64), most)
    return activity


def _plan_visits(activity: Int64Array, rng: np.random.Generator) -> _Plan:
    n = int(activity.sum())
    start = np.cumsum(activity) - activity
    user = np.repeat(np.arange(len(activity)), activity)
    position = np.arange(n) - start[user]
    opens_visit = (rng.random(n) < VISIT_ENDS) | (position == 0)
    opens_page = opens_visit | (rng.random(n) < PAGE_ENDS) | (position % LONGEST_PAGE == 0)
    in_page = np.where(rng.random(n) < SAME_SECOND, 0, 1 + rng.exponential(SECONDS_IN_PAGE, n))
    gap = np.where(opens_page, 2 + rng.exponential(SECONDS_BETWEEN_PAGES, n), in_page)
    gap = np.where(opens_visit, DAY * rng.lognormal(np.log(DAYS_AWAY), DAYS_AWAY_SPREAD, n), gap).round()
    since = np.cumsum(gap)
    since -= since[start][user]
    joined = rng.uniform(OPENS, LAST_JOIN, len(activity))
    # Whoever would go on after the data end comes back sooner instead.
    pace = np.minimum(1, (CLOSES - 1 - joined) / np.maximum(since[start + activity - 1], 1))
    timestamp = np.floor(joined[user]) + np.floor(since * pace[user])
    return _Plan(user, timestamp.astype(np.int64), opens_page, opens_visit)


def _draw_log_popularity(catalog: InventedMovies, rng: np.random.Generator) -> Singles:
    """float32[n_weeks, n_movies]: at the beginning of each week of the data; -inf before the release."""
    n = len(catalog.released)
    moments = np.arange(OPENS, CLOSES, WEEK)
    days = np.maximum(moments[:, None] - catalog.released, 0) / DAY
    base = POPULARITY_SPREAD * rng.normal(size=n) + QUALITY_IN_POPULARITY * catalog.quality
    premiere = np.log1p(PREMIERE * np.exp(-days / DECAY_DAYS)) - LOSS_PER_YEAR * days * DAY / YEAR
    fashion = np.cumsum(rng.normal(scale=FASHION_STEP, size=(len(moments), len(GENRES))), axis=0)
    drift = np.cumsum(rng.normal(scale=DRIFT_STEP, size=days.shape), axis=0)
    revived = rng.uniform(OPENS, CLOSES, n)
    revival = np.exp(-0.5 * ((moments[:, None] - revived) / (REVIVAL_DAYS * DAY)) ** 2)
    with np.errstate(divide="ignore"):
        rise = np.log(-np.expm1(-days / RISE_DAYS))
    listed = np.where(rng.permutation(n) < NEVER_RATED * n, -np.inf, 0)
    popularity: Floats = base + drift + premiere + rise + fashion @ catalog.genres.T + listed
    popularity += np.where(rng.random(n) < REVIVED, REVIVAL, 0) * revival
    single: Singles = popularity.astype(np.float32)
    return single


def _choose_movies(
    plan: _Plan,
    taste: Floats,
    catalog: InventedMovies,
    log_popularity: Singles,
    rng: np.random.Generator,
) -> Int64Array:
    """int64[n_rows]: the movie of each row; all users of a block fill their next page at the same time."""
    chosen = np.empty(len(plan.user), dtype=np.int64)
    factors = catalog.factors.astype(np.float32)
    by_factor = np.ascontiguousarray(factors.T)
    page_start = np.flatnonzero(plan.opens_page)
    page_user = plan.user[page_start]
    page_size = np.diff(page_start, append=len(plan.user))
    page_week = (plan.timestamp[page_start] - OPENS) // WEEK
    page_number = np.arange(len(page_start)) - np.searchsorted(page_user, page_user)
    fade = np.float32(0.5 ** (1 / CONTEXT_HALF_LIFE))
    for first_user in range(0, len(taste), USERS_AT_ONCE):
        next_user = first_user + USERS_AT_ONCE
        liking = (TASTE_PULL * taste[first_user:next_user] @ by_factor).astype(np.float32)
        context = np.zeros((len(liking), N_FACTORS), dtype=np.float32)
        pages = np.arange(*np.searchsorted(page_user, [first_user, next_user]))
        pages = pages[np.lexsort((-page_size[pages], page_number[pages]))]
        for page in np.split(pages, np.flatnonzero(np.diff(page_number[pages])) + 1):
            user = page_user[page] - first_user
            context[user[plan.opens_visit[page_start[page]]]] = 0
            # einsum, as BLAS would start threads for each of these small products.
            score = np.einsum("uf,fm->um", CONTEXT_PULL * context[user], by_factor)
            score += liking[user]
            score += log_popularity[page_week[page]]
            score -= np.log(rng.standard_exponential(score.shape, dtype=np.float32) + TINY)
            for slot in range(page_size[page[0]]):
                filling = np.arange(np.count_nonzero(page_size[page] > slot))
                movie = np.argmax(score[: len(filling)], axis=1)
                score[filling, movie] = -np.inf
                chosen[page_start[page[filling]] + slot] = movie
                chooser = user[filling]
                begins = catalog.sequel[movie] >= 0
                liking[chooser[begins], catalog.sequel[movie[begins]]] += SEQUEL_PULL
                liking[chooser, movie] = -np.inf
                context[chooser] += (1 - fade) * (factors[movie] - context[chooser])
    return chosen


def _draw_ratings(
    user: Int64Array, movie: Int64Array, taste: Floats, catalog: InventedMovies, rng: np.random.Generator
) -> Int64Array:
    """int64[n_rows]: 1 to 5 stars."""
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
