from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from nextreel.arrays import Float32Array, Float64Array
from nextreel.data.dataset import Dataset
from nextreel.errors import ArtifactError, DataError
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE, EASEConfig
from nextreel.models.next_choices import NextChoices
from nextreel.models.sequential_ridge import SequentialRidge, SequentialRidgeConfig
from nextreel.models.sequential_ridge.baskets import BasketSequences, running_sum
from nextreel.models.sequential_ridge.closed_forms import EASE_REGULARIZATION
from nextreel.models.sequential_ridge.features import FeatureMap
from nextreel.models.sequential_ridge.ridge_model import FOLLOWER_ARRAYS, _choose_learned
from nextreel.testing import RecommenderConformance
from nextreel.testing.conformance import tiny_dataset
from tests.frames import catalog, interactions

DAY = 86_400
LATER = 2_000_000_000
SMALL = SequentialRidgeConfig(
    regularization=1, dense_regularization=1, dimensions=8, hidden=16, rank=60, horizon=3, short_history=0
)


class TestConformance(RecommenderConformance):
    def make(self) -> Recommender:
        return SequentialRidge(SMALL)


class TestConformanceWithTheDefaults(RecommenderConformance):
    def make(self) -> Recommender:
        return SequentialRidge()


class TestConformanceWithoutRandomFeatures(RecommenderConformance):
    def make(self) -> Recommender:
        return SequentialRidge(SequentialRidgeConfig(dimensions=2, hidden=0, rank=1, horizon=1))


def scores_after(model: Recommender, *rows: tuple[int, int, float, int], timestamps: int) -> Float32Array:
    known = Dataset.from_frames(interactions(*rows), catalog(8))
    scores: Float32Array = model.score(
        known.histories(np.array([999]), np.array([timestamps])), np.array([timestamps])
    )[0]
    return scores


def test_what_came_next_in_training_is_expected_next() -> None:
    pairs = [(0, 1), (2, 3), (4, 5)]
    rows = [(user, pairs[user % 3][step], 5, step) for user in range(60) for step in (0, 1)]
    model = SequentialRidge(SMALL).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    for first, second in pairs:
        assert np.argmax(scores_after(model, (999, first, 5, 0), timestamps=5)) == second


def test_the_latest_of_two_movies_decides() -> None:
    orders = list(permutations([(0, 1), (2, 3), (4, 5)])) * 20
    rows = [
        (user, movie, 5, step)
        for user, pairs in enumerate(orders)
        for step, movie in enumerate(sum(pairs, ()))
    ]
    config = SMALL.model_copy(update={"horizon": 1})
    model = SequentialRidge(config).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    assert np.argmax(scores_after(model, (999, 0, 5, 0), (999, 2, 5, 1), timestamps=5)) == 3
    assert np.argmax(scores_after(model, (999, 2, 5, 0), (999, 0, 5, 1), timestamps=5)) == 1


def test_after_a_long_gap_it_expects_what_was_watched_after_long_gaps() -> None:
    rows = [row for user in range(60) for row in ((user, 0, 5, 0), (user, 1, 5, 9), (user, 2, 5, 9 * DAY))]
    model = SequentialRidge(SMALL).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    assert np.argmax(scores_after(model, (999, 0, 5, 0), timestamps=9)) == 1
    assert np.argmax(scores_after(model, (999, 0, 5, 0), timestamps=9 * DAY)) == 2


def test_within_the_second_of_the_last_interaction_it_expects_the_rest_of_that_second() -> None:
    rows = [
        row
        for user in range(60)
        for row in ((user, 0, 5, 0), (user, 1, 5, 9), (user, 2, 5, 9), (user, 3, 5, 10))
    ]
    config = SMALL.model_copy(update={"within_second": 0.0})
    model = SequentialRidge(config).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    history = ((999, 0, 5, 0), (999, 1, 5, 9))
    known = Dataset.from_frames(interactions(*history), catalog(8))
    timestamps = np.array([9])
    assert np.argmax(model.score(known.histories(np.array([999]), timestamps + 1), timestamps)[0]) == 2
    assert np.argmax(scores_after(model, *history, timestamps=10)) == 3


