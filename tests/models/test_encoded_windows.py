from typing import Any

import numpy as np
import pytest
import torch

from nextreel.arrays import Int64Array
from nextreel.data.dataset import Dataset
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.models.transformer.encoded_windows import EncodedWindows, encode
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.query_windows import QueryWindows
from nextreel.models.transformer.window_batches import EventRows, pack_batch, relate
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions

CONFIG = TransformerConfig(dimensions=8, window=30)


def windows_before(dataset: Dataset, share: float) -> QueryWindows:
    """The windows of all users before this share of the time of the data set."""
    first, last = dataset.timeline.timestamps.min(), dataset.timeline.timestamps.max()
    timestamps = np.full(dataset.n_users, int(first + share * (last - first)) + 1)
    return QueryWindows.of(dataset.histories(dataset.user_ids, timestamps), timestamps, CONFIG.window)


def new_network(dataset: Dataset) -> Network:
    torch.manual_seed(0)
    return Network(dataset.n_movies, CONFIG).eval()


class CountingNetwork(Network):
    n_encoded = 0

    def _embed_events(self, events: EventRows, *options: Any) -> torch.Tensor:
        self.n_encoded += events.movies.numel()
        return super()._embed_events(events, *options)


def vectors(network: Network, windows: QueryWindows, known: EncodedWindows | None) -> torch.Tensor:
    events, queries = windows.arrays()
    relations = relate(events.timestamps, queries.timestamps, queries.n_seen, first_query=0)
    with torch.inference_mode():
        return network.ask(queries.pack(events.timestamps), relations, encode(network, events, known))


@pytest.mark.parametrize("known", [None, EncodedWindows(2**20)], ids=["nothing known", "keeping"])
def test_queries_get_the_vectors_that_training_computes(known: EncodedWindows | None) -> None:
    dataset = tiny_dataset()
    network, windows = new_network(dataset), windows_before(dataset, 1)
    with torch.inference_mode():
        expected = network(pack_batch(*windows.arrays()))
    torch.testing.assert_close(vectors(network, windows, known), expected, rtol=1e-4, atol=1e-5)


def test_a_window_that_is_known_gives_the_same_vectors() -> None:
    dataset, known = tiny_dataset(), EncodedWindows(2**20)
    network, windows = new_network(dataset), windows_before(dataset, 0.5)
    expected = vectors(network, windows, None)
    vectors(network, windows_before(dataset, 1), known)
    torch.testing.assert_close(vectors(network, windows, known), expected, rtol=1e-4, atol=1e-5)


def test_only_what_isnt_known_is_encoded() -> None:
    dataset = Dataset.from_frames(
        interactions(*((user, movie, 4, 10 * movie + user) for user in (1, 2) for movie in range(8))),
        catalog(8),
    )
    torch.manual_seed(0)
    network, known = CountingNetwork(8, CONFIG).eval(), EncodedWindows(2**20)
    n_encoded = []
    for user_ids, timestamp in [([1], 55), ([1], 55), ([1], 35), ([1, 2], 55), ([1, 2], 65), ([2, 1], 65)]:
        timestamps, before = np.full(len(user_ids), timestamp), network.n_encoded
        histories = dataset.histories(np.array(user_ids), timestamps)
        vectors(network, QueryWindows.of(histories, timestamps, 30), known)
        n_encoded.append(network.n_encoded - before)
    assert n_encoded == [6, 0, 0, 6, 14, 0]


def events(*rows: tuple[int, int, int]) -> Int64Array:
    return np.array(rows)


def test_a_window_is_known_if_all_its_events_are() -> None:
    known, encoded = EncodedWindows(2**20), [torch.rand(3, 4), torch.rand(3, 4)]
    known.keep(events((1, 8, 10), (2, 8, 20), (3, 8, 30)), encoded)
    for first_events in (events((1, 8, 10)), events((1, 8, 10), (2, 8, 20), (3, 8, 30))):
        found = known.find(first_events)
        assert found is not None
        assert all(map(torch.equal, found, [of_layer[: len(first_events)] for of_layer in encoded]))
    for other in (
        events((1, 6, 10)),
        events((1, 8, 10), (2, 6, 20)),
        events((1, 8, 10), (2, 8, 20), (3, 8, 31)),
        events((1, 8, 10), (2, 8, 20), (3, 8, 30), (4, 8, 40)),
    ):
        assert known.find(other) is None


def test_a_kept_window_doesnt_change_with_what_it_was_made_of() -> None:
    known, of_window, encoded = EncodedWindows(2**20), events((1, 8, 10)), torch.ones(1, 4)
    known.keep(of_window, [encoded])
    of_window[:] = 0
    encoded[:] = 0
    found = known.find(events((1, 8, 10)))
    assert found is not None
    assert torch.equal(found[0], torch.ones(1, 4))


def test_the_windows_used_longest_ago_are_forgotten_first() -> None:
    size = 3 * 8 + 4 * 4
    known, encoded = EncodedWindows(2 * size), [torch.ones(1, 4)]
    windows = [events((movie, 8, 10)) for movie in range(3)]

    def found() -> list[bool]:
        return [known.find(window) is not None for window in windows]

    known.keep(windows[0], encoded)
    known.keep(windows[1], encoded)
    assert found() == [True, True, False]
    known.find(windows[0])
    known.keep(windows[2], encoded)
    assert found() == [True, False, True]
    known.keep(np.concatenate([windows[0]] * 9), [torch.ones(9, 4)])  # more than there is memory for
    assert found() == [False, False, False]
    known.keep(windows[0], encoded)
    known.keep(windows[1], encoded)
    assert found() == [True, True, False]


def test_caching_again_forgets() -> None:
    dataset = tiny_dataset()
    model = Transformer(TransformerConfig(dimensions=8, window=16, epochs=1)).fit(dataset)
    network = CountingNetwork(dataset.n_movies, model.config)
    network.load_state_dict(model.network.state_dict() if model.network else {})
    model.network = network.eval()
    timestamps = np.full(dataset.n_users, 2_000_000_000)
    counts = []
    for forget in (True, False, True):
        if forget:
            model.cache_histories(2**20)
        model.score(dataset.histories(dataset.user_ids, timestamps), timestamps)
        counts.append(network.n_encoded)
    assert counts[0] == counts[1]
    assert counts[2] == 2 * counts[0]
