import inspect
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from nextreel.cli import app
from nextreel.cli.sample import sample as sample_command
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.sources.synthetic.movies import GENRES
from nextreel.data.sources.synthetic_data import Sample, make_sample, write_sample
from nextreel.errors import ConfigError, DataError

FILES = ["README.md", "movies.csv", "ratings_train.csv", "users.csv"]
SMALL = ["--users", "20", "--movies", "60", "--ratings", "400"]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(users=300, movies=200, ratings=12_000, seed=1)


def written(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def consecutive(sample: Sample) -> pl.DataFrame:
    """Each rating beside the same user's one before it, at most ten minutes earlier."""
    rows = sample.interactions.sort("UserID", "Timestamp", maintain_order=True).join(
        sample.movies, on="MovieID", how="left", maintain_order="left"
    )
    before = pl.col("Genres", "Timestamp").shift(1).over("UserID").name.prefix("Before")
    return rows.with_columns(before).filter(pl.col("Timestamp") - pl.col("BeforeTimestamp") < 600)


def share_with_a_common_genre(genres: pl.Series, others: pl.Series) -> float:
    pairs = zip(genres.str.split("|"), others.str.split("|"), strict=True)
    return float(np.mean([not set(first).isdisjoint(second) for first, second in pairs]))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample(make_sample(20, 60, 400, seed=3), tmp_path / name)
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_another_seed_gives_other_ratings() -> None:
    assert not make_sample(20, 60, 400, seed=3).interactions.equals(
        make_sample(20, 60, 400, seed=4).interactions
    )


@pytest.mark.parametrize("sizes", [(10, 60, 200), (10, 60, 300), (300, 60, 9_000), (600, 80, 13_001)])
def test_there_are_exactly_as_many_rows_as_asked_for(sizes: tuple[int, int, int]) -> None:
    sample = make_sample(*sizes)
    assert (sample.users.height, sample.movies.height, sample.interactions.height) == sizes


def test_interactions_are_sorted_by_time(sample: Sample) -> None:
    assert sample.interactions["Timestamp"].is_sorted()


@pytest.mark.parametrize("sizes", [(300, 200, 12_000), (300, 60, 9_000)])
def test_nobody_rates_a_movie_twice(sizes: tuple[int, int, int]) -> None:
    assert not make_sample(*sizes).interactions.select("UserID", "MovieID").is_duplicated().any()


def test_everybody_has_at_least_twenty_ratings(sample: Sample) -> None:
    counts = sample.interactions["UserID"].value_counts()
    assert counts.height == 300
    assert counts["count"].min() == 20


def test_activity_is_heavy_tailed(sample: Sample) -> None:
    counts = np.sort(sample.interactions["UserID"].value_counts()["count"].to_numpy())
    assert counts[-30:].mean() > 2 * counts.mean()


def test_no_movie_is_rated_before_the_year_in_its_title(sample: Sample) -> None:
    dated = sample.interactions.join(sample.movies, on="MovieID").select(
        released=pl.col("Title").str.extract(r" \((\d{4})\)$").cast(pl.Int32),
        rated=pl.from_epoch("Timestamp").dt.year(),
    )
    assert dated.height == 12_000
    assert (dated["released"] <= dated["rated"]).all()
    assert (dated["released"] == dated["rated"]).any()


def test_ratings_are_one_to_five_with_the_stated_shares(sample: Sample) -> None:
    ratings = sample.interactions["Rating"]
    assert sorted(ratings.unique()) == [1, 2, 3, 4, 5]
    assert ratings.mean() == pytest.approx(3.6, abs=0.01)
    assert (ratings >= 4).mean() == pytest.approx(0.57, abs=0.005)


def test_the_next_movie_of_a_sitting_shares_a_genre_more_often_than_two_of_a_users_movies_do(
    sample: Sample,
) -> None:
    pairs = consecutive(sample)
    shuffled = (
        pairs["Genres"]
        .to_frame()
        .with_columns(pairs["UserID"])
        .select(pl.col("Genres").shuffle(seed=0).over("UserID"))["Genres"]
    )
    in_sequence = share_with_a_common_genre(pairs["Genres"], pairs["BeforeGenres"])
    at_random = share_with_a_common_genre(shuffled, pairs["BeforeGenres"])
    assert in_sequence > at_random + 0.1


def test_some_ratings_of_a_user_share_their_second(sample: Sample) -> None:
    share = np.mean(sample.interactions.select("UserID", "Timestamp").is_duplicated().to_numpy())
    assert 0.1 < share < 0.6


def test_popularity_is_unequal(sample: Sample) -> None:
    counts = np.sort(sample.interactions["MovieID"].value_counts()["count"].to_numpy())
    lorenz = np.cumsum(counts) / counts.sum()
    assert 1 - 2 * lorenz.mean() > 0.35


def test_popularity_drifts(sample: Sample) -> None:
    halves = sample.interactions.with_columns(late=pl.int_range(pl.len()) >= 6_000)
    counts = halves.pivot("late", index="MovieID", values="Rating", aggregate_function="len").fill_null(0)
    assert np.corrcoef(counts["false"], counts["true"])[0, 1] < 0.8


def test_some_movies_are_never_rated(sample: Sample) -> None:
    assert sample.interactions["MovieID"].n_unique() < sample.movies.height


def test_movie_ids_begin_at_zero_and_have_gaps(sample: Sample) -> None:
    ids = sample.movies["MovieID"]
    assert ids[0] == 0
    assert ids.is_sorted()
    assert ids.n_unique() == 200
    assert ids[-1] > 199


def test_movies_have_one_to_three_genres_of_movielens(sample: Sample) -> None:
    genres = sample.movies["Genres"].str.split("|")
    assert set(genres.list.len()) == {1, 2, 3}
    assert set(genres.explode()) <= set(GENRES)


def test_titles_are_unique_and_in_the_form_of_movielens(sample: Sample) -> None:
    titles = sample.movies["Title"]
    assert titles.str.replace(r" \(\d{4}\)$", "").n_unique() == 200
    for form in (r", The \(\d{4}\)$", r" II(, The|, A)? \(\d{4}\)$", '"', r"^\w+, \w+ and the "):
        assert titles.str.contains(form).any()


def test_a_sequel_comes_no_earlier_than_the_movie_it_follows(sample: Sample) -> None:
    year = pl.col("Title").str.extract(r"\((\d{4})\)$").cast(pl.Int32).alias("year")
    bare = pl.col("Title").str.replace(r" \(\d{4}\)$", "")
    sequels = sample.movies.filter(bare.str.contains(r" II\b")).select(
        bare.str.replace(r" II\b", ""), "Genres", year
    )
    first = sample.movies.select(bare, "Genres", year)
    series = sequels.join(first, on=["Title", "Genres"], how="inner")
    assert series.height == sequels.height > 0
    assert (series["year_right"] <= series["year"]).all()


def test_users_look_like_movielens(sample: Sample) -> None:
    assert sample.users["UserID"].to_list() == list(range(300))
    assert set(sample.users["Gender"]) == {"F", "M"}
    assert set(sample.users["Age"]) == {1, 18, 25, 35, 45, 50, 56}
    assert set(sample.users["Occupation"]) <= set(range(21))
    zip_codes = sample.users["ZipCode"]
    assert zip_codes.str.contains(r"^\d{5}(-\d{4})?$").all()
    assert zip_codes.str.starts_with("0").any()
    assert zip_codes.str.contains("-").any()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((9, 60, 200, 0), "users: 9 is too few"),
        ((10, 59, 200, 0), "movies: 59 is out of range; choose 60 to 200,000"),
        ((10, 200_001, 200, 0), "movies: 200,001 is out of range"),
        ((10, 60, 199, 0), "ratings: 199 is out of range; 10 users and 60 movies can have 200 to 300"),
        ((10, 60, 301, 0), "ratings: 301 is out of range; 10 users and 60 movies can have 200 to 300"),
        ((10, 60, 200, -1), "seed: -1 is negative"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(sizes: tuple[int, int, int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_sample(*sizes)


def test_what_is_written_reads_as_a_dataset(sample: Sample, tmp_path: Path) -> None:
    write_sample(sample, tmp_path)
    dataset = read_dataset(tmp_path)
    assert (dataset.n_users, dataset.n_movies, len(dataset.timeline)) == (300, 200, 12_000)
    assert dataset.users["ZipCode"].to_list() == sample.users["ZipCode"].to_list()
    assert (
        dataset.interactions()["MovieID"].sort().to_list() == sample.interactions["MovieID"].sort().to_list()
    )


def test_the_command_writes_exactly_four_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sample", str(tmp_path / "new"), *SMALL])
    assert result.exit_code == 0
    assert list(written(tmp_path / "new")) == FILES


def test_the_readme_states_seed_process_and_what_figures_mean(tmp_path: Path) -> None:
    CliRunner().invoke(app, ["sample", str(tmp_path), *SMALL, "--seed", "5"])
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "--users 20 --movies 60 --ratings 400 --seed 5" in readme
    assert "mean nothing about real viewers" in readme
    assert "free to use" in readme
    assert "1.  Genres." in readme


def test_the_command_and_the_function_have_the_same_defaults() -> None:
    command, function = (inspect.signature(maker).parameters for maker in (sample_command, make_sample))
    assert {name: command[name].default for name in function} == {
        name: parameter.default for name, parameter in function.items()
    }


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    write_sample(make_sample(20, 60, 400, seed=0), tmp_path / "twice")
    write_sample(make_sample(20, 60, 400, seed=1), tmp_path / "twice")
    write_sample(make_sample(20, 60, 400, seed=1), tmp_path / "once")
    assert written(tmp_path / "twice") == written(tmp_path / "once")


@pytest.mark.parametrize("name", FILES)
def test_a_file_from_elsewhere_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match=f"already holds {name}, which `nextreel sample` didn't write"):
        write_sample(make_sample(20, 60, 400), tmp_path)
    assert written(tmp_path) == {name: b"mine"}


def test_a_sample_of_another_version_with_the_same_sizes_may_be_replaced(tmp_path: Path) -> None:
    write_sample(make_sample(20, 60, 400), tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8") + "\nMore of the process.\n", encoding="utf-8")
    write_sample(make_sample(20, 60, 400), tmp_path, replace_other=False)
    assert "More of the process." not in readme.read_text(encoding="utf-8")
    with pytest.raises(DataError, match="holds another sample"):
        write_sample(make_sample(20, 60, 401), tmp_path, replace_other=False)
