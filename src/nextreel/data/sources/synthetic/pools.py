"""Which movies the users of a large synthetic data set rate, each chosen from the pool that its page shows."""

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from nextreel.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from nextreel.data.sources.synthetic.choices import CONTEXT_DECAY, CONTEXT_PULL, SEQUEL_PULL, TASTE_PULL
from nextreel.data.sources.synthetic.movies import N_FACTORS, InventedMovies
from nextreel.data.sources.synthetic.visits import Pages, Schedule
from nextreel.keyed_random import uniform

POOL = 256
"""Number of movies that a page shows."""
MOST_SHOWN = 1_000
"""Highest number of movies of which a page shows all: users may rate most of so few."""
PLACES_PER_MOVIE = 3
"""Lowest mean number of a movie's places in a week's table, in which its number of places stands for its popularity."""
NOISES = 2**20
"""Number of draws from the Gumbel distribution, of which each page uses some in a row."""
PAGES_AT_ONCE = 128
"""Number of pages that are looked at together: few enough for the caches of a processor."""

UInt8Array = npt.NDArray[np.uint8]
NEW, NEXT, RATED = 0, 1, 2
"""What a movie is to a user: NEXT is a sequel of a movie that the user has rated."""
PULLS = np.array([0, SEQUEL_PULL, -np.inf], dtype=np.float32)
"""What that adds to the log probability of a choice."""


class PooledChoice:
    """Draws the choices of some users. What is drawn for a user doesn't depend on which other users there are."""

    def __init__(
        self, catalog: InventedMovies, log_popularity: Float32Array, rng: np.random.Generator, seed: int
    ) -> None:
        self._seed, self._log_popularity, self._sequel = seed, log_popularity, catalog.sequel
        self._factors = catalog.factors.astype(np.float32)
        n_weeks, n_movies = log_popularity.shape
        self._shows_all = n_movies <= MOST_SHOWN
        # int32[n_weeks, n_starts, n_shown]: what a page shows, given where on the shelf of its week that begins.
        self._shelves = (
            np.broadcast_to(np.arange(n_movies, dtype=np.int32), (n_weeks, 1, n_movies))
            if self._shows_all
            else sliding_window_view(_fill_shelves(log_popularity, rng), POOL, axis=1)
        )
        n_shown = self._shelves.shape[2]
        self._noise = sliding_window_view(rng.gumbel(size=NOISES + n_shown).astype(np.float32), n_shown)

    def choose(self, users: Int64Array, taste: Float64Array, schedule: Schedule) -> Int32Array:
        """Return int32[n_ratings]: the movie of each rating.

        Parameters
        ----------
        users : int64[n_users]
            The users' ids, which key the draws.
        taste : float64[n_users, N_FACTORS]
            Their tastes.
        schedule : Schedule
            When they rate.
        """
        chosen = np.empty(len(schedule.user), dtype=np.int32)
        pages = Pages.of(schedule)
        key = users[pages.user], pages.number
        shelf_start, noise_start = (
            (uniform(self._seed, use, *key) * n).astype(np.int64)
            for use, n in (("shelf", self._shelves.shape[1]), ("noise", NOISES))
        )
        viewers = _Viewers(taste, self._factors, self._sequel)
        factors = np.empty((PAGES_AT_ONCE, self._shelves.shape[2], N_FACTORS), dtype=np.float32)
        for turn in pages.in_turns(0, len(pages.start)):
            for first in range(0, len(turn), PAGES_AT_ONCE):
                page = turn[first : first + PAGES_AT_ONCE]
                user, week, size = pages.user[page], pages.week[page], pages.size[page]
                wish = viewers.wish(user, pages.opens_visit[page])
                movies = self._shelves[week, shelf_start[page]]
                shown = np.take(self._factors, movies, axis=0, out=factors[: len(page)], mode="clip")
                score = np.einsum("pmf,pf->pm", shown, wish)
                score += viewers.pull(user[:, None], movies)
                score += self._noise[noise_start[page]]
                if self._shows_all:
                    score += self._log_popularity[week]
                picks, is_missing = _pick(movies, score, size)
                for at, slot in zip(*np.nonzero(is_missing), strict=True):
                    score_of_all = self._factors @ wish[at] + self._log_popularity[week[at]]
                    score_of_all += viewers.pull(user[at], np.arange(len(self._factors)))
                    score_of_all[picks[at, :slot]] = -np.inf
                    noise = self._draw_noise(users[user[at]], pages.number[page[at]], slot)
                    picks[at, slot] = np.argmax(score_of_all + noise)
                at, slot = np.nonzero(np.arange(size[0]) < size[:, None])
                chosen[pages.start[page[at]] + slot] = picks[at, slot]
                viewers.rate(user, picks, size)
        return chosen

    def _draw_noise(self, *key: int) -> Float64Array:
        """Draw from the Gumbel distribution for each movie, for a page that shows too few that aren't rated."""
        drawn = uniform(self._seed, "any movie", *key, np.arange(len(self._factors)))
        noise: Float64Array = -np.log(-np.log(drawn + 1e-300))
        return noise


