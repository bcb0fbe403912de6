from pathlib import Path

import polars as pl
import pytest

from benchmarks import many_rows
from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save


def test_rows_are_written_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sample(make_sample(users=60, movies=80, ratings=2_000), tmp_path / "data")
    many_rows.main(["rows", str(tmp_path / "data"), str(tmp_path / "more"), "3", "2"])
    assert capsys.readouterr().out == "6000\n"
    assert pl.read_csv(tmp_path / "more" / "ratings_train.csv").height == 6_000


def test_queries_ask_for_each_user_in_turn_and_never_twice_the_same(tmp_path: Path) -> None:
    dataset = Dataset.from_frames(make_sample(users=60, movies=80, ratings=2_000).interactions)
    save(Predictor(Popularity().fit(dataset), dataset), tmp_path / "model")
    many_rows.main(["queries", str(tmp_path / "model"), "150", str(tmp_path / "queries.parquet")])
    queries = pl.read_parquet(tmp_path / "queries.parquet")
    assert queries.height == queries.unique().height == 150
    assert set(queries["UserID"]) == set(dataset.users["UserID"])
    assert queries["Timestamp"].min() > dataset.timeline.timestamps.max()
