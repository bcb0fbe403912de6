"""The transformer as a model: `fit` and `score`, and what it learns and validates in an epoch."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from nextreel.array_specs import ArraySpec, Specs
from nextreel.arrays import Arrays, Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories, Timeline
from nextreel.data.times import LATEST_TIMESTAMP, WEEK
from nextreel.errors import DataError, NotFittedError
from nextreel.models.base import Recommender
from nextreel.models.fit_cost import FitCost
from nextreel.models.training.checkpoint import identify_fit, read_checkpoint
from nextreel.models.training.epoch_loop import EpochLearner, StoppingRule, Validation, run_epochs
from nextreel.models.training.epochs import Epoch, Training
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.training.torch_device import choose_device
from nextreel.models.training.torch_on_cpu import (
    Map,
    fast_small_steps,
    map_on_threads,
    one_thread,
    seeded_training,
)
from nextreel.models.transformer.encoded_windows import EncodedWindows, compute_vectors
from nextreel.models.transformer.hyperparameters import TransformerConfig
from nextreel.models.transformer.initial_embeddings import embed_by_succession
from nextreel.models.transformer.labels import Part
from nextreel.models.transformer.network import Network, find_shapes
from nextreel.models.transformer.optimizer import AveragedOptimizer
from nextreel.models.transformer.query_windows import QueryWindows
from nextreel.models.transformer.sampled_softmax import CandidateSampler
from nextreel.models.transformer.training_cost import estimate_fit
from nextreel.models.transformer.training_windows import EpochBatches, TrainingQueries, divide_batch
from nextreel.stopping import stop_if_unwanted

VALIDATION_QUERIES = 3000
"""Maximum number of held-out users' queries evaluated after each epoch: more would take longer, fewer would let chance
choose the best epoch."""
PARTS = 2
"""Number of parts whose gradients are computed at once, on a thread each, and summed in each training step on a CPU.
It is the same for any number of threads, so that the model is, too; with more parts, their matrices get too small."""
PATIENT_EPOCHS, PATIENT_STEPS = 2, 100
"""A fit ends when the held-out loss hasn't become lower in so many epochs in a row, with at least about so many steps:
an epoch of few data has few steps, and its loss says little. On samples of MovieLens with 10,000 to a million ratings,
no later epoch was better."""
UNREAD_EARLIER = ("counts.weight", "latest", "preceding", "liking.weight")
"""Names of the arrays that the file of an earlier nextreel doesn't have, and that change no score if they are 0."""
CERTAIN = 100.0
"""A logit whose probability is 1 in float32."""
LIKES_OF_MEAN = 10
"""Number of ratings as which the mean share of liked movies counts in a movie's own initial share."""
STEPS_BETWEEN_REPORTS = 4
"""Number of training steps between two reports of progress, each of which waits for a GPU to finish them."""