def rated_in_one_second(dataset: Dataset, model: Recommender, *movies: int) -> Float32Array:
    """The scores of a query in the second in which somebody rated these movies, in this order."""
    known = dataset.with_interactions(interactions(*((999, movie, 5, LATER) for movie in movies)))
    histories = known.histories(np.array([999]), np.array([LATER + 1]))
    scores: Float32Array = model.score(histories, np.array([LATER]))[0]
    return scores


def test_within_a_second_it_expects_what_often_followed_the_last_movie_directly() -> None:
    rows = [(user, movie, 5, 100 * user) for user in range(60) for movie in (0, 1, 2, 3)]
    dataset = Dataset.from_frames(interactions(*rows), catalog(8))
    in_order, without_order = (
        SequentialRidge(SMALL.model_copy(update={"followers": weight})).fit(dataset) for weight in (1, 0)
    )
    for history, expected in (((0, 1), 2), ((1, 0), 1), ((3, 2), 3)):
        scores = rated_in_one_second(dataset, in_order, *history)
        added = scores - rated_in_one_second(dataset, without_order, *history)
        assert np.argmax(added[:4]) == expected


def test_followers_are_counted_in_the_order_of_the_data_and_less_if_not_liked() -> None:
    rows = [(1, 0, 5, 7), (1, 2, 5, 7), (1, 1, 2, 7), (1, 3, 5, 8), (2, 0, 5, 9), (2, 2, 5, 9)]
    model = SequentialRidge(SMALL).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    counts = np.zeros((4, 4))
    counts[model.followed_, model.followers_] = np.expm1(model.follower_counts_)
    expected = np.zeros((4, 4))
    expected[0, 2], expected[2, 1] = 2, SMALL.unliked_weight
    np.testing.assert_allclose(counts, expected, rtol=1e-5)


def test_within_a_second_the_taste_counts_in_units_of_the_spread() -> None:
    dataset = tiny_dataset()
    update = {"undirected": 0, "followers": 0}
    fitted = SequentialRidge(SMALL.model_copy(update=update)).fit(dataset)
    alone, with_taste = (
        rated_in_one_second(
            dataset,
            SequentialRidge(SMALL.model_copy(update=update | {"taste_within_second": weight})).restore(
                fitted.state
            ),
            3,
            6,
        )[fitted.columns_ >= 0]
        for weight in (0, 0.5)
    )
    assert (with_taste - alone).std() == pytest.approx(0.5 * alone.std(), rel=1e-3)


def test_a_movie_without_followers_adds_nothing() -> None:
    rows = [(user, movie, 5, 100 * user) for user in range(60) for movie in (0, 1)]
    dataset = Dataset.from_frames(interactions(*rows, *((user, 5, 5, 99) for user in range(60))), catalog(8))
    with_order, without_order = (
        SequentialRidge(SMALL.model_copy(update={"followers": weight})).fit(dataset) for weight in (1, 0)
    )
    np.testing.assert_array_equal(
        rated_in_one_second(dataset, with_order, 0, 5), rated_in_one_second(dataset, without_order, 0, 5)
    )


def test_a_file_without_followers_scores_as_before_and_one_with_some_of_their_arrays_is_refused() -> None:
    dataset = tiny_dataset()
    state = SequentialRidge(SMALL).fit(dataset).state
    of_1_0 = {name: array for name, array in state.items() if name not in FOLLOWER_ARRAYS}
    restored = SequentialRidge(SMALL).restore(of_1_0)
    by_x_and_ease = SequentialRidge(SMALL.model_copy(update={"followers": 0, "taste_within_second": 0}))
    np.testing.assert_array_equal(
        rated_in_one_second(dataset, restored, 3, 6),
        rated_in_one_second(dataset, by_x_and_ease.restore(state), 3, 6),
    )
    with pytest.raises(ArtifactError, match="the array 'followers_' is missing"):
        SequentialRidge(SMALL).restore({name: array for name, array in state.items() if name != "followers_"})


