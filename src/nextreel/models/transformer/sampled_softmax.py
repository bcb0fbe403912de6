"""Candidates of the sampled softmax, for catalogs in which the softmax over all movies would take too long.

In each step some movies are drawn by their smoothed popularity. Together with the labels of the batch they are the
candidates, which all queries of the batch share: for a query, the candidates that are neither its labels nor in its
history are its negatives. With p_i the probability that movie i is a candidate of a step, the sum of exp(logit_i) / p_i
over the negatives has the sum over all movies as its expected value (Horvitz & Thompson, JASA 1952), so log p_i is
subtracted from the logit of a negative; this is the logQ correction of in-batch negatives (Yi et al., RecSys 2019). The
logit of a query's own label isn't corrected, because the label is always among the candidates (Khrylchenko et al.,
"Correcting the LogQ Correction", RecSys 2025). Petrov & Macdonald ("gSASRec", RecSys 2023) show how overconfident a
model becomes that is trained on few uncorrected negatives.

A step touches only the movies of its batch: the candidates and those in the windows. They are numbered anew, from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nextreel.arrays import Float64Array, Int64Array
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.labels import Part
from nextreel.models.transformer.network import HIDDEN
from nextreel.models.transformer.window_batches import tensors_to

FULL_SOFTMAX_MOVIES = 10_000
"""Largest catalog for which the softmax is over all movies by default: there it takes about as long as the network."""
NEGATIVES = 2048
"""Number of movies drawn in each step for a larger catalog."""
SMOOTHING = 0.75
"""Exponent of a movie's number of interactions in the probability of its being drawn, as in word2vec: rare movies are
drawn more often than they are rated."""
CANDIDATE_GRID = 512
"""The number of candidates is padded to a multiple of this, so that batches have few different shapes."""


@dataclass(frozen=True)
class StepMovies:
    """The movies that a step touches, the candidates first."""

    movies: Tensor
    """int64[n_touched]: index of each touched movie in the catalog; all are different."""
    log_probability: Tensor
    """float32[at least n_candidates]: log of the probability that the movie is a candidate; then padding, which gives
    its candidates the logit HIDDEN."""
    n_candidates: int
    """Number of candidates; these are the first of `movies`."""

    def pad_candidates(self, rows: Tensor) -> Tensor:
        """Return the candidates' rows of [n_touched, ...], padded with zeros to the length of `log_probability`."""
        n_padding = len(self.log_probability) - self.n_candidates
        return torch.cat([rows[: self.n_candidates], rows.new_zeros(n_padding, *rows.shape[1:])])

    def to(self, device: torch.device) -> Self:
        return tensors_to(self, device)


class CandidateSampler:
    """Draws the candidates of each step, and numbers the movies that the step touches anew."""

    def __init__(self, popularity: Int64Array, n_drawn: int) -> None:
        """`popularity`, int64[n_movies], is each movie's number of interactions."""
        smoothed = (popularity + 1.0) ** SMOOTHING
        self.n_drawn, self.n_movies = n_drawn, len(popularity)
        self.upper: Float64Array = np.cumsum(smoothed) / smoothed.sum()
        # The logs of the probabilities that a single draw, or a single label, is another movie.
        self.log_not_drawn = _log_of_complement(smoothed / smoothed.sum())
        self.log_not_label = _log_of_complement(popularity / max(1, popularity.sum()))

    @classmethod
    def of(cls, popularity: Int64Array, config: TransformerConfig) -> Self | None:
        """Return the sampler that the options ask for, or None if all movies are negatives."""
        if config.negatives is not None:
            return cls(popularity, config.negatives)
        return cls(popularity, NEGATIVES) if len(popularity) > FULL_SOFTMAX_MOVIES else None

    def restrict(self, parts: Sequence[Part], random: np.random.Generator) -> tuple[list[Part], StepMovies]:
        """Draw a step's candidates, and return its parts with the movies' numbers among those of the step."""
        label_movies = np.concatenate([labels.movie.numpy() for _, labels in parts])
        window_movies = np.concatenate([batch.events.movies.numpy().ravel() for batch, _ in parts])
        drawn = np.minimum(np.searchsorted(self.upper, random.random(self.n_drawn)), self.n_movies - 1)
        candidates = np.union1d(drawn, label_movies)
        movies = np.concatenate([candidates, np.setdiff1d(window_movies, candidates)])
        place = np.full(self.n_movies, len(movies))
        place[movies] = np.arange(len(movies))

        log_missed = self.n_drawn * self.log_not_drawn[candidates]
        log_missed += len(label_movies) * self.log_not_label[candidates]
        padding = (0, -len(candidates) % CANDIDATE_GRID)
        log_probability = np.pad(np.log(-np.expm1(log_missed)), padding, constant_values=-HIDDEN)
        renumbered = []
        for batch, labels in parts:
            events = replace(batch.events, movies=torch.from_numpy(place[batch.events.movies.numpy()]))
            renumbered.append((replace(batch, events=events), labels.renumber(place, len(candidates))))
        return renumbered, StepMovies(
            torch.from_numpy(movies),
            torch.from_numpy(log_probability.astype(np.float32)),
            len(candidates),
        )


def _log_of_complement(shares: Float64Array) -> Float64Array:
    """Return log(1 - share), but finite for a catalog of one movie."""
    complement: Float64Array = np.log1p(-np.minimum(shares, 1 - 1e-9))
    return complement
