"""The labels of a batch: the movies that its queries are to predict, and those that they must not."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nextreel.arrays import Int64Array
from nextreel.models.transformer.window_batches import Batch, tensors_to


@dataclass(frozen=True)
class Labels:
    """The labels (target movies) of a batch's queries, and the movies in the histories of these queries.

    Queries are numbered from 0 within the batch.
    """

    query: Tensor
    """int64[n_labels]: number of the label's query in the batch; ascending."""
    movie: Tensor
    """int64[n_labels]: index of the target movie of the query."""
    weight: Tensor
    """float32[n_labels]: weight of the label in the loss: 1 if the user liked the movie, else the option
    `disliked_weight`."""
    is_liked: Tensor
    """float32[n_labels]: 1 if the user liked the movie, else 0."""
    seen_query: Tensor
    """int64[n_seen]: number of the query in the batch whose history holds the movie in `seen_movie`; ascending."""
    seen_movie: Tensor
    """int64[n_seen]: index of a movie in the history of the query in `seen_query`."""
    label_offsets: Int64Array
    """int64[n_queries + 1]: the labels of query q are label_offsets[q] to label_offsets[q + 1] - 1."""
    seen_offsets: Int64Array
    """int64[n_queries + 1]: the same for the movies in the histories."""
    total: float
    """Sum of `weight` over the batch."""

    @property
    def n_queries(self) -> int:
        """Number of queries of the batch."""
        return len(self.label_offsets) - 1

    def renumber(self, place: Int64Array, n_candidates: int) -> Self:
        """Return the labels with new numbers of the movies; movies with other numbers than a candidate's aren't seen.

        Parameters
        ----------
        place : int64[n_movies]
            New number of each movie; those of candidates are below `n_candidates`.
        n_candidates : int
        """
        seen_movie = place[self.seen_movie.numpy()]
        kept = seen_movie < n_candidates
        n_kept = np.append(0, np.cumsum(kept))
        return replace(
            self,
            movie=torch.from_numpy(place[self.movie.numpy()]),
            seen_query=self.seen_query[torch.from_numpy(kept)],
            seen_movie=torch.from_numpy(seen_movie[kept]),
            seen_offsets=n_kept[self.seen_offsets],
        )

    def to(self, device: torch.device) -> Self:
        return tensors_to(self, device)


Part = tuple[Batch, Labels]
"""A part of a training step: some windows with their queries, and the labels of these."""
