"""The transformer's network: layers in which a row's relation to an event is part of attention, and the loss."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.window_batches import N_DISTANCES, N_TIMES, Batch

N_WEEKS = 1024
HIDDEN = -1e4
"""A logit of what may not be seen; finite, so that a padded row without any key stays a number."""


class _Attention(torch.autograd.Function):
    """softmax(q k' / sqrt(width) + table[relation]) v, and its gradients by hand: few passes over the matrix."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, table: Tensor, relations: Tensor) -> Tensor:
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        for head in range(q.shape[1]):
            logits[:, head] += table[head].index_select(0, relations.flatten()).view_as(relations)
        weights = torch.softmax(logits, -1)
        ctx.save_for_backward(q, k, v, weights, relations)
        ctx.n_relations = table.shape[1]
        return weights @ v

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, relations = ctx.saved_tensors
        grad_v = weights.transpose(2, 3) @ grad
        grad_logits = grad @ v.transpose(2, 3)
        grad_logits.sub_((grad_logits * weights).sum(-1, keepdim=True)).mul_(weights)
        table = torch.zeros(q.shape[1], ctx.n_relations)
        for head in range(q.shape[1]):
            table[head].scatter_add_(0, relations.flatten(), grad_logits[:, head].flatten().float())
        scale = q.shape[-1] ** -0.5
        return (
            (grad_logits @ k) * scale,
            (grad_logits.transpose(2, 3) @ q) * scale,
            grad_v,
            table.to(q.dtype),
            None,
        )


attend: Callable[..., Tensor] = _Attention.apply


class _Layer(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, self.heads, self.dropout = config.dimensions, config.heads, config.dropout
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_gate = nn.Linear(width, 2 * width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        self.by_time = nn.Parameter(torch.zeros(config.heads, 2, N_TIMES, 1))
        self.by_distance = nn.Parameter(-0.05 * torch.arange(N_DISTANCES).repeat(config.heads, 2, 1, 1))
        # A layer begins as a mean of the latest movies' embeddings, on top of what it is given.
        self.key_value.weight.data[width:] = torch.eye(width)
        nn.init.normal_(self.down.weight, std=0.02)
        self.mix.weight.data = 0.5 * torch.eye(width) + 0.02 * torch.randn(width, width)

    def forward(self, x: Tensor, n_events: int, from_row: int, relations: Tensor) -> Tensor:
        """x is [B, T + Q, width]; the rows from `from_row` on come back changed, the first T are the keys."""
        normed, changed = self.norm_in(x), x[:, from_row:]
        q, gate = self.query_gate(normed[:, from_row:]).chunk(2, -1)
        q = q.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.key_value(normed[:, :n_events]).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = attend(q, k, v, self._table().to(q.dtype), relations[:, from_row:])
        changed = changed + self._drop(self.mix(attended.transpose(1, 2).flatten(2) * functional.silu(gate)))
        gate, value = self.up(self.norm_out(changed)).chunk(2, -1)
        return changed + self._drop(self.down(functional.silu(gate) * value))

    def _table(self) -> Tensor:
        seen = (self.by_time + self.by_distance).flatten(1)
        return functional.pad(seen, (0, 1), value=HIDDEN)

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class Network(nn.Module):
    weeks: Tensor
    """int64[2]: first and last calendar week of training; others are taken for the nearer of the two."""

    def __init__(self, n_movies: int, config: TransformerConfig) -> None:
        super().__init__()
        width, self.dropout = config.dimensions, config.dropout
        self.n_movies, self.movies = n_movies, nn.Embedding(n_movies, width)
        self.bias = nn.Parameter(torch.zeros(n_movies))
        self.ratings, self.pauses = nn.Embedding(10, width), nn.Embedding(N_TIMES, width)
        self.gaps, self.calendar = nn.Embedding(N_TIMES, width), nn.Embedding(N_WEEKS, width)
        for embedding in (self.ratings, self.pauses, self.gaps, self.calendar):
            nn.init.normal_(embedding.weight, std=0.02)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("weeks", torch.zeros(2, dtype=torch.int64))

    def forward(self, batch: Batch) -> Tensor:
        """[n_questions, width]: where each question's answers are sought among the movies."""
        events = self.movies(batch.movies) + self.ratings(batch.ratings) + self.pauses(batch.pauses)
        events = functional.dropout(events, self.dropout, self.training)
        week = (torch.minimum(batch.weeks, self.weeks[1]) - self.weeks[0]).clamp(0, N_WEEKS - 1)
        n_events = events.shape[1]
        x = torch.cat([events, self.gaps(batch.gaps) + self.calendar(week)], 1)
        for layer in self.layers[:-1]:
            x = layer(x, n_events, 0, batch.relations)
        asked: Tensor = self.layers[-1](x, n_events, n_events, batch.relations)
        answer: Tensor = self.norm(asked[batch.asked])
        return answer

    def score(self, asked: Tensor) -> Tensor:
        """float32[n_questions, n_movies]: logits."""
        return torch.addmm(self.bias, asked, self.movies.weight.T)
