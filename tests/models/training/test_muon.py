import pytest
import torch
from torch import Tensor

from nextreel.models.training.muon import Muon, orthogonalize

SHAPES = [(6, 6), (4, 9), (9, 4)]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES, ids=["square", "wide", "tall"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_all_singular_values_come_near_1_with_the_same_vectors(shape: tuple[int, int], scale: float) -> None:
    matrix = draw(*shape)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    orthogonal = orthogonalize(scale * matrix)
    singular = left.T @ orthogonal @ right.T
    assert torch.diagonal(singular).min() > 0.6
    assert torch.diagonal(singular).max() < 1.3
    torch.testing.assert_close(
        singular, torch.diag(torch.diagonal(singular)), atol=1e-4, rtol=0, check_stride=False
    )


def test_a_matrix_of_zeros_stays_one() -> None:
    assert not orthogonalize(torch.zeros(3, 5)).any()


def test_a_step_goes_down_by_the_learning_rate_in_every_direction_of_the_gradient() -> None:
    matrix = torch.zeros(5, 5)
    matrix.grad = 1000 * draw(5, 5)
    Muon([matrix], weight_decay=0).step(0.01)
    singular = torch.linalg.svdvals(matrix)
    assert 0.006 < singular.min() < singular.max() < 0.013
    assert (matrix * matrix.grad).sum() < 0


def test_the_steps_go_on_along_earlier_gradients() -> None:
    matrix = torch.zeros(5, 5)
    muon = Muon([matrix], weight_decay=0)
    first, second = torch.diag(torch.tensor([1.0, 0, 0, 0, 0])), torch.diag(torch.tensor([0.0, 1, 0, 0, 0]))
    for gradient in (first, second):
        matrix.grad = gradient
        before = matrix.clone()
        muon.step(0.01)
    assert (matrix - before)[0, 0] < -0.003


def test_weights_without_a_gradient_decay() -> None:
    matrix = torch.ones(3, 3)
    matrix.grad = torch.zeros(3, 3)
    Muon([matrix], weight_decay=0.5).step(0.1)
    torch.testing.assert_close(matrix, torch.full((3, 3), 0.95))
