from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nextreel.models.transformer import TransformerConfig
from nextreel.models.transformer.labels import Part
from nextreel.models.transformer.lazy_rows import LazyRows
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.optimizer import AveragedOptimizer
from nextreel.models.transformer.sampled_softmax import CandidateSampler
from nextreel.models.transformer.training_windows import TrainingQueries
from nextreel.testing import tiny_dataset

CONFIG = TransformerConfig(
    dimensions=8, window=16, overlap=4, rows_per_step=256, dropout=0, bfloat16=False, held_out_share=0.3
)
DATASET = tiny_dataset()
POPULARITY = np.bincount(DATASET.timeline.movies, minlength=DATASET.n_movies)


def first_batch() -> Part:
    epoch = TrainingQueries.of(DATASET, CONFIG).draw(1)
    return epoch.pack(epoch.batches[0])


def whole(parts: Sequence[Part]) -> tuple[Sequence[Part], float]:
    """The parts of a batch, and the sum of the weights of its labels."""
    return parts, sum(labels.total for _, labels in parts)


def new_network() -> Network:
    torch.manual_seed(0)
    return Network(DATASET.n_movies, CONFIG)


def step(network: Network, n_drawn: int | None) -> float:
    """Do one step on the first batch with this number of drawn negatives, or with all movies."""
    optimizer = AveragedOptimizer(network, CONFIG, samples=n_drawn is not None)
    if n_drawn is None:
        return float(optimizer.step(*whole([first_batch()]), 0.1))
    sampler = CandidateSampler(POPULARITY, n_drawn)
    parts, touched = sampler.restrict([first_batch()], np.random.default_rng(0))
    return float(optimizer.step(*whole(parts), 0.1, touched))


def test_where_every_movie_is_drawn_a_step_is_that_of_the_full_softmax() -> None:
    full, sampled = new_network(), new_network()
    assert step(full, None) == pytest.approx(step(sampled, 100_000), rel=1e-5)
    for name, parameter in full.named_parameters():
        torch.testing.assert_close(sampled.get_parameter(name), parameter, rtol=1e-3, atol=1e-5, msg=name)


def test_the_corrected_sum_over_candidates_is_expected_to_be_that_over_all_movies() -> None:
    random = np.random.default_rng(1)
    sampler, batch_and_labels = CandidateSampler(POPULARITY, 8), first_batch()
    odds = random.random(DATASET.n_movies)
    sums = []
    for _ in range(3000):
        batch, labels = batch_and_labels
        share = POPULARITY / POPULARITY.sum()
        labels = replace(labels, movie=torch.from_numpy(random.choice(len(share), 5, p=share)))
        _, touched = sampler.restrict([(batch, labels)], random)
        n = touched.n_candidates
        sums.append((odds[touched.movies[:n].numpy()] / touched.log_probability[:n].exp().numpy()).sum())
    assert np.mean(sums) == pytest.approx(odds.sum(), rel=0.05)


def test_a_sampled_step_changes_only_the_movies_that_it_touches() -> None:
    network = new_network()
    before = network.movies.weight.detach().clone()
    parts, touched = CandidateSampler(POPULARITY, 2).restrict([first_batch()], np.random.default_rng(0))
    AveragedOptimizer(network, CONFIG, samples=True).step(*whole(parts), 0.1, touched)
    changed = (network.movies.weight != before).any(1).nonzero().flatten()
    assert 0 < len(changed) < DATASET.n_movies
    assert set(changed.tolist()) == set(touched.movies.tolist())


def test_rows_that_are_all_touched_are_stepped_as_by_torch() -> None:
    start, gradients = torch.randn(5, 3), torch.randn(4, 5, 3)
    parameter = start.clone().requires_grad_()
    adam = torch.optim.AdamW([parameter], 0.01, (0.9, 0.98), weight_decay=0.1)
    lazy = LazyRows(start.clone(), start.clone(), weight_decay=0.1)
    for number, gradient in enumerate(gradients, start=1):
        parameter.grad = gradient
        adam.step()
        lazy.step(torch.arange(5), gradient, 0.01, number, decay=0.5)
    torch.testing.assert_close(lazy.weights, parameter.detach())


def test_the_average_of_rows_is_over_all_steps_whether_they_are_touched_or_not() -> None:
    start = torch.randn(6, 2)
    lazy, expected = LazyRows(start.clone(), start.clone(), 0.0), start.clone()
    for number, rows in enumerate(([0, 1], [1, 2], [5], [0], [2, 5]), start=1):
        decay = number / (number + 1)
        lazy.step(torch.tensor(rows), torch.randn(len(rows), 2), 0.1, number, decay)
        expected.lerp_(lazy.weights, 1 - decay)
    lazy.settle()
    torch.testing.assert_close(lazy.averaged, expected)


def test_a_movie_that_is_everywhere_is_a_candidate_for_certain() -> None:
    sampler = CandidateSampler(np.array([9]), 5)
    batch, labels = first_batch()
    everything_is_movie_0 = replace(labels, movie=labels.movie * 0, seen_movie=labels.seen_movie * 0)
    events = replace(batch.events, movies=batch.events.movies * 0)
    part = replace(batch, events=events), everything_is_movie_0
    _, touched = sampler.restrict([part], np.random.default_rng(0))
    assert (touched.movies.tolist(), float(touched.log_probability[0])) == ([0], 0.0)


def test_small_catalogs_have_the_full_softmax_and_large_ones_a_sampled_one() -> None:
    assert CandidateSampler.of(np.ones(10_000, dtype=np.int64), CONFIG) is None
    assert CandidateSampler.of(np.ones(10_001, dtype=np.int64), CONFIG) is not None


class OnlyMeta(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fails on any tensor with a dimension that isn't on the meta device; on such a tensor many operations are silent."""

    def __torch_dispatch__(self, function, types, arguments=(), options=None):  # type: ignore[no-untyped-def]
        result = function(*arguments, **(options or {}))
        for tensor in tree_leaves((arguments, options, result)):
            if isinstance(tensor, Tensor) and tensor.ndim:
                assert tensor.device.type == "meta", f"{function} has a tensor on {tensor.device}"
        return result


@pytest.mark.parametrize("samples", [False, True], ids=["all movies", "sampled"])
def test_a_step_and_a_score_leave_no_tensor_on_the_cpu(samples: bool) -> None:
    meta = torch.device("meta")
    parts, touched = [first_batch()], None
    if samples:
        parts, touched = CandidateSampler(POPULARITY, 8).restrict(parts, np.random.default_rng(0))
        touched = touched.to(meta)
    batch, labels = parts[0][0].to(meta), parts[0][1].to(meta)
    network = new_network().to(meta)
    optimizer = AveragedOptimizer(network, CONFIG.model_copy(update={"dropout": 0.2}), samples)
    of_queries = batch.relations[:, batch.events.movies.shape[1] :]
    with OnlyMeta():  # type: ignore[no-untyped-call]
        loss = optimizer.step(*whole([(batch, labels)]), 0.1, touched)
        optimizer.settle()
        _, encoded = network.encode(batch)
        scores = network.score(network.ask(batch.events, batch.queries, of_queries, encoded))
    assert loss.device.type == scores.device.type == "meta"


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    only_meta = OnlyMeta()  # type: ignore[no-untyped-call]
    with pytest.raises(AssertionError, match="has a tensor on cpu"), only_meta:
        torch.mm(torch.empty(2, 2, device="meta"), torch.ones(2, 2))
