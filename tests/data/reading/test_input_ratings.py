"""Ratings as people have them: none, weights, shares, other scales; what counts as liked is never guessed in silence."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nextreel
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.reading.data_profile import Profile, profile_directory
from nextreel.data.reading.table_reader import read_dataset, read_tables
from nextreel.errors import ConfigError, DataError


def write(path: Path, ratings: list[str]) -> Path:
    path.write_text("user,item,rating,time\n" + "".join(f"{n},7,{r},{n}\n" for n, r in enumerate(ratings)))
    return path


def profile(path: Path, ratings: list[str], liked_from: float | None = None) -> Profile:
    return profile_directory(write(path, ratings), DataFormat.request(liked_from=liked_from))


def liked(dataset: Dataset) -> list[bool]:
    timeline = dataset.timeline
    return [bool(rating >= dataset.positive_rating) for rating in timeline.ratings]


SCALES = {
    "1 to 10": (["1", "10", "8", "7"], 8, [False, True, True, False]),
    "0 to 100": (["0", "100", "60", "59.9"], 60, [False, True, True, False]),
    "thumbs": (["0", "1", "1"], 1, [False, True, True]),
    "thumbs of both signs": (["-1", "1", "0"], 1, [False, True, False]),
    "weights": (["0.2", "17", "-3", "1e3"], 2, [False, True, False, True]),
    "watched shares, some above 1": (["0", "0.4", "1.3"], 0.5, [False, False, True]),
    "stars with another threshold": (["3", "2.5", "5"], 3, [True, False, True]),
    "everything": (["7", "8"], 0, [True, True]),
    "nothing": (["7", "8"], 100, [False, False]),
}


@pytest.mark.parametrize("name", SCALES)
def test_what_is_liked_is_said_for_other_scales(tmp_path: Path, name: str) -> None:
    ratings, liked_from, expected = SCALES[name]
    dataset = read_dataset(write(tmp_path / "c.csv", ratings), liked_from=liked_from)
    assert liked(dataset) == expected
    assert dataset.timeline.ratings.tolist() == pytest.approx([float(rating) for rating in ratings])


@pytest.mark.parametrize("name", ["1 to 10", "0 to 100", "thumbs", "thumbs of both signs", "weights"])
def test_another_scale_must_be_asked_for(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="or --liked-from for another scale"):
        read_tables(write(tmp_path / "c.csv", SCALES[name][0]))


def test_data_without_ratings_are_all_liked(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("user,item,time\n1,7,100\n2,7,200\n")
    dataset = read_dataset(tmp_path / "c.csv")
    assert liked(dataset) == [True, True]
    assert not dataset.scale.rated
    found = profile_directory(tmp_path / "c.csv")
    assert (found.rated, found.liked_rows) == (False, 2)


@pytest.mark.parametrize(("ratings", "liked_rows"), [(["4", "5"], 2), (["1", "1"], 0)])
def test_the_profile_counts_what_is_liked(tmp_path: Path, ratings: list[str], liked_rows: int) -> None:
    found = profile(tmp_path / "c.csv", ratings)
    assert (found.rated, found.liked_rows, found.liked_from) == (True, liked_rows, 4.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_threshold_is_finite(value: float) -> None:
    with pytest.raises(ConfigError, match=r"liked_from is .*; expected a finite number"):
        DataFormat.request(liked_from=value)


@pytest.mark.parametrize("cell", ["good", "", "nan", "inf", "1e39", "4,5"])
def test_a_weight_is_a_number(tmp_path: Path, cell: str) -> None:
    (tmp_path / "c.tsv").write_text(f"user\titem\trating\ttime\n1\t7\t{cell}\t1\n")
    with pytest.raises(DataError, match=r"c\.tsv, line 2, column rating: "):
        read_tables(tmp_path / "c.tsv", DataFormat.request(liked_from=2))


def as_frame(ratings: list[float]) -> pl.DataFrame:
    n = len(ratings)
    ids = list(range(n))
    return pl.DataFrame({"UserID": ids, "MovieID": [1] * n, "Rating": ratings, "Timestamp": [10**9] * n})


def between_two_floats() -> list[float]:
    """Ratings whose 32-bit form depends on how often a decimal is rounded on the way to it."""
    singles = np.random.default_rng(1).uniform(0.5, 5, 300).astype(np.float32)
    middles = (singles.astype(np.float64) + np.nextafter(singles, np.float32(9)).astype(np.float64)) / 2
    return [4.35, 0.7, 1.1, *middles, *np.nextafter(middles, 0), *np.nextafter(middles, 9)]


def test_every_form_of_the_same_ratings_gives_the_same_data_set(tmp_path: Path) -> None:
    frame = as_frame(between_two_floats())
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    lines = [",".join(map(repr, row)) for row in frame.rows()]
    header = ",".join(frame.columns)
    (tmp_path / "fast.csv").write_text("\n".join([header, *lines, ""]))
    # A line break within quotes is left to the exact reader.
    noted = [f'{line},"a\nb"' for line in lines]
    (tmp_path / "exact.csv").write_text("\n".join([f"{header},note", *noted, ""]))
    datasets = [
        nextreel.Dataset.from_frames(frame),
        nextreel.Dataset.from_frames(frame.to_pandas()),
        *(read_dataset(tmp_path / name) for name in ("a.parquet", "a.jsonl", "fast.csv", "exact.csv")),
    ]
    assert {dataset.fingerprint for dataset in datasets} == {datasets[0].fingerprint}
    np.testing.assert_array_equal(datasets[0].timeline.ratings, np.float32(frame["Rating"].to_numpy()))


@pytest.mark.parametrize(("rating", "liked_from"), [(5.00000001, None), (0.49999999, None), (1e39, 3.0)])
def test_every_form_refuses_a_rating_that_only_rounding_would_allow(
    tmp_path: Path, rating: float, liked_from: float | None
) -> None:
    frame = as_frame([4.0, rating])
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    for name in ("a.parquet", "a.csv"):
        with pytest.raises(DataError, match=r"out of range|too large"):
            read_dataset(tmp_path / name, liked_from=liked_from)
    with pytest.raises(DataError, match=r"out of range|too large"):
        nextreel.Dataset.from_frames(frame, liked_from=liked_from)
