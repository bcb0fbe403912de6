import numpy as np
import torch

from nextreel.data.dataset import Dataset
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.transformer import TransformerConfig
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.training_windows import (
    EVENT_GRID,
    PLACE_GRID,
    QUERY_GRID,
    EpochBatches,
    TargetBaskets,
)
from nextreel.models.transformer.window_batches import batch_queries
from nextreel.testing import tiny_dataset

CONFIG = TransformerConfig(window=40, overlap=10, rows_per_step=600)


def draw(dataset: Dataset, epoch: int = 1) -> EpochBatches:
    return TargetBaskets.of(dataset, CONFIG).draw(epoch)


def without_first_users(dataset: Dataset) -> Dataset:
    user_ids = dataset.user_ids[10:]
    rows = dataset.interactions()
    return dataset.with_rows(rows.filter(rows["UserID"].is_in(user_ids.tolist())))


def cuts_by_user(epoch: EpochBatches) -> dict[tuple[int, int], int]:
    """The number of events before the cut, for each UserID and first row of a basket."""
    baskets, timeline = epoch.baskets, epoch.baskets.dataset.timeline
    user_ids, first_rows = baskets.keys
    place = epoch.cuts - timeline.offsets[baskets.users]
    return dict(zip(zip(user_ids.tolist(), first_rows.tolist(), strict=True), place.tolist(), strict=True))


def test_what_is_drawn_for_a_user_depends_on_no_other_user() -> None:
    dataset = tiny_dataset()
    everybody, some = cuts_by_user(draw(dataset)), cuts_by_user(draw(without_first_users(dataset)))
    assert 0 < len(some) < len(everybody)
    assert some.items() <= everybody.items()
    assert everybody != cuts_by_user(draw(dataset, epoch=2))


def test_who_is_held_out_depends_on_no_other_user() -> None:
    dataset = tiny_dataset()
    everybody = set(HeldOut.split(dataset, 0.3, seed=0)[1].histories.user_ids.tolist())
    some = set(HeldOut.split(without_first_users(dataset), 0.3, seed=0)[1].histories.user_ids.tolist())
    assert some == everybody & set(dataset.user_ids[10:].tolist())


def test_a_history_ends_before_its_basket_or_within_it() -> None:
    baskets = TargetBaskets.of(tiny_dataset(), CONFIG)
    offsets = baskets.dataset.timeline.offsets[baskets.users]
    n_inside = np.zeros(len(baskets), dtype=np.int64)
    for number in range(1, 20):
        cuts = baskets.draw(number).cuts
        assert (offsets < cuts).all()
        assert (cuts < baskets.stops).all()
        n_inside += cuts > baskets.starts
    assert not n_inside[baskets.stops - baskets.starts == 1].any()


def test_training_batches_have_few_shapes() -> None:
    epoch = draw(tiny_dataset(seed=1))
    longest = int(epoch.windows.lengths.max())
    for batch, labels in map(epoch.pack, epoch.batches):
        _, n_events = batch.movies.shape
        assert n_events % EVENT_GRID == 0 or n_events == longest
        assert batch.weeks.shape[1] % QUERY_GRID == 0
        assert len(batch.query_places) % PLACE_GRID == 0
        assert int(labels.query.max()) < len(batch.query_index)


def test_padding_changes_no_vector_of_a_query() -> None:
    dataset = tiny_dataset()
    network = Network(dataset.n_movies, CONFIG).eval()
    histories = dataset.histories(dataset.user_ids, np.full(dataset.n_users, LATEST_TIMESTAMP))
    last = dataset.timeline.timestamps[dataset.timeline.offsets[1:] - 1]
    batch = batch_queries(histories, last + 1, CONFIG.window)
    padded = batch_queries(histories, last + 1, CONFIG.window, shape=(56, 3, 70))
    with torch.inference_mode():
        alone, with_padding = network(batch), network(padded)
    assert len(with_padding) == 70
    torch.testing.assert_close(with_padding[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def test_every_window_is_in_one_batch() -> None:
    epoch = draw(tiny_dataset())
    assert sorted(np.concatenate(epoch.batches).tolist()) == list(range(len(epoch.windows)))
    assert max(map(len, epoch.batches)) > 1