def test_an_unliked_movie_is_expected_less() -> None:
    rows = [
        (user, (0, 1 + user % 2)[step], 5 - 3 * (user % 2) * step, step)
        for user in range(60)
        for step in (0, 1)
    ]
    model = SequentialRidge(SMALL).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    scores = scores_after(model, (999, 0, 5, 0), timestamps=5)
    assert scores[1] > scores[2] > 0


def test_the_order_within_one_second_has_no_effect() -> None:
    dataset, new_user, timestamps = tiny_dataset(), np.array([999]), np.array([LATER])
    model = SequentialRidge(SMALL).fit(dataset)
    one_way, other_way = (
        dataset.with_interactions(interactions((999, 3, 5, 7), *tied))
        for tied in ([(999, 6, 5, 8), (999, 9, 2, 8)], [(999, 9, 2, 8), (999, 6, 5, 8)])
    )
    np.testing.assert_allclose(
        model.score(one_way.histories(new_user, timestamps), timestamps),
        model.score(other_way.histories(new_user, timestamps), timestamps),
        rtol=1e-4,
        atol=1e-6,
    )


def test_an_empty_history_scores_zeros() -> None:
    dataset = tiny_dataset()
    nobody, timestamps = np.array([123_456]), np.array([LATER])
    assert (
        not SequentialRidge(SMALL).fit(dataset).score(dataset.histories(nobody, timestamps), timestamps).any()
    )


def test_a_new_user_is_scored_from_the_history() -> None:
    dataset = tiny_dataset()
    user, new_user, timestamps = int(dataset.user_ids[0]), 77_777, np.array([LATER])
    model = SequentialRidge(SMALL).fit(dataset)
    copy = dataset.interactions().filter(UserID=user).with_columns(UserID=pl.lit(new_user, pl.Int64))
    np.testing.assert_array_equal(
        model.score(dataset.with_interactions(copy).histories(np.array([new_user]), timestamps), timestamps),
        model.score(dataset.histories(np.array([user]), timestamps), timestamps),
    )


def rows_of(
    model: SequentialRidge, dataset: Dataset, long_gap: bool = False
) -> tuple[Float64Array, Float64Array]:
    """The rows [x z] of the regression and their targets y, built one by one, each with the features that a query with
    the same history has."""
    timeline, config = dataset.timeline, model.config
    is_known = np.bincount(timeline.movies, minlength=dataset.n_movies) > 0
    features = FeatureMap(model.embeddings_, is_known, model.mixing_)
    rows, targets = [], []
    for user in range(dataset.n_users):
        own = np.arange(timeline.offsets[user], timeline.offsets[user + 1])
        for row in own:
            later, timestamp = own[own > row], timeline.timestamps[row]
            if not config.within_second and len(later) and timeline.timestamps[later[0]] == timestamp:
                continue
            history = dataset.histories(dataset.user_ids[user : user + 1], np.array([LATER]))
            x, z = features.of_histories(replace(history, stops=np.array([row + 1])), model.columns_)
            rows.append(np.concatenate([x.toarray()[0], z[0]]))
            target = np.zeros(dataset.n_movies)
            for step, other in enumerate(later[: config.horizon]):
                if not long_gap or timeline.timestamps[other] > timestamp + 60:
                    weight = 1 if timeline.ratings[other] >= 4 else config.unliked_weight
                    target[timeline.movies[other]] = weight * config.target_decay**step
            targets.append(target)
    return np.array(rows, dtype=np.float64), np.array(targets)


@pytest.mark.parametrize("most_movies", [5000, 20], ids=["all-learned", "some-rare"])
@pytest.mark.parametrize("long_gap", [False, True], ids=["soon", "later"])
@pytest.mark.parametrize("within_second", [0.0, 1.0], ids=["after-each-second", "after-each-row"])
def test_the_weights_are_where_the_loss_has_no_slope(
    most_movies: int, long_gap: bool, within_second: float
) -> None:
    update = {"long_gap_days": 60 / DAY, "within_second": within_second, "most_movies": most_movies}
    dataset = tiny_dataset()
    model = SequentialRidge(SMALL.model_copy(update=update)).fit(dataset)
    x, targets = rows_of(model, dataset, long_gap)
    y = targets[:, model.columns_ >= 0]
    dense = model.inner_[int(long_gap)] @ model.outer_[int(long_gap)]
    weights = np.concatenate([model.weights_[int(long_gap)], dense])
    slope = x.T @ (x @ weights - y) + weights
    assert np.abs(x.T @ y).max() > 1
    assert np.abs(slope).max() < 0.01


