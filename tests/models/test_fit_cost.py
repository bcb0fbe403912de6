"""Estimates of what a fit takes, and its refusal where memory is short."""

from typing import Self

import pytest

import nextreel
from nextreel import machine
from nextreel.arrays import Float32Array, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import TooLargeError
from nextreel.models.als import ALS, ALSConfig
from nextreel.models.base import Recommender
from nextreel.models.ease import EASE, EASEConfig
from nextreel.models.fit_cost import FitCost
from nextreel.models.item_knn import ItemKNN, ItemKNNConfig
from nextreel.models.training.processor_speed import Speed
from nextreel.testing.conformance import tiny_dataset
from tests.frames import interactions


class Greedy(Recommender):
    """A model that says that it needs a gibibyte for each interaction, and can't be fitted."""

    def fit_cost(self, dataset: Dataset) -> FitCost:
        return FitCost(memory=2**30 * len(dataset.timeline), advice="rate fewer movies")

    def fit(self, dataset: Dataset, training: object = None) -> Self:
        raise AssertionError("the fit began")

    def score(self, histories: Histories, timestamps: Int64Array) -> Float32Array:
        raise AssertionError("nothing was fitted")


@pytest.fixture
def dataset() -> Dataset:
    return Dataset.from_frames(interactions((1, 10, 5, 100), (1, 20, 4, 200), (2, 10, 3, 300)))


def test_a_fit_that_does_not_fit_is_refused_before_it_begins(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: 3 * 2**30)
    with pytest.raises(
        TooLargeError, match=r"3\.0 GiB of memory .* 3 interactions .* 3\.0 GiB are free: rate fewer movies"
    ):
        Greedy().require_memory(dataset)


@pytest.mark.parametrize("usable", [4 * 2**30, None])
def test_a_fit_is_allowed_where_memory_is_enough_or_unknown(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, usable: int | None
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: usable)
    assert isinstance(Greedy().require_memory(dataset), Greedy)


def test_the_function_fit_refuses_too(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: 10)
    with pytest.raises(TooLargeError):
        nextreel.fit(dataset, "popularity")


def test_two_fits_take_the_time_of_both_and_the_memory_of_the_larger() -> None:
    small, large = FitCost(1, 2, 3, 4, "small"), FitCost(10, 20, 30, 40, "large")
    assert small + large == FitCost(10, 22, 33, 44, "large")
    assert (large + small).advice == "large"


def test_seconds_are_those_of_products_of_steps_and_of_a_budget() -> None:
    speed = Speed(products_per_second=100, steps_per_second=10)
    assert speed.seconds(FitCost(memory=0, products=200, steps=30, seconds=4)) == 2 + 3 + 4


def test_the_speed_of_this_processor_is_measured() -> None:
    speed = Speed.measure()
    assert speed.products_per_second > speed.steps_per_second > 0


@pytest.mark.parametrize("model", [ItemKNN(), EASE(), ALS()], ids=lambda model: type(model).__name__)
def test_the_estimate_covers_what_is_kept(model: Recommender) -> None:
    dataset = tiny_dataset()
    cost = model.fit_cost(dataset)
    assert cost is not None
    assert cost.memory >= sum(array.nbytes for array in model.fit(dataset).state.values())


@pytest.mark.parametrize(
    ("plain", "advised"),
    [
        (ItemKNN(), ItemKNN(ItemKNNConfig(neighbours=10))),
        (EASE(), EASE(EASEConfig(most_movies=10))),
        (ALS(), ALS(ALSConfig(factors=10))),
    ],
    ids=lambda model: type(model).__name__,
)
def test_who_follows_the_advice_needs_less_memory(plain: Recommender, advised: Recommender) -> None:
    costs = [model.fit_cost(tiny_dataset()) for model in (plain, advised)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0].memory > costs[1].memory
