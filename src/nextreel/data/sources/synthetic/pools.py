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
        self._seed, self._log_popularity = seed, log_popularity
        n_weeks, n_movies = log_popularity.shape
        self._shows_all = n_movies <= MOST_SHOWN
        if self._shows_all:
            self._shelves = np.broadcast_to(np.arange(n_movies, dtype=np.int32), (n_weeks, 1, n_movies))
        else:
            self._shelves = sliding_window_view(_fill_shelves(log_popularity, rng), POOL, axis=1)
        """int32[n_weeks, n_starts, n_shown]: what a page shows, given where on the shelf of its week that begins."""
        n_shown = self._shelves.shape[2]
        self._noise = sliding_window_view(rng.gumbel(size=NOISES + n_shown).astype(np.float32), n_shown)
        self._factors = catalog.factors.astype(np.float32)
        self._sequel = catalog.sequel

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
        first_place, first_noise = (
            (uniform(self._seed, use, *key) * n).astype(np.int64)
            for use, n in (("shelf", self._shelves.shape[1]), ("noise", NOISES))
        )
        liking = (TASTE_PULL * taste).astype(np.float32)
        context = np.zeros((len(users), N_FACTORS), dtype=np.float32)
        relation = np.full((len(users), len(self._factors)), NEW, dtype=np.uint8)
        shown = np.empty((PAGES_AT_ONCE, self._shelves.shape[2], N_FACTORS), dtype=np.float32)
        for turn in pages.in_turns(0, len(pages.start)):
            for first in range(0, len(turn), PAGES_AT_ONCE):
                page = turn[first : first + PAGES_AT_ONCE]
                user, week, size = pages.user[page], pages.week[page], pages.size[page]
                context[user[pages.opens_visit[page]]] = 0
                wish = CONTEXT_PULL * context[user] + liking[user]
                movies = self._shelves[week, first_place[page]]
                factors = np.take(self._factors, movies, axis=0, out=shown[: len(page)], mode="clip")
                score = np.einsum("pmf,pf->pm", factors, wish)
                score += self._noise[first_noise[page]]
                if self._shows_all:
                    score += self._log_popularity[week]
                score += PULLS.take(relation.take(movies + user[:, None] * len(self._factors)))
                picks, is_missing = _pick(movies, score, size)
                for at, slot in zip(*np.nonzero(is_missing), strict=True):
                    self._remember(relation, np.full(slot, user[at]), picks[at, :slot])
                    which = (*(k[page[at]] for k in key), slot)
                    picks[at, slot] = self._choose_from_all(wish[at], week[at], relation[user[at]], which)
                at, slot = np.nonzero(np.arange(size[0]) < size[:, None])
                movie = picks[at, slot]
                self._remember(relation, user[at], movie)
                chosen[pages.start[page[at]] + slot] = movie
                weight = np.zeros(picks.shape, dtype=np.float32)
                weight[at, slot] = (1 - CONTEXT_DECAY) * CONTEXT_DECAY ** (size[at] - 1 - slot)
                context[user] *= (CONTEXT_DECAY**size)[:, None]
                context[user] += np.einsum("ps,psf->pf", weight, self._factors[picks])
        return chosen

    def _choose_from_all(
        self, wish: Float32Array, week: int, relation: UInt8Array, key: tuple[int, int, int]
    ) -> int:
        """Choose a movie among all that a user hasn't rated, for a page that doesn't show enough of them."""
        noise = -np.log(-np.log(uniform(self._seed, "any movie", *key, np.arange(len(relation))) + 1e-300))
        score = self._factors @ wish + self._log_popularity[week] + PULLS[relation] + noise
        return int(np.argmax(score))

    def _remember(self, relation: UInt8Array, user: Int64Array, movie: Int32Array) -> None:
        sequel = self._sequel[movie]
        has_sequel = sequel >= 0
        next_ = user[has_sequel], sequel[has_sequel]
        relation[next_] = np.maximum(relation[next_], NEXT)
        relation[user, movie] = RATED


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
