"""The transformer's network, from windows of events to one vector for each query, and from vectors to scores.

The input of a row, which is an event or a query, also has the embeddings of the latest events that the row sees, each
element with a learned weight: a short causal convolution (Allen-Zhu, "Physics of Language Models: Part 4.1", 2025). So
the first layer already attends by what came last.

Each layer is pre-norm attention with a SiLU gate, followed by SwiGLU. Attention adds to each logit a learned bias by
head and by the relation between the row and the event: the time and the number of events between them. Rows attend to
events only, never to queries.

The score of a movie is the log of the probability that the user rates it next and likes it, up to a constant: the logit
of the choice plus the log of the probability of liking what was chosen (Ma et al., "Entire Space Multi-Task Model",
SIGIR 2018). The choice is learned from all ratings then, whether or not the user liked the movie.

The names of the parameters are the names of the arrays in a saved model.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from nextreel.models.transformer.dropout import Drop, keep_all
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.window_batches import (
    N_COUNTS,
    N_DISTANCES,
    N_TIMES,
    Batch,
    EventRows,
    QueryRows,
)

N_RATINGS = 10
"""Number of different ratings, each with an embedding: half stars from 0.5 to 5."""
N_WEEKS = 1024
"""Number of calendar weeks with an embedding, counted from the first week of training: nearly 20 years."""
N_LATEST = 4
"""Number of latest events whose embeddings join the input of a row, an event itself included."""
INITIAL_STD = 0.02
"""Standard deviation of random initial weights, as in GPT-2: small beside that of the movie embeddings, which start
from data."""
INITIAL_MIX = 0.5
"""Initial factor on the output of a layer's attention, which is added to the layer's input: both contribute from the
start."""
INITIAL_RECENCY = 0.05
"""Initial decrease of the attention logit with each bucket of distance (number of events between two rows): the latest
events start with the most weight, and distant ones still have some."""
HIDDEN = -1e4
"""Logit of a movie that must not be predicted, and attention bias of an event that a row must not see. It is finite, so
that the softmax of a padded row, whose events are all hidden, is finite."""

Context = Any
"""Type of the context that torch passes to an autograd function; any attribute may be set on it."""


class RelationalAttention(torch.autograd.Function):
    """Attention with a bias by the relation of two rows: softmax(q k' / sqrt(width) + bias[relation]) v.

    The gradients are written by hand, because autograd would make more passes over the [B, heads, R, T] matrices, which
    are what a step spends most of its time on: B windows, R rows (events and queries), T events to attend to.
    """

    @staticmethod
    def forward(ctx: Context, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, relations: Tensor) -> Tensor:
        """Return the attended values, [B, heads, R, width], in the notation of the class.

        Parameters
        ----------
        q : [B, heads, R, width]
        k, v : [B, heads, T, width]
        bias : [heads, n_relations]
        relations : int64[B, R, T]
        """
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
        for head in range(q.shape[1]):
            logits[:, head] += bias[head].index_select(0, relations.flatten()).view_as(relations)
        weights = torch.softmax(logits, -1)
        ctx.save_for_backward(q, k, v, weights, relations)
        ctx.n_relations = bias.shape[1]
        return weights @ v

    @staticmethod
    def backward(ctx: Context, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, relations = ctx.saved_tensors
        grad_v = weights.transpose(2, 3) @ grad
        grad_logits = grad @ v.transpose(2, 3)
        grad_logits.sub_((grad_logits * weights).sum(-1, keepdim=True)).mul_(weights)
        grad_bias = torch.zeros(q.shape[1], ctx.n_relations)
        for head in range(q.shape[1]):
            grad_bias[head].scatter_add_(0, relations.flatten(), grad_logits[:, head].flatten().float())
        scale = q.shape[-1] ** -0.5
        grad_q = (grad_logits @ k) * scale
        grad_k = (grad_logits.transpose(2, 3) @ q) * scale
        return grad_q, grad_k, grad_v, grad_bias.to(q.dtype), None


attend_on_cpu: Callable[..., Tensor] = RelationalAttention.apply


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, relations: Tensor) -> Tensor:
    """Return the attended values of `RelationalAttention`; on a GPU, torch's own attention computes them."""
    if q.device.type == "cpu":
        return attend_on_cpu(q, k, v, bias, relations)
    mask = bias.index_select(1, relations.flatten()).view(-1, *relations.shape)  # [heads, B, R, T]
    return functional.scaled_dot_product_attention(q, k, v, mask.transpose(0, 1))


class Layer(nn.Module):
    """A layer of the network: attention with a SiLU gate, then SwiGLU, each added to its input.

    Initially the attention of a layer is a weighted mean of the movie embeddings, with more weight on later events.
    That is a sensible recommender already, and training improves on it.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, self.heads = config.dimensions, config.heads
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_gate = nn.Linear(width, 2 * width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.mix = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        # The biases [head, is_query, time, distance] are sums of one for the time and one for the distance.
        self.by_time = nn.Parameter(torch.zeros(config.heads, 2, N_TIMES, 1))
        self.by_distance = nn.Parameter(torch.zeros(config.heads, 2, 1, N_DISTANCES))
        if self.by_distance.is_meta:
            return
        self.by_distance.data[:] = -INITIAL_RECENCY * torch.arange(N_DISTANCES)
        # The values start as the normed inputs themselves.
        self.key_value.weight.data[width:] = torch.eye(width)
        nn.init.normal_(self.down.weight, std=INITIAL_STD)
        self.mix.weight.data = INITIAL_MIX * torch.eye(width) + INITIAL_STD * torch.randn(width, width)

    def forward(
        self, keys_values: Tensor, x: Tensor, normed: Tensor, relations: Tensor, drop: Drop = keep_all
    ) -> Tensor:
        """Return [B, R, width]: the output of the layer for rows that attend to events with the given keys and values.

        Parameters
        ----------
        keys_values : [B, T, 2 * width]
            Keys of the events, then their values, as `key_value` computes them.
        x, normed : [B, R, width]
            Inputs of the rows, as they are and after `norm_in`.
        relations : int64[B, R, T]
        drop : Drop
        """
        q, gate = self.query_gate(normed).chunk(2, -1)
        q = q.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        n_windows, n_events, _ = keys_values.shape
        k, v = keys_values.view(n_windows, n_events, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = attend(q, k, v, self._relation_bias().to(q.dtype), relations)
        out = x + drop(self.mix(attended.transpose(1, 2).flatten(2) * functional.silu(gate)))
        gate, value = self.up(self.norm_out(out)).chunk(2, -1)
        return out + drop(self.down(functional.silu(gate) * value))

    def _relation_bias(self) -> Tensor:
        """Return [heads, N_RELATIONS + 1]: the attention bias of each relation.

        A relation is how far an event lies before a row, in time and in rows; the last one hides the event.
        """
        bias = (self.by_time + self.by_distance).flatten(1)
        return functional.pad(bias, (0, 1), value=HIDDEN)


class Network(nn.Module):
    """Embeddings of events and queries, layers of attention, and the movie embeddings again as the output matrices."""

    weeks: Tensor
    """int64[2]: first and last calendar week of the training data, counted from 1970; a query outside this range is
    treated as one in the nearer of the two."""

    def __init__(self, n_movies: int, config: TransformerConfig) -> None:
        super().__init__()
        width = config.dimensions
        self.n_movies, self.movies = n_movies, nn.Embedding(n_movies, width)
        self.bias, self.liking_bias = (nn.Parameter(torch.zeros(n_movies)) for _ in range(2))
        self.liking = nn.Linear(width, width, bias=False)
        self.latest, self.preceding = (nn.Parameter(torch.zeros(n, width)) for n in (N_LATEST, N_LATEST - 1))
        self.ratings, self.pauses = nn.Embedding(N_RATINGS, width), nn.Embedding(N_TIMES, width)
        self.gaps, self.calendar = nn.Embedding(N_TIMES, width), nn.Embedding(N_WEEKS, width)
        self.counts = nn.Embedding(3 * N_COUNTS, width)
        for embedding in (self.ratings, self.pauses, self.gaps, self.calendar, self.counts):
            nn.init.normal_(embedding.weight, std=INITIAL_STD)
        nn.init.zeros_(self.liking.weight)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("weeks", torch.zeros(2, dtype=torch.int64))

    def forward(self, batch: Batch, movies: Tensor | None = None, drop: Drop = keep_all) -> Tensor:
        """Return the vector of each query, [at least n_queries, width], in the order of `batch.queries.places`.

        Parameters
        ----------
        batch : Batch
        movies : [n, width], optional
            The movie embeddings whose rows `batch.events.movies` numbers, by default those of all movies.
        drop : Drop
            What is done to activations in training.
        """
        return self.encode(batch, movies, drop)[0]

    def encode(
        self, batch: Batch, movies: Tensor | None = None, drop: Drop = keep_all
    ) -> tuple[Tensor, list[Tensor]]:
        """Return what `forward` does, and what the queries attend to: the keys and values of the events by layer.

        Those of a layer are [B, T, 2 * width], keys, then values.
        """
        embedded = self._embed_events(batch.events, movies)  # [B, T, width]
        n_events = embedded.shape[1]
        x = torch.cat([drop(self._add_preceding(embedded)), self._embed_queries(batch.queries, embedded)], 1)
        encoded = []
        for number, layer in enumerate(self._layers):
            # No later layer reads the events, so the last one computes the queries only.
            first_row = 0 if number < len(self.layers) - 1 else n_events
            normed = layer.norm_in(x)
            encoded.append(layer.key_value(normed[:, :n_events]))
            rows, relations = slice(first_row, None), batch.relations[:, first_row:]
            x = layer(encoded[-1], x[:, rows], normed[:, rows], relations, drop)
        return self._take_vectors(x, batch.queries), encoded

    def ask(
        self, events: EventRows, queries: QueryRows, relations: Tensor, encoded: Sequence[Tensor]
    ) -> Tensor:
        """Return the vector of each query about windows whose events are encoded already, as `forward` does.

        Parameters
        ----------
        events : EventRows
        queries : QueryRows
        relations : int64[B, Q, T]
            Relations of the queries to the events.
        encoded : sequence of [B, T, 2 * width]
            Keys and values of the events by layer, as `encode` returns them.
        """
        x = self._embed_queries(queries, self._embed_events(events))
        for layer, keys_values in zip(self._layers, encoded, strict=True):
            x = layer(keys_values, x, layer.norm_in(x), relations)
        return self._take_vectors(x, queries)

    @property
    def _layers(self) -> list[Layer]:
        return cast("list[Layer]", list(self.layers))

    def _embed_events(self, events: EventRows, movies: Tensor | None = None) -> Tensor:
        table = self.movies.weight if movies is None else movies
        ratings, pauses = self.ratings(events.ratings), self.pauses(events.pauses)
        embedded: Tensor = functional.embedding(events.movies, table) + ratings + pauses
        return embedded

    def _add_preceding(self, embedded: Tensor) -> Tensor:
        """Return [B, T, width]: the embedding of each event with those of the events right before it."""
        out, n_events = embedded, embedded.shape[1]
        for distance, weight in enumerate(self.preceding, start=1):
            out = out + weight * functional.pad(embedded, (0, 0, distance, 0))[:, :n_events]
        return out

    def _embed_queries(self, queries: QueryRows, embedded: Tensor) -> Tensor:
        """Return [B, Q, width]: the input of each query, given the embeddings of the events, [B, T, width]."""
        week = (torch.minimum(queries.weeks, self.weeks[1]) - self.weeks[0]).clamp(0, N_WEEKS - 1)
        counts = self.counts(queries.counts + N_COUNTS * torch.arange(3, device=week.device)).sum(2)
        own: Tensor = self.gaps(queries.gaps) + self.calendar(week) + counts

        # Row n of a window is its nth event; row 0 stands for what a query doesn't see.
        padded = functional.pad(embedded, (0, 0, 1, 0))
        n_windows, n_rows, _ = padded.shape
        nth = (queries.n_seen[:, :, None] - torch.arange(N_LATEST, device=week.device)).clamp(min=0)
        row = nth + n_rows * torch.arange(n_windows, device=week.device)[:, None, None]
        latest = padded.flatten(0, 1).index_select(0, row.flatten()).view(*row.shape, -1)
        return own + (latest * self.latest).sum(2)

    def _take_vectors(self, out: Tensor, queries: QueryRows) -> Tensor:
        vectors: Tensor = self.norm(out.flatten(0, 1).index_select(0, queries.places))
        return vectors

    def score(self, vectors: Tensor, movies: Tensor | None = None) -> Tensor:
        """Return the scores of some movies, int64[n], or of all, for queries with the given vectors.

        They are [n_queries, n]: logits of the choice plus logs of the probability of liking.
        """
        table: Tensor = self.movies.weight
        bias: Tensor = self.bias
        liking_bias: Tensor = self.liking_bias
        if movies is not None:
            table, bias, liking_bias = table[movies], bias[movies], liking_bias[movies]
        choice: Tensor = torch.addmm(bias, vectors, table.T)
        return choice + functional.logsigmoid(torch.addmm(liking_bias, self.liking(vectors), table.T))


def find_shapes(config: TransformerConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array of a network for one movie, by name; takes no memory, however large they are."""
    with torch.device("meta"), _Undrawn():
        state = Network(1, config).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


class _Undrawn(TorchFunctionMode):
    """Draws no initial weights: on the device "meta", torch imports its compiler for it, which takes over a second."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if function in (nn.init.normal_, nn.init.kaiming_uniform_):
            return kwargs["tensor"]
        return function(*args, **(kwargs or {}))
