import pytest
import torch

from nextreel.models.transformer.dropout import create_dropout

CPU = torch.device("cpu")


def test_activations_are_dropped_with_the_given_probability_and_keep_their_mean() -> None:
    dropped = create_dropout(0.25, 0, CPU)(torch.ones(300, 333))
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0, 4 / 3])


def test_the_same_seed_drops_the_same_activations_and_another_seed_others() -> None:
    first, again, other = (create_dropout(0.5, seed, CPU)(torch.ones(99)).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_successive_calls_drop_different_activations() -> None:
    drop = create_dropout(0.5, 0, CPU)
    assert drop(torch.ones(99)).tolist() != drop(torch.ones(99)).tolist()


def test_what_is_dropped_gets_no_gradient() -> None:
    x = torch.ones(99, requires_grad=True)
    dropped = create_dropout(0.5, 0, CPU)(x)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    assert torch.equal(gradient, dropped)
