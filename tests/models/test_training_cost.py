from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nextreel.models.fit_cost import FitCost
from nextreel.models.transformer import Transformer, TransformerConfig
from nextreel.testing import tiny_dataset

DATASET = tiny_dataset()


def cost_of(**options: object) -> FitCost:
    return Transformer(TransformerConfig.parse(options)).fit_cost(DATASET)


def test_the_work_grows_with_the_epochs_and_the_size_of_the_network() -> None:
    assert cost_of(epochs=30).products == pytest.approx(2 * cost_of(epochs=15).products)
    assert cost_of(layers=4).products > 1.5 * cost_of(layers=2).products
    assert cost_of(window=400).steps > cost_of(window=200).steps


def test_a_budget_is_the_time_of_the_training_however_many_epochs_there_are() -> None:
    cost = cost_of(minutes=3)
    assert cost == cost_of(minutes=3, epochs=1000)
    assert (cost.seconds, cost.products) == (180, 0)


def test_the_work_does_not_grow_with_a_large_catalog_and_the_memory_grows_in_proportion() -> None:
    def cost_with(n_movies: int) -> FitCost:
        movies = pl.DataFrame({"MovieID": np.arange(n_movies)})
        dataset = replace(DATASET, movie_ids=np.arange(n_movies), movies=movies)
        return Transformer().fit_cost(dataset)

    assert cost_with(20_000).products == cost_with(80_000).products < cost_with(10_000).products
    growth = cost_with(80_000).memory - cost_with(40_000).memory
    assert growth == pytest.approx(2 * (cost_with(40_000).memory - cost_with(20_000).memory))
