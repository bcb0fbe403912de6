from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.models.transformer.encoded_windows import KEY_BYTES, PAGE, EncodedWindows
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.window_batches import Batch
from nextreel.ranking.explanations import explain
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions

WIDTH = 2
PAGE_BYTES = PAGE * (KEY_BYTES + 2 * 4 * 2 * WIDTH)
"""Memory of a page of two layers."""


def window_of(*movies: int) -> Int64Array:
    return np.array([(movie, 8, 10 * place) for place, movie in enumerate(movies)])


def encode(windows: list[Int64Array]) -> list[Tensor]:
    """Keys and values of two layers, which tell the windows apart."""
    longest = max(map(len, windows))
    padded = [np.pad(window[:, 0], (0, longest - len(window))) for window in windows]
    by_event = torch.from_numpy(np.stack(padded)).float()[:, :, None].expand(-1, -1, 2 * WIDTH)
    return [by_event, 100 + by_event]


def create(memory: int) -> EncodedWindows:
    return EncodedWindows(memory, 2, WIDTH, torch.device("cpu"))


def known(windows: EncodedWindows, *asked: Int64Array) -> list[int]:
    return windows.read(asked)[0]


def test_what_was_written_is_read_for_whole_windows_and_their_first_events() -> None:
    first, second = window_of(*range(PAGE + 5)), window_of(*range(50, 53))
    windows = create(2**20)
    windows.write([first, second], encode([first, second]))
    asked = [window_of(7), second, first[: PAGE + 1]]
    numbers, encoded = windows.read(asked)
    assert numbers == [1, 2]
    for of_layer, expected in zip(encoded, encode(asked[1:]), strict=True):
        assert of_layer.shape == (2, PAGE + 1, 2 * WIDTH)
        assert torch.equal(of_layer[0, :3], expected[0, :3])
        assert torch.equal(of_layer[1], expected[1])


def test_a_window_with_another_event_is_not_known() -> None:
    windows, window = create(2**20), window_of(1, 2, 3)
    windows.write([window], encode([window]))
    assert known(windows, window) == [0]
    others = [window_of(2, 2, 3), window_of(1, 2, 3, 4), window_of(1, 5), window.copy(), window.copy()]
    others[3][1, 1] = 6
    others[4][2, 2] += 1
    assert known(windows, *others) == []
    window[:] = 0
    assert known(windows, window_of(1, 2, 3)) == [0]


def test_a_longer_history_replaces_the_one_with_the_same_beginning() -> None:
    windows, shorter, longer = create(2**20), window_of(1, 2), window_of(1, 3, 4)
    windows.write([shorter], encode([shorter]))
    windows.write([longer], encode([longer]))
    assert known(windows, shorter, longer) == [1]
    assert len(windows) == 1


def test_the_windows_used_longest_ago_are_forgotten_first() -> None:
    windows = create(2 * PAGE_BYTES)
    a, b, c, of_two_pages, of_three = (
        window_of(*range(start, start + length))
        for start, length in ((1, 2), (2, PAGE), (3, 1), (4, PAGE + 1), (5, 2 * PAGE + 1))
    )
    windows.write([a, b], encode([a, b]))
    assert known(windows, a, b) == [0, 1]
    known(windows, a)
    windows.write([c], encode([c]))
    assert known(windows, a, b, c) == [0, 2]
    windows.write([of_two_pages], encode([of_two_pages]))
    assert known(windows, a, b, c, of_two_pages) == [3]
    windows.write([of_three], encode([of_three]))
    assert known(windows, of_three) == []
    windows.write([a, b], encode([a, b]))
    assert known(windows, a, b) == [0, 1]


def test_clearing_forgets_and_overwrites() -> None:
    windows, window = create(2**20), window_of(1, 2, 3)
    windows.write([window], encode([window]))
    windows.clear()
    assert (len(windows), known(windows, window)) == (0, [])
    assert not any(of_layer.any() for of_layer in windows._pages)
    windows.write([window], encode([window]))
    assert known(windows, window) == [0]


class CountingNetwork(Network):
    n_encoded = 0

    def encode(self, batch: Batch, *options: object) -> tuple[Tensor, list[Tensor]]:
        self.n_encoded += batch.events.movies.numel()
        return super().encode(batch, *options)  # type: ignore[arg-type]


def counting_model(n_movies: int) -> tuple[Transformer, CountingNetwork]:
    model = Transformer(TransformerConfig(dimensions=8, window=30))
    torch.manual_seed(0)
    model.network = network = CountingNetwork(n_movies, model.config)
    return model, network.eval()


def histories_of(dataset: Dataset, user_ids: list[int], timestamp: int) -> tuple[Histories, Int64Array]:
    timestamps = np.full(len(user_ids), timestamp)
    return replace(dataset.histories(np.array(user_ids), timestamps), may_be_cached=True), timestamps


def test_only_what_isnt_known_is_encoded() -> None:
    dataset = Dataset.from_frames(
        interactions(*((user, movie, 4, 10 * movie + user) for user in (1, 2) for movie in range(8))),
        catalog(8),
    )
    model, network = counting_model(8)
    model.cache_histories(2**20)
    n_encoded = []
    for user_ids, timestamp in [([1], 55), ([1], 55), ([1], 35), ([1, 2], 55), ([1, 2], 65), ([2, 1], 65)]:
        before = network.n_encoded
        model.score(*histories_of(dataset, user_ids, timestamp))
        n_encoded.append(network.n_encoded - before)
    assert n_encoded == [6, 0, 0, 6, 14, 0]


def test_nothing_is_kept_of_histories_that_may_not_be_cached() -> None:
    dataset = tiny_dataset()
    model, _ = counting_model(dataset.n_movies)
    model.cache_histories(2**20)
    histories, timestamps = histories_of(dataset, dataset.user_ids[:1].tolist(), 2_000_000_000)
    model.score(replace(histories, may_be_cached=False), timestamps)
    explain(model, histories, timestamps, np.arange(3))
    assert model.known_windows is not None
    assert len(model.known_windows) == 0


def test_other_weights_know_nothing_of_what_was_kept() -> None:
    dataset = tiny_dataset()
    model, other = (Transformer(TransformerConfig(dimensions=8, epochs=1, seed=seed)) for seed in (0, 1))
    histories, timestamps = histories_of(dataset, dataset.user_ids.tolist(), 2_000_000_000)
    expected = other.fit(dataset).score(histories, timestamps)
    model.fit(dataset).cache_histories(2**20)
    model.score(histories, timestamps)
    np.testing.assert_array_equal(model.restore(other.state).score(histories, timestamps), expected)


def test_caching_again_forgets() -> None:
    dataset = tiny_dataset()
    model, network = counting_model(dataset.n_movies)
    n_encoded = []
    for forget in (True, False, True):
        if forget:
            model.cache_histories(2**20)
        model.score(*histories_of(dataset, dataset.user_ids.tolist(), 2_000_000_000))
        n_encoded.append(network.n_encoded)
    assert n_encoded[0] == n_encoded[1]
    assert n_encoded[2] == 2 * n_encoded[0]
