from pathlib import Path

import pytest

from nextreel.data.links import parse_imdb_id
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.splitting.split_directory import write_split
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.errors import DataError

RATINGS = "UserID,MovieID,Rating,Timestamp\n" + "".join(
    f"{u},{m},4,{100 + m}\n" for u in (1, 2) for m in range(1, 9)
)
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n2,,5\n9,0000009,\n"


def data(directory: Path, **files: str) -> Path:
    (directory / "ratings_train.csv").write_text(RATINGS)
    for stem, text in files.items():
        (directory / f"{stem}.csv").write_text(text)
    return directory


def test_links_of_the_catalog_are_read_as_numbers(tmp_path: Path) -> None:
    assert read_dataset(data(tmp_path, links=LINKS)).links.rows() == [(1, 114_709)]


def test_a_column_of_movies_has_them_too(tmp_path: Path) -> None:
    movies = "movieId,title,imdbId\n1,Heat (1995),tt0113277\n2,Alien (1979),\n"
    assert read_dataset(data(tmp_path, movies=movies)).links.rows() == [(1, 113_277)]


def test_a_file_of_links_of_another_kind_is_ignored(tmp_path: Path) -> None:
    assert read_dataset(data(tmp_path, links="a,b\n1,2\n")).links.is_empty()


def test_what_is_no_imdb_id_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"links\.csv, column ImdbID, row 1: 'nm1' is not an IMDb id"):
        read_dataset(data(tmp_path, links="movieId,imdbId\n1,nm1\n"))


def test_a_split_keeps_them(tmp_path: Path) -> None:
    write_split(data(tmp_path, links=LINKS), tmp_path / "parts", SplitRule.for_rule("leave-one-out"))
    assert read_dataset(tmp_path / "parts").links.rows() == [(1, 114_709)]


@pytest.mark.parametrize("text", ["tt0114709", "0114709", "114709", " TT0114709 "])
def test_the_spellings_of_an_imdb_id(text: str) -> None:
    assert parse_imdb_id(text) == 114_709
