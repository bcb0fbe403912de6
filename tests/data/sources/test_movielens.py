"""Raw releases of GroupLens are converted into the three CSV files."""

import struct
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest

from nextreel.data.sources.movielens import GENRES_100K, convert
from nextreel.errors import DataError


def item(movie_id: int, title: str, *genres: str) -> str:
    flags = "|".join(str(int(genre in genres)) for genre in GENRES_100K)
    return f"{movie_id}|{title}|01-Jan-1995||http://us.imdb.com/{movie_id}|{flags}"


ML_100K = {
    "u.data": "196\t242\t3\t881250949\n186\t302\t5\t891717742\n22\t242\t1\t878887116\n"
    "244\t51\t2\t880606923\n22\t302\t4\t878887116\n",
    "u.item": "\n".join(
        [
            item(51, "Legends of the Fall (1994)", "Drama", "Romance", "War", "Western"),
            item(242, "Kolya (1996)", "Comedy"),
            item(267, "unknown", "unknown"),
            item(302, "Misérables, Les (1995)", "Drama", "Musical"),
        ]
    )
    + "\n",
    "u.user": "22|25|M|writer|40206\n186|39|F|executive|00000\n196|49|M|juggler|55105\n244|28|M|none|V3N4P\n",
}
ML_1M = {
    "ratings.dat": "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n"
    "2::3068::4::978299000\n3::661::1::978298413\n",
    "movies.dat": "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n"
    '1193::One "Flew" Over: the Nest, A (1975)::Drama\n3068::Véronique (1982)::Drama\n',
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n3::M::25::15::98107-2117\n",
}
ML_10M = {
    "ratings.dat": "1::122::5::838985046\n1::185::4.5::838983525\n2::122::0.5::868244562\n",
    "movies.dat": "122::Boomerang (1992)::Comedy|Romance\n185::Amélie (2001)::(no genres listed)\n",
}
ML_LATEST = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179\n"
    "2,31,0.5,1260759144\n",
    "movies.csv": "movieId,title,genres\n31,Dangerous Minds (1995),Drama\n"
    '1029,"Cité ""des"" enfants, La (1995)",Adventure|Sci-Fi\n166024,Whiplash (2013),(no genres listed)\n',
}


def write_files(directory: Path, files: Mapping[str, str], encoding: str = "utf-8") -> Path:
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_bytes(text.encode(encoding))
    return directory


def write_zip(path: Path, files: Mapping[str, str]) -> Path:
    with ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def columns(path: Path) -> list[str]:
    return path.read_text().split("\n", 1)[0].split(",")


def message_of_bad(tmp_path: Path, files: Mapping[str, str], encoding: str = "utf-8") -> str:
    """What convert says; it must have written nothing."""
    target = tmp_path / "out"
    with pytest.raises(DataError) as caught:
        convert(write_files(tmp_path / "raw", files, encoding), target)
    assert not target.exists()
    return str(caught.value)


def test_ml_100k_gives_three_files(tmp_path: Path) -> None:
    conversion = convert(write_files(tmp_path / "raw", ML_100K, "latin-1"), tmp_path / "out")
    assert conversion.form == "ml-100k"
    assert (conversion.interactions, conversion.users, conversion.movies) == (5, 4, 4)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "movies.csv",
        "ratings_train.csv",
        "users.csv",
    ]


def test_the_files_have_the_columns_of_the_course(tmp_path: Path) -> None:
    ratings, movies, users = (
        tmp_path / "out" / f"{name}.csv" for name in ("ratings_train", "movies", "users")
    )
    convert(write_files(tmp_path / "raw", ML_1M), tmp_path / "out")
    assert columns(ratings) == ["UserID", "MovieID", "Rating", "Timestamp"]
    assert columns(movies) == ["MovieID", "Title", "Genres"]
    assert columns(users) == ["UserID", "Gender", "Age", "Occupation", "ZipCode"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_titles_of_ml_100k_come_out_as_utf_8(tmp_path: Path, encoding: str) -> None:
    convert(write_files(tmp_path / "raw", ML_100K, encoding), tmp_path / "out")
    assert '302,"Misérables, Les (1995)",Drama|Musical' in (tmp_path / "out/movies.csv").read_text("utf-8")


def test_an_unknown_genre_is_an_empty_cell(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_100K), tmp_path / "out")
    assert "267,unknown,\n" in (tmp_path / "out/movies.csv").read_text("utf-8")


