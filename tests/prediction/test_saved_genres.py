"""A model that was saved when genres had several spellings loads with one."""

import json
from pathlib import Path

import polars as pl

from nextreel.artifacts import MANIFEST, seal
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saved_dataset import MOVIES_FILE
from nextreel.prediction.saving import load, save
from nextreel.testing import tiny_dataset


def test_a_model_saved_with_two_spellings_of_a_genre_loads_with_one(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model")
    movies, n_movies = pl.read_parquet(tmp_path / "model" / MOVIES_FILE), dataset.n_movies
    genres = pl.Series([["Drama"], ["drama", " Drama ", "War"], ["Drama"], *[None] * n_movies][:n_movies])
    movies.with_columns(Genres=genres).write_parquet(tmp_path / "model" / MOVIES_FILE)
    entries = read_entries(tmp_path / "model")
    seal(tmp_path / "model", entries)
    loaded = load(tmp_path / "model").dataset.movies["Genres"]
    assert loaded.head(3).to_list() == [["Drama"], ["Drama", "War"], ["Drama"]]


def read_entries(model: Path) -> dict[str, object]:
    """Take the manifest away and return what `save` put into it."""

    entries: dict[str, object] = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).unlink()
    return {name: value for name, value in entries.items() if name not in ("format", "files")}
