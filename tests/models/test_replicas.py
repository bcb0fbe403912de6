import pytest
import torch

from nextreel.models.training.replicas import Replicas


@pytest.mark.parametrize("n_parts", [2, 4, 6])
def test_the_shares_of_all_replicas_hold_every_part_once(n_parts: int) -> None:
    shares = [Replicas(number, 2).share(n_parts) for number in range(2)]
    assert sorted(part for share in shares for part in share) == list(range(n_parts))


def test_each_replica_computes_a_batch_of_fewer_parts_than_replicas() -> None:
    assert [list(Replicas(number, 2).share(1)) for number in range(2)] == [[0], [0]]
    parts = [torch.tensor([1.0, 2.0])]
    for number in range(2):  # without a process group: nothing is exchanged
        torch.testing.assert_close(Replicas(number, 2).sum_parts(parts, 1), parts[0])


def test_a_single_process_sums_its_parts_and_agrees_with_itself() -> None:
    parts = [torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])]
    torch.testing.assert_close(Replicas().sum_parts(parts, 2), torch.tensor([11.0, 22.0]))
    assert Replicas().agree(3.25) == 3.25
