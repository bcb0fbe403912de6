"""The first part of the training loss: the softmax over all movies that the user has not seen.

For query q with the vector h_q, the logit of movie i is h_q . e_i + b_i, and the movies in the query's history are
hidden. The loss is the weighted mean over all labels (q, i) of -log softmax_q(i). All unseen movies are negatives;
Klenitskiy & Vasilev (RecSys 2023) show how much a transformer gains by this over a few sampled negatives. In a large
catalog the movies are the step's candidates instead, with the correction of `sampled_softmax.py`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nextreel.models.transformer.labels import Labels
from nextreel.models.transformer.network import HIDDEN

QUERIES_AT_ONCE = 512
"""Number of training queries whose logits are computed at once; bounds their memory."""
MIN_PROBABILITY = 1e-9
"""Lower bound in the loss of the probability of a label, which bfloat16 may round to 0. The gradient doesn't use the
bound."""

Context = Any
"""Type of the context that torch passes to an autograd function; any attribute may be set on it."""


class SoftmaxLoss(torch.autograd.Function):
    """Computes the softmax loss and, in the same pass, its gradients.

    It works on blocks of queries, so the logits of a whole batch are never in memory.
    """

    @staticmethod
    def forward(
        ctx: Context,
        vectors: Tensor,
        movies: Tensor,
        bias: Tensor,
        log_probability: Tensor | None,
        labels: Labels,
        total: float,
    ) -> Tensor:
        """Return the weighted sum of the loss over all labels of a batch, divided by `total`.

        Parameters
        ----------
        vectors : [n_queries, width]
            Output of the network for each query; those behind the queries of `labels` are padding.
        movies : [n_movies, width]
            Movie embeddings.
        bias : [n_movies]
            Added to the logit of each movie.
        log_probability : [n_movies], optional
            Log of the probability that the movie is a candidate, subtracted from its logit for all queries of which it
            isn't a label.
        labels : Labels
        total : float
            Sum of the weights of all labels of the step, of which the batch may be a part.
        """
        n_vectors, n_movies = len(vectors), len(movies)
        query_weight = vectors.new_zeros(n_vectors, dtype=torch.float32)
        query_weight.scatter_add_(0, labels.query, labels.weight)
        offset = bias if log_probability is None else bias - log_probability
        loss = query_weight.new_zeros(())
        grad_vectors = torch.empty_like(vectors)
        grad_movies, grad_bias = query_weight.new_zeros(movies.shape), query_weight.new_zeros(n_movies)
        for start in range(0, n_vectors, QUERIES_AT_ONCE):
            stop = min(n_vectors, start + QUERIES_AT_ONCE)
            ends = min(start, labels.n_queries), min(stop, labels.n_queries)
            of_block, seen = (
                slice(int(offsets[ends[0]]), int(offsets[ends[1]]))
                for offsets in (labels.label_offsets, labels.seen_offsets)
            )
            query, movie = labels.query[of_block] - start, labels.movie[of_block]
            weight = labels.weight[of_block]

            logits = torch.addmm(offset, vectors[start:stop], movies.T)
            cell = (labels.seen_query[seen] - start) * n_movies + labels.seen_movie[seen]
            logits.view(-1).index_fill_(0, cell, HIDDEN)
            if log_probability is not None:
                logits.index_put_((query, movie), log_probability[movie], accumulate=True)
            probability = torch.softmax(logits, -1)
            label_probability = probability[query, movie].float().clamp_(min=MIN_PROBABILITY)
            loss -= (weight * label_probability.log()).sum()

            # The derivative by a logit is (sum of the query's weights) * probability - (weight of the label).
            grad_logits = probability.mul_(query_weight[start:stop, None].to(probability.dtype))
            grad_logits.index_put_((query, movie), -weight.to(grad_logits.dtype), accumulate=True)
            torch.mm(grad_logits, movies, out=grad_vectors[start:stop])
            grad_movies += grad_logits.T @ vectors[start:stop]
            grad_bias += grad_logits.sum(0)
        ctx.save_for_backward(grad_vectors, grad_movies, grad_bias)
        ctx.total = total
        return loss / total

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(saved * (grad / ctx.total).to(saved.dtype) for saved in ctx.saved_tensors), None, None, None


softmax_loss: Callable[..., Tensor] = SoftmaxLoss.apply