def test_genre_flags_become_names(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_100K), tmp_path / "out")
    assert "51,Legends of the Fall (1994),Drama|Romance|War|Western\n" in (
        tmp_path / "out/movies.csv"
    ).read_text("utf-8")


def test_occupations_of_ml_100k_become_codes_and_ages_stay(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_100K), tmp_path / "out")
    assert (tmp_path / "out/users.csv").read_text().splitlines()[1:] == [
        "22,M,25,20,40206",
        "186,F,39,7,00000",
        "196,M,49,0,55105",
        "244,M,28,0,V3N4P",
    ]


def test_ratings_are_in_order_of_time_and_ties_in_order_of_the_file(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_100K), tmp_path / "out")
    ratings = pl.read_csv(tmp_path / "out/ratings_train.csv")
    assert ratings.select("UserID", "MovieID").rows() == [
        (22, 242),
        (22, 302),
        (244, 51),
        (196, 242),
        (186, 302),
    ]


def test_ml_1m_keeps_ids_codes_and_zip_codes(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_1M, "latin-1"), tmp_path / "out")
    assert (tmp_path / "out/users.csv").read_text().splitlines()[1:] == [
        "1,F,1,10,48067",
        "2,M,56,16,70072",
        "3,M,25,15,98107-2117",
    ]


def test_quotes_and_colons_in_a_title_of_ml_1m_stay(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_1M, "latin-1"), tmp_path / "out")
    movies = pl.read_csv(tmp_path / "out/movies.csv")
    assert movies["Title"].to_list()[1:] == ['One "Flew" Over: the Nest, A (1975)', "Véronique (1982)"]


def test_ml_10m_has_half_stars_and_no_users(tmp_path: Path) -> None:
    conversion = convert(write_files(tmp_path / "raw", ML_10M), tmp_path / "out")
    ratings = pl.read_csv(tmp_path / "out/ratings_train.csv")
    assert ratings["Rating"].to_list() == [4.5, 5.0, 0.5]
    assert [file.name for file in conversion.files] == ["movies.csv", "ratings_train.csv"]


def test_titles_of_ml_10m_are_utf_8_already(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_10M), tmp_path / "out")
    assert "185,Amélie (2001),\n" in (tmp_path / "out/movies.csv").read_text("utf-8")


def test_ml_latest_is_read_with_its_quoted_titles(tmp_path: Path) -> None:
    convert(write_files(tmp_path / "raw", ML_LATEST), tmp_path / "out")
    assert pl.read_csv(tmp_path / "out/movies.csv").rows() == [
        (31, "Dangerous Minds (1995)", "Drama"),
        (1029, 'Cité "des" enfants, La (1995)', "Adventure|Sci-Fi"),
        (166024, "Whiplash (2013)", None),
    ]


