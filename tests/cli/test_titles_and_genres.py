"""Titles and genres as people's files have them, through the commands that read them."""

from pathlib import Path

import polars as pl
import pytest

import nextreel
from nextreel.data.sources.synthetic_data import make_sample, write_sample
from tests.cli.commands import succeed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_sample(make_sample(users=20, movies=60, ratings=600, seed=1), tmp_path / "data")
    return tmp_path / "data"


def write_movies(data: Path, *rows: str) -> None:
    (data / "movies.csv").write_text(
        "MovieID,Title,Genres\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8"
    )


@pytest.mark.parametrize(
    "title", ["فيلم (١٩٩٥)", "映画 (１９９５)", "Heat (199٥)", "Heat (0000)", "Heat (9999)"]
)
def test_a_title_that_check_finds_fit_can_be_fitted(data: Path, title: str) -> None:
    write_movies(data, f"1,{title},Drama", "2,Clue (1985),Comedy")
    succeed("check", data)
    succeed("fit", data, "--model", "popularity", "--out", data.parent / "model")
    assert title in nextreel.load(data.parent / "model").dataset.movies["Title"].to_list()


def test_blanks_around_the_bar_and_another_case_make_no_genres_of_their_own(data: Path) -> None:
    write_movies(data, "1,Heat (1995),Drama | War", "2,Clue (1985),drama", "3,Babe (1995),Drama|Drama")
    succeed("fit", data, "--model", "popularity", "--out", data.parent / "model")
    movies = nextreel.load(data.parent / "model").dataset.movies
    assert movies.filter(pl.col("MovieID").is_between(1, 3))["Genres"].to_list() == [
        ["Drama", "War"],
        ["Drama"],
        ["Drama"],
    ]