class _Viewers:
    """What some users like, and what they have rated until now."""

    def __init__(self, taste: Float64Array, factors: Float32Array, sequel: Int64Array) -> None:
        self._liking = (TASTE_PULL * taste).astype(np.float32)
        self._context = np.zeros((len(taste), N_FACTORS), dtype=np.float32)
        self._relation = np.full((len(taste), len(factors)), NEW, dtype=np.uint8)
        self._factors, self._sequel = factors, sequel

    def wish(self, user: Int64Array, opens_visit: BoolArray) -> Float32Array:
        """Return float32[n_pages, N_FACTORS]: what users look for on their next pages; visits begin without context."""
        self._context[user[opens_visit]] = 0
        wish: Float32Array = CONTEXT_PULL * self._context[user] + self._liking[user]
        return wish

    def pull(
        self, user: npt.NDArray[np.integer] | np.integer, movies: npt.NDArray[np.integer]
    ) -> Float32Array:
        """Return what earlier ratings of users add to the log probabilities of movies."""
        return PULLS.take(self._relation.take(user * len(self._factors) + movies))

    def rate(self, user: Int64Array, picks: Int32Array, size: Int64Array) -> None:
        """Remember the movies that each user has picked from a page: the first `size` of its `picks`."""
        page, slot = np.nonzero(np.arange(picks.shape[1]) < size[:, None])
        rater, movie = user[page], picks[page, slot]
        sequel = self._sequel[movie]
        followed = rater[sequel >= 0], sequel[sequel >= 0]
        self._relation[followed] = np.maximum(self._relation[followed], NEXT)
        self._relation[rater, movie] = RATED
        weight = np.zeros(picks.shape, dtype=np.float32)
        weight[page, slot] = (1 - CONTEXT_DECAY) * CONTEXT_DECAY ** (size[page] - 1 - slot)
        self._context[user] *= (CONTEXT_DECAY**size)[:, None]
        self._context[user] += np.einsum("ps,psf->pf", weight, self._factors[picks])


def _pick(movies: Int32Array, score: Float32Array, size: Int64Array) -> tuple[Int32Array, BoolArray]:
    """Return int32[n_pages, n_slots], bool[n_pages, n_slots]: movies of each page, best first, and where none is left.

    Sizes, the numbers of movies to pick, are in descending order; picks beyond them mean nothing. Scores are changed.
    """
    picks = np.zeros((len(size), size[0]), dtype=np.int32)
    is_missing = np.zeros(picks.shape, dtype=np.bool_)
    first = np.arange(len(size)) * movies.shape[1]
    for slot in range(size[0]):
        n = np.count_nonzero(size > slot)
        place = score[:n].argmax(axis=1) + first[:n]
        movie = movies.take(place)
        picks[:n, slot] = movie
        is_missing[:n, slot] = np.isneginf(score.take(place))
        # A page may show a movie several times.
        np.putmask(score[:n], movies[:n] == movie[:, None], -np.inf)
    return picks, is_missing


def _fill_shelves(log_popularity: Float32Array, rng: np.random.Generator) -> Int32Array:
    """Return int32[n_weeks, n_places]: movies in random order, each the more often the more popular it is."""
    n_weeks, n_movies = log_popularity.shape
    n_places = PLACES_PER_MOVIE * n_movies + POOL
    movies = np.empty((n_weeks, n_places), dtype=np.int32)
    for week in range(n_weeks):
        share = np.cumsum(np.exp(log_popularity[week], dtype=np.float64))
        # Random rounding makes the number of places right on average.
        ends = np.minimum(share / share[-1] * n_places + rng.random(), n_places).astype(np.int64)
        ends[-1] = n_places
        movies[week] = np.repeat(np.arange(n_movies, dtype=np.int32), np.diff(ends, prepend=0))
        rng.shuffle(movies[week])
    return movies