class Transformer(Recommender):
    Config = TransformerConfig
    fits_by_tasks = True
    caches_histories = True
    config: TransformerConfig

    epochs: list[Epoch]
    """Records of the epochs of `fit`; empty for a model that was loaded from a file."""
    network: Network | None
    """The network that `score` uses: during a fit that of the latest validated epoch, after it that of the best epoch;
    None before."""
    known_windows: EncodedWindows | None
    """What `score` keeps of histories; None before `cache_histories`."""

    def __init__(self, config: TransformerConfig | None = None) -> None:
        super().__init__(config)
        self.epochs = []
        self.network = None
        self.known_windows = None

    def fit_cost(self, dataset: Dataset) -> FitCost:
        return estimate_fit(dataset, self.config)

    def fit(self, dataset: Dataset, training: Training | None = None) -> Self:
        """Learn to predict the movies that users rate next, and keep the epoch with the lowest loss on held-out users.

        Raises
        ------
        DataError
            No user rated two movies.
        ArtifactError
            The fit is to be resumed, and its checkpoint is missing, damaged, or of another fit.
        """
        self.known_windows = None
        training = training if training is not None else Training()
        config, train, held_out = self.config, dataset, training.held_out
        if held_out is None:
            train, held_out = HeldOut.split(dataset, config.held_out_share, config.seed)
        queries = TrainingQueries.of(train, config)
        if len(queries) == 0:
            raise DataError("no user rated two movies, so there is nothing to learn from")
        identity = identify_fit("transformer", config, train, validation=None)
        if training.run_replicas is not None:
            if training.resume and training.checkpoint is not None:
                read_checkpoint(training.checkpoint, identity)  # refused before any process is started
            self.epochs, state = training.run_replicas(_fit_replica, (config, train, held_out), training)
            # What comes from another process may be read-only, of which torch warns.
            return self.restore({name: array.copy() for name, array in state.items()})

        popularity = np.bincount(train.timeline.movies, minlength=train.n_movies)
        sampler = CandidateSampler.of(popularity, config)
        network = _create_network(train, config).to(choose_device())
        optimizer = AveragedOptimizer(network, config, sampler is not None, training.replicas)
        asked = held_out.subsample(VALIDATION_QUERIES)
        learner = NetworkLearner(self, optimizer, queries, sampler, asked, training)
        steps_per_epoch = (len(train.timeline) + len(queries)) / config.rows_per_step
        patience = max(PATIENT_EPOCHS, math.ceil(PATIENT_STEPS / steps_per_epoch))
        stopping_rule = StoppingRule(config.epochs, patience, config.minutes)
        self.epochs = run_epochs(learner, identity, stopping_rule, training)
        self.network = optimizer.best.eval()
        return self

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        """Return the logits of all movies for each query, zeros for an empty history.

        Raises
        ------
        NotFittedError
            The model isn't fitted yet.
        """
        return self._score(histories, timestamps, None)

    def score_movies(self, histories: Histories, timestamps: Int64Array, movies: Int64Array) -> Float32Array:
        return self._score(histories, timestamps, torch.from_numpy(movies))

    def _score(self, histories: Histories, timestamps: Int64Array, movies: Tensor | None) -> Float32Array:
        """Return the logits of some movies, int64[n], or of all."""
        network, known = self._fitted_network(), self.known_windows if histories.may_be_cached else None
        movies = None if movies is None else movies.to(network.bias.device)
        n_scores = network.n_movies if movies is None else len(movies)
        scores = np.zeros((len(timestamps), n_scores), dtype=np.float32)
        for part in QueryWindows.of(histories, timestamps, self.config.window).divide():
            stop_if_unwanted()
            with torch.inference_mode(), one_thread(torch):
                for windows, vectors in compute_vectors(network, part, known):
                    scores[windows.queries] = network.score(vectors, movies).cpu().numpy()
        return scores

    def cache_histories(self, memory: int) -> None:
        if self.known_windows is not None:
            self.known_windows.clear()
            return
        layers, width, device = self.config.layers, self.config.dimensions, self._fitted_network().bias.device
        self.known_windows = EncodedWindows(memory, layers, width, device)

    @property
    def state(self) -> Arrays:
        return {name: tensor.cpu().numpy() for name, tensor in self._fitted_network().state_dict().items()}

    def array_specs(self) -> Specs:
        specs = {name: ArraySpec("float32", shape) for name, shape in find_shapes(self.config).items()}
        return specs | {
            "movies.weight": ArraySpec("float32", ("n_movies", self.config.dimensions)),
            "bias": ArraySpec("float32", ("n_movies",)),
            "liking_bias": ArraySpec("float32", ("n_movies",)),
            "weeks": ArraySpec("int64", (2,), least=0, below=LATEST_TIMESTAMP // WEEK + 1, order="ascending"),
        }

    def upgrade(self, state: Arrays) -> Arrays:
        """Return the state of now, with the same scores.

        The network of an earlier nextreel learned nothing of what users like among what they choose, and didn't read
        the latest events in the input of a row; one before that did not read the numbers of events either.
        """
        shapes = find_shapes(self.config)
        unread = {name: np.zeros(shapes[name], dtype=np.float32) for name in UNREAD_EARLIER}
        liked = np.full_like(state.get("bias", np.zeros(0, dtype=np.float32)), CERTAIN)
        return {**unread, "liking_bias": liked, **state}

    def restore(self, state: Arrays) -> Self:
        self.known_windows = None
        network = Network(len(state["bias"]), self.config)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        self.network = network.to(choose_device()).eval()
        return self

    def _fitted_network(self) -> Network:
        if self.network is None:
            raise NotFittedError("Transformer isn't fitted yet: call fit(dataset) first")
        return self.network


class NetworkLearner(EpochLearner):
    """Learns from all training queries in an epoch, and validates the network of averaged weights on held-out users."""

    def __init__(
        self,
        model: Transformer,
        optimizer: AveragedOptimizer,
        queries: TrainingQueries,
        sampler: CandidateSampler | None,
        held_out: HeldOut,
        training: Training,
    ) -> None:
        self.model, self.optimizer, self.queries, self.sampler = model, optimizer, queries, sampler
        self.held_out, self.training = held_out, training

    def learn_epoch(self, number: int, seconds_before: float) -> float:
        """Learn from every training query once; if the option `minutes` is set, stop when that time is over."""
        config, device, started = self.model.config, self.optimizer.device, time.perf_counter()
        batches = self.queries.draw(number)
        loss, weight = torch.zeros((), device=device), 0.0
        n_parts = PARTS if device.type == "cpu" else 1
        with seeded_training(torch, config.seed + number), map_on_threads(torch, n_parts) as run:
            for done, windows in enumerate(batches.batches, start=1):
                progress = (number - 1 + done / len(batches)) / config.epochs
                if config.minutes is not None:
                    seconds = seconds_before + self.training.replicas.agree(time.perf_counter() - started)
                    progress = max(progress, seconds / (60 * config.minutes))
                    if progress >= 1 and done > 1:
                        break
                parts, total = self._pack(batches, divide_batch(windows, n_parts), run)
                if total == 0:
                    continue  # `disliked_weight` is 0, and nothing in this batch was liked
                touched = None
                if self.sampler is not None:
                    random = np.random.default_rng([config.seed, number, done])
                    parts, touched = self.sampler.restrict([part for part in parts if part], random)
                    touched = touched.to(device)
                on_device = [part and (part[0].to(device), part[1].to(device)) for part in parts]
                step_loss = self.optimizer.step(on_device, total, progress, touched, run)
                loss, weight = loss + step_loss * total, weight + total
                if done % STEPS_BETWEEN_REPORTS == 0 or done == len(batches):
                    self.training.on_step(done, len(batches), float(loss) / weight)
        self.optimizer.settle()
        return float(loss) / weight if weight else 0.0

    def _pack(
        self, batches: EpochBatches, divided: Sequence[Int64Array], run: Map
    ) -> tuple[Sequence[Part | None], float]:
        """Build the parts of a batch, None for those that only other replicas need.

        `divided` are the windows of each part. Also returns the sum of the weights of all labels of the batch.
        """
        replicas, n_parts = self.training.replicas, len(divided)
        share = replicas.share(n_parts)
        # The candidates of a sampled softmax depend on the labels of all parts.
        packed = share if self.sampler is None else range(n_parts)
        built = dict(zip(packed, run(batches.pack, [divided[part] for part in packed]), strict=True))
        weights = [torch.tensor(built[part][1].total, dtype=torch.float64) for part in share]
        return [built.get(part) for part in range(n_parts)], float(replicas.sum_parts(weights, n_parts))

    def validate(self, number: int) -> Validation:
        """Compute loss and NDCG@10 on held-out users' queries; then the model scores with this epoch's network."""
        self.model.network = self.optimizer.averaged.eval()
        if len(self.held_out) == 0:
            return Validation()
        replicas, share = self.training.replicas, self.training.replicas.share(len(self.held_out))
        with fast_small_steps(torch):
            figures = self.held_out[share.start :: share.step].evaluate(self.model.score)
        weighted = torch.tensor(figures, dtype=torch.float64) * (len(share) / len(self.held_out))
        loss, ndcg = replicas.sum_parts([weighted], min(replicas.count, len(self.held_out))).tolist()
        return Validation(loss, ndcg)

    def agree(self, seconds: float) -> float:
        return self.training.replicas.agree(seconds)

    def keep_best(self) -> None:
        self.optimizer.keep_best()

    def arrays(self) -> Arrays:
        return self.optimizer.arrays()

    def restore(self, arrays: Arrays) -> None:
        self.optimizer.restore(arrays)


def _fit_replica(
    shared: tuple[TransformerConfig, Dataset, HeldOut], training: Training
) -> tuple[list[Epoch], Arrays]:
    """Fit the model as one of the replicas that `training` names; return its epochs and its state."""
    config, dataset, held_out = shared
    model = Transformer(config).fit(dataset, replace(training, held_out=held_out))
    return model.epochs, model.state


def _create_network(dataset: Dataset, config: TransformerConfig) -> Network:
    """Create an untrained network with movie embeddings and a range of calendar weeks computed from the data set."""
    with seeded_training(torch, config.seed):
        network = Network(dataset.n_movies, config)
        network.movies.weight.data = embed_by_succession(dataset, config)
    timestamps = dataset.timeline.timestamps
    network.liking_bias.data = torch.from_numpy(_find_liking_logits(dataset.timeline, dataset.n_movies))
    network.weeks[:] = torch.tensor([timestamps.min() // WEEK, timestamps.max() // WEEK])
    return network


def _find_liking_logits(timeline: Timeline, n_movies: int) -> Float32Array:
    """Return the logit of the share of users who liked each movie among those who rated it, float32[n_movies]."""
    is_liked = timeline.is_positive()
    n_rated = np.bincount(timeline.movies, minlength=n_movies)
    n_liked = np.bincount(timeline.movies[is_liked], minlength=n_movies)
    mean = (is_liked.sum() + 0.5) / (len(is_liked) + 1)
    share = (n_liked + LIKES_OF_MEAN * mean) / (n_rated + LIKES_OF_MEAN)
    logits: Float32Array = np.log(share / (1 - share)).astype(np.float32)
    return logits
