"""Data sets that are drawn in parts, here of sizes that are drawn at once but for a test."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextreel.data.reading.table_reader import read_interactions
from nextreel.data.sources.synthetic import drafts, large_samples, pools
from nextreel.data.sources.synthetic.drafts import SampleSize
from nextreel.data.sources.synthetic_data import Sample, create_sample, make_sample
from nextreel.data.times import DAY

SHOWS_ALL, SHOWS_A_POOL = 1_000, 0
"""What to set MOST_SHOWN to."""


@pytest.fixture(autouse=True)
def every_sample_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MOST_RATINGS_AT_ONCE", 0)


@pytest.fixture(params=[SHOWS_ALL, SHOWS_A_POOL], ids=["shows all", "shows a pool"])
def sample(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sample:
    monkeypatch.setattr(pools, "MOST_SHOWN", request.param)
    return make_sample(users=300, movies=400, ratings=12_000, seed=1)


def test_a_large_sample_has_the_properties_of_a_small_one(sample: Sample) -> None:
    rows = sample.interactions
    assert (rows.height, rows["UserID"].n_unique(), sample.movies.height) == (12_000, 300, 400)
    assert rows.equals(rows.sort("Timestamp", "UserID", maintain_order=True))
    assert not rows.select("UserID", "MovieID").is_duplicated().any()
    assert rows["UserID"].value_counts()["count"].min() == 20
    assert rows["Rating"].mean() == pytest.approx(3.6, abs=0.01)
    assert (rows["Rating"] >= 4).mean() == pytest.approx(0.57, abs=0.005)


def test_the_next_movie_has_more_genres_in_common_than_others_have(sample: Sample) -> None:
    genres = sample.movies.select("MovieID", pl.col("Genres").str.split("|"))
    rows = sample.interactions.sort("UserID", "Timestamp", maintain_order=True)
    rows = rows.join(genres, on="MovieID", how="left", maintain_order="left")
    previous = pl.col("Genres").shift(1).over("UserID")
    in_visit = pl.col("Timestamp").diff().over("UserID") < DAY
    shared = pl.col("Genres").list.set_intersection(previous).list.len() > 0
    of_others = pl.col("Genres").list.set_intersection(pl.col("Genres").shuffle(seed=0)).list.len() > 0
    next_, other = rows.select(shared.filter(in_visit).mean(), of_others.mean().alias("other")).row(0)
    assert next_ > other + 0.2


def test_pages_show_movies_in_proportion_to_their_popularity() -> None:
    log_popularity = np.log(np.arange(1.0, 401.0, dtype=np.float32))[None]
    shelves = pools._fill_shelves(log_popularity, np.random.default_rng(0))
    assert shelves.shape == (1, 3 * 400 + pools.POOL)
    places = np.bincount(shelves[0])
    np.testing.assert_allclose(places, len(shelves[0]) * np.arange(1, 401) / (200 * 401), atol=1)


@pytest.mark.parametrize("most_shown", [SHOWS_ALL, SHOWS_A_POOL])
def test_a_user_of_most_movies_rates_none_twice(monkeypatch: pytest.MonkeyPatch, most_shown: int) -> None:
    monkeypatch.setattr(pools, "MOST_SHOWN", most_shown)
    rows = make_sample(users=60, movies=60, ratings=1_800).interactions
    assert rows["UserID"].value_counts()["count"].max() == 42
    assert not rows.select("UserID", "MovieID").is_duplicated().any()


@pytest.mark.parametrize("most_shown", [SHOWS_ALL, SHOWS_A_POOL])
def test_blocks_of_users_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, most_shown: int) -> None:
    monkeypatch.setattr(pools, "MOST_SHOWN", most_shown)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    at_once = make_sample(100, 80, 2_500)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(large_samples, "ROWS_AT_ONCE", 300)
    monkeypatch.setattr(large_samples, "CELLS_AT_ONCE", 20 * 80)
    monkeypatch.setattr(pools, "PAGES_AT_ONCE", 7)
    assert make_sample(100, 80, 2_500).interactions.equals(at_once.interactions)


def test_what_is_written_part_by_part_is_what_is_made(tmp_path: Path) -> None:
    create_sample(SampleSize(100, 80, 2_500, 3), tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "README.md",
        "movies.csv",
        "ratings_train.csv",
        "users.csv",
    ]
    written = read_interactions(tmp_path / "data" / "ratings_train.csv")
    made = make_sample(100, 80, 2_500, 3).interactions
    assert written.cast(pl.Int64).equals(made)


def test_stars_have_their_shares_when_the_scale_is_found_from_some_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large_samples, "RATINGS_FOR_SCALE", 3_000)
    ratings = make_sample(300, 100, 9_000).interactions["Rating"]
    shares = ratings.value_counts(normalize=True).sort("Rating")["proportion"].to_list()
    assert shares == pytest.approx([0.05, 0.10, 0.28, 0.34, 0.23], abs=0.03)
    assert shares != pytest.approx([0.05, 0.10, 0.28, 0.34, 0.23], abs=0.0001)