def test_rounding_errors_never_exceed_the_penalty() -> None:
    dataset, timestamps = tiny_dataset(), np.array([LATER])
    config = SMALL.model_copy(
        update={"dense_regularization": 1e-12, "hidden": 256, "long_gap_days": 60 / DAY}
    )
    scores = (
        SequentialRidge(config).fit(dataset).score(dataset.histories(np.array([7]), timestamps), timestamps)
    )
    assert 0.01 < np.abs(scores).max() < 100


@pytest.mark.parametrize("long_gap", [False, True], ids=["soon", "later"])
def test_rare_movies_have_a_ridge_regression_on_the_leading_directions(long_gap: bool) -> None:
    update = {"long_gap_days": 60 / DAY, "within_second": 1.0, "most_movies": 20}
    dataset = tiny_dataset()
    model = SequentialRidge(SMALL.model_copy(update=update)).fit(dataset)
    assert len(model.rare_) == 39
    x, targets = rows_of(model, dataset, long_gap)
    outer = model.rare_outer_[int(long_gap)]
    inner = model.inner_[int(long_gap)][:, -len(outer) :].astype(np.float64)
    factors = x[:, -len(inner) :] @ inner
    penalised = factors.T @ factors + inner.T @ inner
    expected = np.linalg.solve(penalised, factors.T @ targets[:, model.rare_])
    np.testing.assert_allclose(outer[:, model.rare_], expected, atol=1e-3)
    assert not outer[:, model.columns_ >= 0].any()


def test_a_rare_movie_is_recommended_to_those_whose_taste_it_is() -> None:
    rows = [
        (user, movie, 5, 100 * step)
        for user in range(60)
        for step, movie in enumerate((0, 1, 4, 5) if user % 2 else (2, 3, 6, 7))
        if movie != 4 + 2 * (user % 2 == 0) or user < 40
    ]
    config = SMALL.model_copy(update={"most_movies": 4, "horizon": 3})
    dataset = Dataset.from_frames(interactions(*rows), catalog(8))
    model = SequentialRidge(config).fit(dataset)
    for history, own, other in (((0, 1), 4, 6), ((2, 3), 6, 4)):
        scores = scores_after(
            model, *((999, movie, 5, 100 * step) for step, movie in enumerate(history)), timestamps=300
        )
        assert scores[own] > scores[other] + 0.1


def test_movies_with_few_ratings_are_rare_where_enough_others_are_there() -> None:
    counts = np.repeat([20, 3], [2100, 400])
    assert _choose_learned(counts, 5000).tolist() == [True] * 2100 + [False] * 400
    assert _choose_learned(counts, 50).sum() == 50
    assert _choose_learned(counts[1500:], 5000).all()
    assert _choose_learned(np.array([0, 1, 0]), 5000).tolist() == [False, True, False]


