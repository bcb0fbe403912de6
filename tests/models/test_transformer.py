from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import ConfigError, DataError
from nextreel.models.base import Recommender
from nextreel.models.training.epochs import Epoch, Training
from nextreel.models.training.held_out_users import HeldOut
from nextreel.models.transformer import Transformer, TransformerConfig, query_windows
from nextreel.models.transformer.network import Network
from nextreel.models.transformer.window_batches import QueryArrays
from nextreel.testing import RecommenderConformance, tiny_dataset
from tests.frames import catalog, interactions

SMALL = {"dimensions": 8, "window": 16, "overlap": 4, "epochs": 2, "rows_per_step": 256}

ADDED_LATER = frozenset({"counts.weight", "latest", "preceding", "liking.weight", "liking_bias"})
"""Arrays that the file of an earlier nextreel doesn't have."""


def small(**options: object) -> Transformer:
    return Transformer(TransformerConfig.parse({**SMALL, **options}))


class TestConformance(RecommenderConformance):
    tolerance = 1e-4
    may_be_missing = ADDED_LATER

    def make(self) -> Recommender:
        return small()


def pairs_dataset(seconds: int) -> Dataset:
    """Every user rates 0 and 1, 2 and 3, and 4 and 5: in each pair, the second `seconds` after the first."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(90):
        for place, first in enumerate(random.permutation([0, 2, 4])):
            time = 1_000_000 * user + 10_000 * place
            rows += [(user, int(first), 5.0, time), (user, int(first) + 1, 5.0, time + seconds)]
    return Dataset.from_frames(interactions(*rows), catalog(8))


@pytest.mark.parametrize(
    ("seconds", "options"),
    [(0, {}), (9, {}), (9, {"negatives": 4, "bfloat16": True})],
    ids=["in the same second", "seconds later", "of sampled negatives in bfloat16"],
)
def test_what_came_next_in_training_is_expected_next(seconds: int, options: dict[str, object]) -> None:
    learning = {"epochs": 50, "dropout": 0, "within_share": 0.5, "dimensions": 16}
    model = small(**learning, **options).fit(pairs_dataset(seconds))
    for first in (0, 2, 4):
        known = Dataset.from_frames(interactions((999, first, 5, 50)), catalog(8))
        timestamps = np.array([50 + seconds])
        scores = model.score(known.histories(np.array([999]), timestamps + 1), timestamps)[0]
        assert np.argmax(scores * (np.arange(8) != first)) == first + 1


@pytest.mark.parametrize("negatives", [None, 4], ids=["all movies", "sampled"])
def test_a_fit_that_was_interrupted_and_resumed_ends_where_an_unbroken_one_does(
    negatives: int | None, tmp_path: Path
) -> None:
    dataset = tiny_dataset()

    def interrupt(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    unbroken = small(negatives=negatives).fit(dataset)
    with pytest.raises(KeyboardInterrupt):
        small(negatives=negatives).fit(dataset, Training(checkpoint=tmp_path / "c", on_epoch=interrupt))
    resumed = small(negatives=negatives).fit(dataset, Training(checkpoint=tmp_path / "c", resume=True))
    for name, array in unbroken.state.items():
        np.testing.assert_array_equal(resumed.state[name], array, err_msg=name)


@pytest.mark.parametrize("negatives", [None, 4], ids=["all movies", "sampled"])
def test_a_fit_on_several_threads_ends_where_one_on_a_single_thread_does(
    negatives: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = []
    for threads in ("1", "8"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        states.append(small(negatives=negatives).fit(tiny_dataset()).state)
    for name, array in states[0].items():
        np.testing.assert_array_equal(states[1][name], array, err_msg=name)


def test_queries_at_several_timestamps_of_one_history_score_as_each_alone() -> None:
    dataset = tiny_dataset()
    model = small().fit(dataset)
    timestamps = dataset.timeline.timestamps[dataset.timeline.offsets[1] - 1] + np.array([1, 1000, 10**6])
    users = np.repeat(dataset.user_ids[:1], 3)
    together = model.score(dataset.histories(users, timestamps), timestamps)
    alone = [
        model.score(dataset.histories(users[i : i + 1], timestamps[i : i + 1]), timestamps[i : i + 1])[0]
        for i in range(3)
    ]
    np.testing.assert_allclose(together, np.stack(alone), rtol=1e-4, atol=1e-5)
    assert not np.allclose(together[0], together[2])


def test_users_held_out_give_a_loss_and_an_ndcg_after_each_epoch() -> None:
    dataset = tiny_dataset()
    model = small(held_out_share=0.3).fit(dataset)
    assert len(model.epochs) == 2
    for epoch in model.epochs:
        assert 0 < (epoch.validation_loss or 0) < 2 * np.log(dataset.n_movies)
        assert 0 < (epoch.validation_ndcg or 0) < 1


def test_the_best_epoch_is_kept_not_the_last() -> None:
    dataset = tiny_dataset()
    _, held_out = HeldOut.split(dataset, 0.3, seed=0)
    model = small(held_out_share=0.3, epochs=12, learning_rate=0.3, dropout=0).fit(dataset)
    losses = [epoch.validation_loss or 0 for epoch in model.epochs]
    assert losses[-1] != min(losses)
    assert held_out.evaluate(model.score)[0] == pytest.approx(min(losses), rel=1e-4)


def test_users_held_out_by_the_caller_are_used_for_validation() -> None:
    train, held_out = HeldOut.split(tiny_dataset(), 0.3, seed=3)
    model = small().fit(train, Training(held_out=held_out))
    lowest = min(epoch.validation_loss or 0 for epoch in model.epochs)
    assert held_out.evaluate(model.score)[0] == pytest.approx(lowest, rel=1e-4)


def test_a_budget_of_minutes_ends_the_fit_within_the_first_epoch() -> None:
    model = small(epochs=10_000, minutes=1e-6).fit(tiny_dataset())
    assert len(model.epochs) == 1


def test_data_with_a_single_interaction_for_each_user_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        small().fit(Dataset.from_frames(interactions((1, 0, 5, 0), (2, 1, 5, 0)), catalog(3)))


def test_dimensions_that_are_no_multiple_of_heads_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"dimensions \(9\) must be a multiple of heads \(2\)"):
        small(dimensions=9)


def test_a_rating_counts_in_a_history_that_ends_before_it_is_replaced() -> None:
    dataset = Dataset.from_frames(
        interactions((1, 0, 5, 10), (1, 0, 5, 10), (1, 1, 5, 30), (2, 0, 5, 10), (2, 1, 5, 20)), catalog(4)
    )
    model = small().fit(dataset)
    # The first row of either user, that of user 1 without the one that replaces it in the same second.
    starts = dataset.timeline.offsets[:-1]
    histories = Histories(dataset.timeline, dataset.user_ids, starts, starts + 1, np.array([11, 11]))
    scores = model.score(histories, np.array([100, 100]))
    assert scores[0].any()
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4)


def test_nothing_is_learned_from_what_has_no_weight() -> None:
    rows = tiny_dataset().interactions().with_columns(pl.lit(1.0, dtype=pl.Float32).alias("Rating"))
    dataset = tiny_dataset().with_interactions(rows)
    model = small(disliked_weight=0).fit(dataset)
    timestamps = np.full(dataset.n_users, 2_000_000_000)
    assert np.isfinite(model.score(dataset.histories(dataset.user_ids, timestamps), timestamps)).all()


def test_a_fit_ends_where_the_held_out_loss_no_longer_falls() -> None:
    """The movies of this data set are drawn at random, so there is nothing to learn about users who are held out."""
    model = small(epochs=500, held_out_share=0.3, dropout=0).fit(tiny_dataset())
    losses = [epoch.validation_loss or 0 for epoch in model.epochs]
    assert 10 < len(losses) < 100
    assert min(losses) < min(losses[-5:])


@pytest.mark.parametrize("pairs", [1, 100, 1000])
def test_queries_score_the_same_however_they_are_divided(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = tiny_dataset()
    model = small(epochs=1).fit(dataset)
    rows = np.random.default_rng(0).permutation(len(dataset.timeline))[:60].repeat(2)
    timestamps = dataset.timeline.timestamps[rows]
    histories = dataset.histories(dataset.timeline.user_ids[dataset.timeline.users[rows]], timestamps)
    at_once = model.score(histories, timestamps)
    monkeypatch.setattr(query_windows, "PAIRS_AT_ONCE", pairs)
    np.testing.assert_allclose(model.score(histories, timestamps), at_once, rtol=1e-4, atol=1e-5)


def test_of_two_movies_that_are_chosen_as_often_the_one_that_is_liked_ranks_higher() -> None:
    """After movie 0, every user rates 1 and 2 in some order: the one always with 5 stars, the other with 1."""
    rows = []
    for user in range(60):
        for movie, time in ((0, 0), (1 + user % 2, 100), (2 - user % 2, 200)):
            rows.append((user, movie, 1.0 if movie == 2 else 5.0, 100_000 * user + time))
    model = small(epochs=30, dropout=0).fit(Dataset.from_frames(interactions(*rows), catalog(4)))
    known = Dataset.from_frames(interactions((999, 0, 5, 50)), catalog(4))
    scores = model.score(known.histories(np.array([999]), np.array([151])), np.array([151]))[0]
    assert scores[1] > scores[2] + 1


def test_the_input_of_a_query_has_the_latest_events_that_it_sees() -> None:
    network = Network(5, TransformerConfig(dimensions=4, heads=1))
    for embedding in (network.gaps, network.calendar, network.counts):
        embedding.weight.data[:] = 0
    network.latest.data = torch.tensor([1.0, 10.0, 100.0, 1000.0])[:, None].expand(-1, 4)
    n_seen = np.array([[0, 1, 5], [2, 3, 0]])
    timestamps = np.zeros((2, 6), dtype=np.int64)
    queries = QueryArrays(np.zeros((2, 3), dtype=np.int64), n_seen, n_seen, np.arange(6), np.arange(6))
    events = torch.arange(1.0, 7)[None, :, None] * torch.tensor([1.0, -1.0])[:, None, None]
    inputs = network._embed_queries(queries.pack(timestamps), events.expand(-1, -1, 4))
    assert inputs[:, :, 0].tolist() == [[0, 1, 5 + 40 + 300 + 2000], [-2 - 10, -3 - 20 - 100, 0]]


def test_the_input_of_an_event_has_the_events_right_before_it() -> None:
    network = Network(5, TransformerConfig(dimensions=4, heads=1))
    network.preceding.data = torch.tensor([10.0, 100.0, 1000.0])[:, None].expand(-1, 4)
    events = torch.arange(1.0, 6)[None, :, None].expand(-1, -1, 4)
    expected = [1, 2 + 10, 3 + 20 + 100, 4 + 30 + 200 + 1000, 5 + 40 + 300 + 2000]
    assert network._add_preceding(events)[0, :, 0].tolist() == expected
