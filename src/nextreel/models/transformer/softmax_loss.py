"""The loss: a softmax over all movies that the user has not seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nextreel.models.transformer.network import HIDDEN
from nextreel.models.transformer.window_batches import Labels

ROWS_OF_LOGITS = 512


class _SoftmaxLoss(torch.autograd.Function):
    """Weighted mean of -log softmax of the answers among unseen movies; the logits live a few rows at a time."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, movies: Tensor, bias: Tensor, answers: Labels) -> Tensor:
        n_rows, n_movies = len(rows), len(movies)
        weight = torch.zeros(n_rows).scatter_add_(0, answers.question, answers.weight)
        loss = torch.zeros(())
        grad_rows, grad_movies, grad_bias = (
            torch.empty_like(rows),
            torch.zeros(movies.shape),
            torch.zeros(n_movies),
        )
        for start in range(0, n_rows, ROWS_OF_LOGITS):
            stop = min(n_rows, start + ROWS_OF_LOGITS)
            some = rows[start:stop]
            logits = torch.addmm(bias, some, movies.T)
            seen = slice(*np.searchsorted(answers.seen_question, [start, stop]))
            cell = (answers.seen_question[seen] - start) * n_movies + answers.seen_movie[seen]
            logits.view(-1).index_fill_(0, torch.from_numpy(cell), HIDDEN)
            grad = torch.softmax(logits, -1)
            first, end = torch.searchsorted(answers.question, torch.tensor([start, stop])).tolist()
            row, movie = answers.question[first:end] - start, answers.movie[first:end]
            share = answers.weight[first:end]
            loss -= (share * grad[row, movie].float().clamp_(min=1e-9).log()).sum()
            grad.mul_(weight[start:stop, None].to(grad.dtype))
            grad.index_put_((row, movie), -share.to(grad.dtype), accumulate=True)
            torch.mm(grad, movies, out=grad_rows[start:stop])
            grad_movies += grad.T @ some
            grad_bias += grad.sum(0)
        ctx.save_for_backward(grad_rows, grad_movies, grad_bias)
        ctx.total = answers.total
        return loss / answers.total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(saved * (grad / ctx.total).to(saved.dtype) for saved in ctx.saved_tensors), None


softmax_loss: Callable[..., Tensor] = _SoftmaxLoss.apply
