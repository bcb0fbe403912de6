"""Which movies the users of a synthetic data set rate, each chosen among all of the catalog."""

import numpy as np

from nextreel.arrays import Float32Array, Float64Array, Int64Array
from nextreel.data.sources.synthetic.movies import N_FACTORS, InventedMovies
from nextreel.data.sources.synthetic.visits import Pages, Schedule

TASTE_PULL, CONTEXT_PULL, SEQUEL_PULL = 3.0, 20.0, 2.5
"""Weights of taste, context and sequels in the log probability of a choice. The context weighs most, so that models
of sequences have something to learn."""
CONTEXT_HALF_LIFE = 2.0
"""Number of ratings after which the weight of a movie in the context has halved."""
CONTEXT_DECAY = np.float32(0.5 ** (1 / CONTEXT_HALF_LIFE))
"""What remains of a movie's weight in the context after one more rating."""

USERS_AT_ONCE = 512
"""Number of users whose choices are drawn together: many enough for fast arrays, few enough for little memory."""
SCORES_AT_ONCE = 2**17
"""About the number of scores that are computed together: few enough for the caches of a processor."""
TINY = np.float32(1e-30)
"""Added to a random number that may be 0, so that its logarithm is finite."""


def choose_movies(
    schedule: Schedule,
    taste: Float64Array,
    catalog: InventedMovies,
    log_popularity: Float32Array,
    rng: np.random.Generator,
) -> Int64Array:
    """Return int64[n_ratings]: the movie of each rating. USERS_AT_ONCE users at a time are simulated together."""
    chosen = np.empty(len(schedule.user), dtype=np.int64)
    factors = catalog.factors.astype(np.float32)
    by_factor = np.ascontiguousarray(factors.T)
    pages = Pages.of(schedule)
    pages_at_once = max(1, SCORES_AT_ONCE // len(factors))
    for first_user in range(0, len(taste), USERS_AT_ONCE):
        next_user = first_user + USERS_AT_ONCE
        liking = (TASTE_PULL * taste[first_user:next_user] @ by_factor).astype(np.float32)
        context = np.zeros((len(liking), N_FACTORS), dtype=np.float32)
        for turn in pages.in_turns(*np.searchsorted(pages.user, [first_user, next_user])):
            for first in range(0, len(turn), pages_at_once):
                page = turn[first : first + pages_at_once]
                user, size = pages.user[page] - first_user, pages.size[page]
                context[user[pages.opens_visit[page]]] = 0
                # einsum, because BLAS would start threads for each of these small products.
                score = np.einsum("uf,fm->um", CONTEXT_PULL * context[user], by_factor)
                score += liking[user]
                score += log_popularity[pages.week[page]]
                score -= np.log(rng.standard_exponential(score.shape, dtype=np.float32) + TINY)
                for slot in range(size[0]):
                    active = np.arange(np.count_nonzero(size > slot))
                    movie = np.argmax(score[: len(active)], axis=1)
                    score[active, movie] = -np.inf
                    chosen[pages.start[page[active]] + slot] = movie
                    chooser = user[active]
                    has_sequel = catalog.sequel[movie] >= 0
                    liking[chooser[has_sequel], catalog.sequel[movie[has_sequel]]] += SEQUEL_PULL
                    liking[chooser, movie] = -np.inf
                    context[chooser] += (1 - CONTEXT_DECAY) * (factors[movie] - context[chooser])
    return chosen
