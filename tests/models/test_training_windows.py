import math

import numpy as np
import pytest
import torch

from nextreel.data.dataset import Dataset
from nextreel.data.times import LATEST_TIMESTAMP
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.transformer import TransformerConfig
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.query_windows import QueryWindows
from nextreel.models.transformer.training_windows import (
    EVENT_GRID,
    PLACE_GRID,
    QUERY_GRID,
    EpochBatches,
    TrainingQueries,
)
from nextreel.models.transformer.window_batches import QueryArrays, WindowArrays, pack_batch
from nextreel.testing import tiny_dataset
from tests.frames import catalog, interactions

CONFIG = TransformerConfig(window=40, overlap=10, rows_per_step=600)


def draw(dataset: Dataset, epoch: int = 1) -> EpochBatches:
    return TrainingQueries.of(dataset, CONFIG).draw(epoch)


def without_first_users(dataset: Dataset) -> Dataset:
    user_ids = dataset.user_ids[10:]
    rows = dataset.interactions()
    return dataset.with_rows(rows.filter(rows["UserID"].is_in(user_ids.tolist())))


def cuts_by_user(epoch: EpochBatches) -> dict[tuple[int, int, bool], int]:
    """The number of events before the cut, for each UserID, row of the first label, and whether it ends earlier."""
    queries, timeline = epoch.queries, epoch.queries.dataset.timeline
    keys = (*queries.keys, queries.n_earlier > 0)
    place = epoch.cuts - timeline.offsets[queries.users]
    return dict(zip(zip(*(key.tolist() for key in keys), strict=True), place.tolist(), strict=True))


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


def labels_by_cut(*rows: tuple[int, int, float, int], **options: object) -> set[tuple[int, tuple[int, ...]]]:
    """The number of events in the history and the movies asked for, of all queries of twenty epochs."""
    config = CONFIG.model_copy(update=options)
    queries = TrainingQueries.of(Dataset.from_frames(interactions(*rows), catalog(8)), config)
    found: set[tuple[int, tuple[int, ...]]] = set()
    for number in range(1, 20):
        epoch = queries.draw(number)
        movies = epoch.queries.dataset.timeline.movies
        labels = [
            tuple(movies[start:stop].tolist())
            for start, stop in zip(epoch.queries.starts, epoch.queries.stops, strict=True)
        ]
        found |= set(zip(epoch.cuts.tolist(), labels, strict=True))
    return found


PAGE = ((0, 0, 5, 10), (0, 1, 5, 20), (0, 2, 5, 30), (0, 3, 1, 30), (0, 4, 5, 30))
"""Two movies one after the other, and a basket of three."""


def test_baskets_are_asked_for_after_earlier_positives_and_right_before() -> None:
    assert labels_by_cut(*PAGE, within_share=0) == {(1, (1,)), (1, (2, 3, 4)), (2, (2, 3, 4))}


def test_baskets_are_asked_for_only_after_earlier_positives_where_there_are_any() -> None:
    assert labels_by_cut(*PAGE, within_share=0, next_share=0) == {(1, (1,)), (1, (2, 3, 4))}


def test_each_later_movie_of_a_basket_is_asked_for_right_after_the_one_before() -> None:
    whole_baskets = labels_by_cut(*PAGE, within_share=0)
    assert labels_by_cut(*PAGE) - whole_baskets == {(3, (3,)), (4, (4,))}


def test_a_first_basket_is_asked_for_by_its_later_movies_only() -> None:
    rows = [(0, movie, 5, 10) for movie in range(3)]
    assert labels_by_cut(*rows) == labels_by_cut(*rows, within_share=1e-9) == {(1, (1,)), (2, (2,))}


def test_a_query_for_a_movie_of_a_basket_is_asked_as_often_as_the_option_says() -> None:
    dataset = tiny_dataset(seed=1)
    counts = [
        sum(
            len(TrainingQueries.of(dataset, CONFIG.model_copy(update={"within_share": share})).draw(n).cuts)
            for n in range(9)
        )
        for share in (0, 0.5, 1)
    ]
    assert counts[0] < counts[1] < counts[2]
    assert counts[1] == pytest.approx((counts[0] + counts[2]) / 2, rel=0.05)