def test_line_ends_of_windows_and_empty_lines_change_nothing(tmp_path: Path) -> None:
    with_crlf = {name: text.replace("\n", "\r\n") + "\r\n" for name, text in ML_1M.items()}
    convert(write_files(tmp_path / "raw", ML_1M), tmp_path / "out")
    convert(write_files(tmp_path / "raw with crlf", with_crlf), tmp_path / "out with crlf")
    for name in ("ratings_train.csv", "movies.csv", "users.csv"):
        assert (tmp_path / "out with crlf" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize("files", [ML_100K, ML_1M, ML_10M, ML_LATEST], ids=["100k", "1m", "10m", "latest"])
def test_a_zip_gives_the_same_as_its_directory(tmp_path: Path, files: dict[str, str]) -> None:
    packed = write_zip(tmp_path / "ml.zip", {f"ml-inner/{name}": text for name, text in files.items()})
    from_zip = convert(packed, tmp_path / "from zip")
    from_directory = convert(write_files(tmp_path / "raw", files), tmp_path / "from directory")
    for one, other in zip(from_zip.files, from_directory.files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_form_of_the_course_needs_no_converting(tmp_path: Path) -> None:
    source = write_files(tmp_path / "course", {"ratings_train.csv": "UserID,MovieID,Rating,Timestamp\n"})
    assert convert(source, tmp_path / "out").form == "course"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("files", "name", "good", "bad", "parts"),
    [
        (ML_100K, "u.data", "\t5\t", "\tfive\t", ["u.data, line 2, column Rating", "'five'"]),
        (ML_100K, "u.data", "\t5\t", "\t6\t", ["u.data, line 2, column Rating", "6 is out of range"]),
        (ML_100K, "u.data", "\t5\t", "\t", ["u.data, line 2", "3 fields", "expected 4"]),
        (ML_100K, "u.data", "\t5\t", "\t5\t5\t", ["u.data, line 2", "5 fields", "expected 4"]),
        (ML_100K, "u.item", "|0\n", "|x\n", ["u.item, line 2, column Western", "'x'"]),
        (ML_100K, "u.user", "|39|", "|-39|", ["u.user, line 2, column Age", "-39 is negative"]),
        (ML_100K, "u.user", "186|", "22|", ["u.user, line 2, column UserID", "22 is already on line 1"]),
        (ML_1M, "ratings.dat", "978302109", "978302109000", ["line 2, column Timestamp", "milliseconds"]),
        (ML_1M, "ratings.dat", "::3::", "::NaN::", ["ratings.dat, line 2, column Rating", "'NaN'"]),
        (ML_1M, "ratings.dat", "::661::", "::::", ["ratings.dat, line 2, column MovieID", "empty"]),
        (ML_1M, "movies.dat", "::Drama\n", "\n", ["movies.dat, line 2", "2 fields", "expected 3"]),
        (ML_1M, "movies.dat", "1193::", "661::", ["movies.dat, line 2, column MovieID", "line 1"]),
        (ML_1M, "users.dat", "::16::", "::poet::", ["users.dat, line 2, column Occupation", "'poet'"]),
        (ML_LATEST, "ratings.csv", "1,1029", "1,-1029", ["ratings.csv, line 3, column MovieID", "negative"]),
        (ML_LATEST, "ratings.csv", "3.0,", "3.0;", ["ratings.csv, line 3", "3 fields", "expected 4"]),
        (ML_LATEST, "ratings.csv", "userId", "user", ["ratings.csv, line 1", "'user,", "'userId,"]),
        (ML_LATEST, "movies.csv", '(1995)",', "(1995),", ["movies.csv, line 3", "quote"]),
    ],
)  # fmt: skip
def test_a_malformed_row_is_named(
    tmp_path: Path, files: dict[str, str], name: str, good: str, bad: str, parts: list[str]
) -> None:
    assert good in files[name]
    message = message_of_bad(tmp_path, files | {name: files[name].replace(good, bad, 1)})
    assert [part for part in parts if part not in message] == []


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    assert "u.data: is empty" in message_of_bad(tmp_path, ML_100K | {"u.data": "\n"})


def test_a_csv_file_with_only_a_header_is_refused(tmp_path: Path) -> None:
    header = "userId,movieId,rating,timestamp\n"
    assert "ratings.csv: is empty" in message_of_bad(tmp_path, ML_LATEST | {"ratings.csv": header})


def test_latin_1_in_a_csv_release_is_refused_with_its_line(tmp_path: Path) -> None:
    message = message_of_bad(tmp_path, ML_LATEST, encoding="latin-1")
    assert "movies.csv, line 3: the byte 0xe9 isn't UTF-8" in message


def test_all_problems_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    message = message_of_bad(tmp_path, ML_1M | {"ratings.dat": "1::1::9::1\n" * 1200})
    assert "line 20," in message
    assert "and 1,180 more problems" in message


def test_an_unknown_form_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    message = message_of_bad(tmp_path, {"movies.dat": ML_1M["movies.dat"], "ratings.txt": ""})
    assert "ratings.dat and movies.dat (ml-1m or ml-10m)" in message
    assert "found only movies.dat" in message


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.zip doesn't exist"):
        convert(tmp_path / "nowhere.zip", tmp_path / "out")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ml-1m.zip").write_text("<html>Please log in</html>")
    with pytest.raises(DataError, match="isn't a zip that can be read"):
        convert(tmp_path / "ml-1m.zip", tmp_path / "out")


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    truncated = write_zip(tmp_path / "ml-1m.zip", ML_1M)
    truncated.write_bytes(truncated.read_bytes()[:-100])
    with pytest.raises(DataError, match="isn't a zip that can be read"):
        convert(truncated, tmp_path / "out")


def test_a_zip_with_damaged_contents_is_refused(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "ml-1m.zip", ML_1M)
    packed.write_bytes(packed.read_bytes().replace(b"Giant Peach", b"Giant Pouch"))
    with pytest.raises(DataError, match="Bad CRC-32"):
        convert(packed, tmp_path / "out")


def test_paths_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    files = {f"../../escaped/{name}": text for name, text in ML_1M.items()} | {"../evil.txt": "evil"}
    convert(write_zip(tmp_path / "ml-1m.zip", files), tmp_path / "a" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "a",
        "ml-1m.zip",
        "movies.csv",
        "out",
        "ratings_train.csv",
        "users.csv",
    ]


def test_one_file_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    files = {f"{inner}/{name}": text for inner in "ab" for name, text in ML_1M.items()}
    with pytest.raises(DataError, match="more than once"):
        convert(write_zip(tmp_path / "ml-1m.zip", files), tmp_path / "out")


def test_a_file_that_would_unpack_to_an_absurd_size_is_refused(tmp_path: Path) -> None:
    packed = write_zip(tmp_path / "ml-10m.zip", {"ratings.dat": ML_10M["ratings.dat"]})
    real = struct.pack("<I", len(ML_10M["ratings.dat"]))
    central = packed.read_bytes().rindex(b"PK\x01\x02")
    data = bytearray(packed.read_bytes())
    assert data[central + 24 : central + 28] == real
    data[central + 24 : central + 28] = b"\xfe\xff\xff\xff"
    packed.write_bytes(data)
    with pytest.raises(DataError, match="would unpack to 4,294,967,294 bytes"):
        convert(packed, tmp_path / "out")


@pytest.mark.parametrize("name", ["ratings_train.csv", "movies.csv", "users.csv"])
def test_nothing_that_exists_is_overwritten(tmp_path: Path, name: str) -> None:
    target = write_files(tmp_path / "out", {name: "mine"})
    with pytest.raises(DataError, match=f"already holds {name}"):
        convert(write_files(tmp_path / "raw", ML_1M), target)
    assert [(path.name, path.read_text()) for path in target.iterdir()] == [(name, "mine")]


def test_a_conversion_that_was_interrupted_is_completed_by_the_next(tmp_path: Path) -> None:
    source, target = write_files(tmp_path / "raw", ML_1M), tmp_path / "out"
    convert(source, target)
    whole = {path.name: path.read_bytes() for path in target.iterdir()}
    (target / "ratings_train.csv").unlink()  # which comes last
    convert(source, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == whole


def test_a_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is a file"):
        convert(write_files(tmp_path / "raw", ML_1M), tmp_path / "out")


def test_the_real_ml_100k_has_all_its_rows(movielens_100k: Path, tmp_path: Path) -> None:
    conversion = convert(movielens_100k, tmp_path / "out")
    assert (conversion.interactions, conversion.users, conversion.movies) == (100_000, 943, 1_682)
    assert len(pl.read_csv(tmp_path / "out/users.csv", schema_overrides={"ZipCode": pl.String})) == 943


def test_the_real_ml_latest_small_has_all_its_rows(movielens_latest_small: Path, tmp_path: Path) -> None:
    conversion = convert(movielens_latest_small, tmp_path / "out")
    assert (conversion.interactions, conversion.users, conversion.movies) == (100_004, 671, 9_125)


def test_the_real_files_of_the_course_need_no_converting(movielens_1m: Path, tmp_path: Path) -> None:
    assert convert(movielens_1m, tmp_path / "out").form == "course"