def test_neither_threads_nor_parts_change_what_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = tiny_dataset()
    whole = SequentialRidge(SMALL).fit(dataset)
    monkeypatch.setattr("nextreel.models.sequential_ridge.ridge_model.INTERACTIONS_PER_PART", 100)
    monkeypatch.setattr("nextreel.models.sequential_ridge.normal_equations.INTERACTIONS_AT_ONCE", 40)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = SequentialRidge(SMALL).fit(dataset)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    together = SequentialRidge(SMALL).fit(dataset)
    for name, array in together.state.items():
        np.testing.assert_array_equal(alone.state[name], array, err_msg=name)
    np.testing.assert_allclose(alone.weights_, whole.weights_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(alone.completion_, whole.completion_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(alone.follower_counts_, whole.follower_counts_, rtol=1e-5)


def test_undirected_weights_are_those_of_ease() -> None:
    dataset = tiny_dataset()
    model = SequentialRidge(SMALL).fit(dataset)
    ease = EASE(EASEConfig(regularization=EASE_REGULARIZATION)).fit(dataset)
    learned = np.flatnonzero(model.columns_ >= 0)
    np.testing.assert_allclose(model.undirected_, ease.weights_[np.ix_(learned, learned)], atol=1e-6)


def test_undirected_scores_are_added_in_units_of_their_spread() -> None:
    dataset, timestamps = tiny_dataset(), np.full(40, LATER)
    histories = dataset.histories(dataset.user_ids, timestamps)
    without, model = (
        SequentialRidge(SMALL.model_copy(update={"undirected": weight})).fit(dataset) for weight in (0, 0.5)
    )
    learned = model.columns_ >= 0
    directed = without.score(histories, timestamps)[:, learned]
    added = model.score(histories, timestamps)[:, learned] - directed
    np.testing.assert_allclose(added.std(axis=1), 0.5 * directed.std(axis=1), rtol=1e-3)


def test_a_running_sum_starts_anew_with_each_group() -> None:
    groups, rows = np.repeat(np.arange(4), [3, 150, 1, 60]), np.arange(214)
    values = np.random.default_rng(0).random((214, 5), dtype=np.float32)
    expected = np.concatenate([np.cumsum(values[groups == group], axis=0) for group in range(4)])
    np.testing.assert_allclose(running_sum(groups, values, rows), expected, rtol=1e-4, atol=1e-5)


def test_a_user_who_has_liked_nothing_yet_has_no_taste_in_liked_movies() -> None:
    random, n_users, n_movies = np.random.default_rng(0), 40, 50
    rows = [
        (user, int(movie), 5 if user % 2 else 1, 100 * place)
        for user in range(n_users)
        for place, movie in enumerate(random.permutation(n_movies)[:20])
    ]
    dataset = Dataset.from_frames(interactions(*rows), catalog(n_movies))
    embeddings = random.standard_normal((2, n_movies, 128), dtype=np.float32)
    features = FeatureMap(embeddings, np.ones(n_movies, dtype=np.bool_), np.zeros((513, 0), dtype=np.float32))
    sequences = BasketSequences.of(dataset.histories(dataset.user_ids, np.full(n_users, LATER)))
    of_rows = features.of_rows(sequences, np.arange(len(sequences.users)))
    assert not of_rows[sequences.users % 2 == 0, 128:256].any()
    assert np.linalg.norm(of_rows[sequences.users % 2 == 1, 128:256], axis=1) == pytest.approx(1)


def test_a_short_history_is_also_scored_by_what_others_chose_at_that_point() -> None:
    habit = (0, 1, 2, 3, 4, 5)
    rows = [(user, movie, 5, 100 * user + step) for user in range(60) for step, movie in enumerate(habit)]
    dataset = Dataset.from_frames(interactions(*rows), catalog(8))
    alone, together = (
        SequentialRidge(SMALL.model_copy(update={"short_history": n})).fit(dataset) for n in (0, 2)
    )
    two = ((999, 6, 5, 9000), (999, 7, 5, 9001))
    np.testing.assert_array_equal(
        scores_after(together, *two, timestamps=9002), scores_after(alone, *two, timestamps=9002)
    )
    known = ((999, 0, 5, 9000),)
    added = scores_after(together, *known, timestamps=9001) - scores_after(alone, *known, timestamps=9001)
    others = NextChoices().fit(dataset)
    expected = scores_after(others, *known, timestamps=9001)
    spread = scores_after(alone, *known, timestamps=9001).std() / expected.std()
    np.testing.assert_allclose(added, spread * (expected - expected.mean()), rtol=1e-3, atol=1e-5)


def test_choices_later_than_a_query_have_no_effect_on_its_short_history() -> None:
    early = [(user, movie, 5, 10 * user + step) for user in range(60) for step, movie in enumerate((0, 1))]
    late = [(100 + user, movie, 5, 5000 + step) for user in range(60) for step, movie in enumerate((0, 3))]
    config = SMALL.model_copy(update={"short_history": 2})
    model = SequentialRidge(config).fit(Dataset.from_frames(interactions(*early, *late), catalog(8)))
    choices = model._score_next_choices
    known = Dataset.from_frames(interactions((999, 0, 5, 900)), catalog(8))
    before, after = (np.array([timestamps]) for timestamps in (1000, 6000))
    histories = known.histories(np.array([999]), before)
    assert np.argmax(choices(histories, before, np.ones(1, np.float32))[0]) == 1
    assert (
        choices(histories, before, np.ones(1, np.float32))[0, 3]
        < choices(histories, after, np.ones(1, np.float32))[0, 3]
    )


def test_few_interactions_get_few_random_features() -> None:
    defaults, few = SequentialRidgeConfig(), SequentialRidgeConfig(hidden=16)
    assert [defaults.count_hidden(n) for n in (10, 50_000, 300_000, 30_000_000)] == [64, 100, 600, 1024]
    assert few.count_hidden(30_000_000) == 16
    assert SequentialRidge().fit(tiny_dataset()).mixing_.shape == (513, 64)


def test_a_smaller_rank_keeps_the_shape_and_stores_less() -> None:
    small = SequentialRidge(SMALL.model_copy(update={"rank": 2})).fit(tiny_dataset())
    assert small.inner_.shape[2] == small.outer_.shape[1] == 2


def test_only_movies_that_nobody_rated_stand_last() -> None:
    rows = [
        row for user in range(60) for row in ((user, 0, 5, 0), (user, 1, 5, 9), (user, 2 + user % 4, 5, 20))
    ]
    config = SMALL.model_copy(update={"most_movies": 2})
    model = SequentialRidge(config).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    scores = scores_after(model, (999, 0, 5, 0), timestamps=9)
    assert np.argmax(scores) == 1
    assert (scores[2:6] > 0.1).all()
    assert (scores[6:] == scores.min()).all()


def test_queries_without_any_interaction_score_zeros() -> None:
    dataset, timestamps = tiny_dataset(), np.array([LATER])
    nothing = dataset.with_interactions(dataset.interactions().clear())
    model = SequentialRidge(SMALL).fit(dataset)
    assert not model.score(nothing.histories(np.array([7]), timestamps), timestamps).any()


def test_a_history_of_movies_that_nobody_rated_is_left_to_popularity() -> None:
    rows = [row for user in range(60) for row in ((user, 0, 5, 0), (user, 1, 5, 9))]
    model = SequentialRidge(SMALL).fit(Dataset.from_frames(interactions(*rows), catalog(8)))
    known = Dataset.from_frames(interactions((7, 5, 5, 0), (8, 1, 5, 0)), catalog(8))
    assert model.knows(known.histories(np.array([7, 8, 9]), np.full(3, 5))).tolist() == [False, True, False]


def test_a_data_set_without_interactions_is_refused() -> None:
    empty = tiny_dataset().with_interactions(tiny_dataset().interactions().clear())
    with pytest.raises(DataError, match="there are no interactions to learn from"):
        SequentialRidge(SMALL).fit(empty)


@pytest.mark.parametrize("short_history", [0, 6])
def test_the_scores_of_some_movies_are_those_among_all(short_history: int) -> None:
    dataset = tiny_dataset()
    options = SequentialRidgeConfig(
        dimensions=8, hidden=16, rank=8, most_movies=20, short_history=short_history
    )
    model = SequentialRidge(options).fit(dataset)
    last = dataset.timeline.timestamps.max()
    timestamps = last + np.arange(dataset.n_users) % 3 * DAY
    histories = dataset.histories(dataset.user_ids, timestamps)
    movies = np.array([40, 3, 17, 59, 0])
    everything = model.score(histories, timestamps)
    np.testing.assert_allclose(
        model.score_movies(histories, timestamps, movies), everything[:, movies], rtol=1e-5, atol=1e-6
    )


def test_the_features_of_a_history_are_the_same_among_others_and_alone() -> None:
    """Alone, a history fills the matrix of its movies, which is multiplied as a dense one."""
    dataset = tiny_dataset()
    model = SequentialRidge(SMALL).fit(dataset)
    histories = dataset.histories(dataset.user_ids, np.full(dataset.n_users, LATER))
    _, together = model._features.of_histories(histories, model.columns_)
    alone = [
        model._features.of_histories(histories[query : query + 1], model.columns_)[1][0]
        for query in range(len(histories))
    ]
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