def test_training_batches_have_few_shapes() -> None:
    epoch = draw(tiny_dataset(seed=1))
    longest = int(epoch.windows.lengths.max())
    for batch, labels in map(epoch.pack, epoch.batches):
        _, n_events = batch.events.movies.shape
        assert n_events % EVENT_GRID == 0 or n_events == longest
        assert batch.queries.weeks.shape[1] % QUERY_GRID == 0
        assert len(batch.queries.places) % PLACE_GRID == 0
        assert int(labels.query.max()) < len(batch.queries.index)


def test_padding_changes_no_vector_of_a_query() -> None:
    dataset = tiny_dataset()
    network = Network(dataset.n_movies, CONFIG).eval()
    histories = dataset.histories(dataset.user_ids, np.full(dataset.n_users, LATEST_TIMESTAMP))
    last = dataset.timeline.timestamps[dataset.timeline.offsets[1:] - 1]
    asked = QueryWindows.of(histories, last + 1, CONFIG.window)
    batch = pack_batch(*asked.arrays())
    window_of = np.arange(len(asked))
    padded = pack_batch(
        WindowArrays.of(asked.events, asked.starts, asked.stops, n_rows=56),
        QueryArrays.of(window_of, asked.timestamps, asked.n_seen, asked.lengths, n_rows=3),
        n_places=70,
    )
    with torch.inference_mode():
        alone, with_padding = network(batch), network(padded)
    assert len(with_padding) == 70
    torch.testing.assert_close(with_padding[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def bucket(n_events: int) -> int:
    """A bucket for each number below 16, then three for each doubling."""
    return n_events if n_events < 16 else 16 + math.floor(3 * math.log2(n_events / 16))


def count_by_hand(timestamps: list[int]) -> list[int]:
    """Buckets of the number of events in all, in the last half hour's session, and in the last second."""
    counts = [len(timestamps)]
    for longest in (1800, 0):
        count = 1
        while count < len(timestamps) and timestamps[-count] - timestamps[-count - 1] <= longest:
            count += 1
        counts.append(count)
    return [bucket(count) for count in counts]


def dataset_of_visits() -> Dataset:
    """Twenty users with visits of a few seconds, in each of which a page of movies is rated."""
    random = np.random.default_rng(0)
    pauses = random.choice([0, 0, 0, 5, 1800, 1801, 90_000], size=(20, 40))
    return Dataset.from_frames(
        interactions(
            *(
                (user, movie, 5, int(time))
                for user, times in enumerate(np.cumsum(pauses, axis=1))
                for movie, time in enumerate(times)
            )
        ),
        catalog(40),
    )


def test_a_training_query_counts_the_events_of_its_history() -> None:
    config = CONFIG.model_copy(update={"window": 64})
    epoch = TrainingQueries.of(dataset_of_visits(), config).draw(1)
    timeline = epoch.queries.dataset.timeline
    first = timeline.offsets[epoch.queries.users]
    for windows in epoch.batches:
        batch, _ = epoch.pack(windows)
        queries = epoch.windows.queries_in(windows)[batch.queries.index]
        counts = batch.queries.counts.flatten(0, 1)[batch.queries.places[: len(queries)]]
        assert counts.tolist() == [
            count_by_hand(timeline.timestamps[first[query] : epoch.cuts[query]].tolist()) for query in queries
        ]


def test_a_query_counts_the_events_before_its_window_too() -> None:
    dataset = dataset_of_visits()
    at = np.full(dataset.n_users, LATEST_TIMESTAMP)
    histories = dataset.histories(dataset.user_ids, at)
    windows, queries = QueryWindows.of(histories, at, window=4).arrays()
    counts = queries.pack(windows.timestamps).counts
    assert set(counts[..., 0].flatten().tolist()) == {bucket(40)}
    assert int(counts[..., 1:].max()) <= 4


def test_every_window_is_in_one_batch() -> None:
    epoch = draw(tiny_dataset())
    assert sorted(np.concatenate(epoch.batches).tolist()) == list(range(len(epoch.windows)))
    assert max(map(len, epoch.batches)) > 1
