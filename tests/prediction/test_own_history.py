from pathlib import Path

import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.exports.export_files import ExportFile
from nextreel.data.times import DAY, parse_iso
from nextreel.errors import DataError, QueryError
from nextreel.models.item_knn import ItemKNN
from nextreel.prediction.own_history import HistoryReader, OwnHistory
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from tests.data.exports.invented import DIARY, IMDB, NETFLIX, RATINGS, pack
from tests.frames import interactions

MOVIES = pl.DataFrame(
    {
        "MovieID": [6, 7, 8, 9, 10],
        "Title": ["Heat (1995)", "Alien (1979)", "I, Robot (2004)", "Cinderella (1950)", "Cinderella (2015)"],
        "Genres": ["Crime", "Horror", "Sci-Fi", "Children", "Children"],
        "imdbId": ["tt0113277", "78748", None, None, None],
    }
)
ROWS = interactions(
    (1, 6, 5, 10), (1, 7, 5, 11), (1, 8, 4, 12), (2, 6, 4, 13), (2, 7, 5, 14), (3, 8, 3, 15), (3, 9, 5, 16)
)


@pytest.fixture(scope="module")
def catalog() -> Dataset:
    return Dataset.from_frames(ROWS, MOVIES)


@pytest.fixture(scope="module")
def knowing(catalog: Dataset) -> Predictor:
    return Predictor(ItemKNN().fit(catalog), catalog)


def read(dataset: Dataset, text: str | bytes, matches: str | None = None) -> OwnHistory:
    data = text.encode() if isinstance(text, str) else text
    choices = None if matches is None else ExportFile("matches.csv", matches.encode())
    return HistoryReader.of(dataset).read(ExportFile("export", data), choices)


def titles(dataset: Dataset, own: OwnHistory) -> list[str]:
    return [str(title) for title in dataset.movies["Title"][own.movies.tolist()]]


def test_movies_are_matched_by_imdb_id_and_counted(catalog: Dataset) -> None:
    own = read(catalog, IMDB)
    assert titles(catalog, own) == ["Heat (1995)"]
    assert own.ratings.tolist() == [4.5]
    assert dict(own.matched_by) == {"IMDb id": 1}


def test_the_movies_of_a_day_are_a_second_apart_in_the_order_of_the_file(catalog: Dataset) -> None:
    own = read(catalog, RATINGS.replace("2023-01-02", "2023-01-01"))
    assert titles(catalog, own) == ["Heat (1995)", "Alien (1979)"]
    assert own.timestamps.tolist() == [parse_iso("2023-01-01"), parse_iso("2023-01-01") + 1]


def test_a_question_about_now_comes_after_a_movie_dated_tomorrow(catalog: Dataset) -> None:
    own = read(catalog, RATINGS)
    later = OwnHistory(own.movies, own.ratings, own.timestamps + 100 * 365 * DAY // 10, own.scale)
    assert later.now == later.timestamps[-1] + 1


def test_a_question_about_the_past_knows_only_what_was_watched_before(catalog: Dataset) -> None:
    own = read(catalog, pack({"diary.csv": DIARY, "ratings.csv": RATINGS}))
    timestamps = [parse_iso(day) for day in ("2020-05-01", "2020-05-02", "2023-01-02", "2023-01-03")]
    lengths = own.as_of(pl.Series(timestamps).to_numpy()).lengths
    assert lengths.tolist() == [0, 1, 2, 3]


def test_a_movie_without_a_rating_counts_as_the_median_one(catalog: Dataset) -> None:
    watched = 'Date,Name,Year,Letterboxd URI\n2023-01-03,"I, Robot",2004,u\n'
    own = read(catalog, pack({"ratings.csv": RATINGS, "watched.csv": watched}))
    assert own.ratings.tolist() == [4.5, 3, 3.75]
    assert own.n_unrated == 1


def test_without_any_rating_every_movie_counts_as_liked(catalog: Dataset) -> None:
    own = read(catalog, NETFLIX)
    assert titles(catalog, own) == ["Heat (1995)"]
    assert own.ratings.tolist() == [catalog.positive_rating]


def test_an_unmatched_film_says_why_and_keeps_its_rating(catalog: Dataset) -> None:
    own = read(catalog, "title,rating,date\nCinderella,4,2023-01-01\n")
    film = own.unmatched[0]
    assert (film.title, film.reason) == ("Cinderella", "several movies of the catalog have this title")
    assert film.candidates == (3, 4)
    assert (film.viewings[0].rating, film.viewings[0].timestamp) == (4, parse_iso("2023-01-01"))


def test_a_file_of_matches_says_which_movie_is_meant(catalog: Dataset) -> None:
    own = read(catalog, "title,date\nCinderella,2023-01-01\n", "Title,Year,MovieID\nCinderella,,10\n")
    assert titles(catalog, own) == ["Cinderella (2015)"]


def test_a_file_of_matches_can_leave_a_film_out(catalog: Dataset) -> None:
    own = read(catalog, "title,date\nCinderella,2023-01-01\n", "Title,MovieID\ncinderella,\n")
    assert (own.n_films, own.notes) == (0, ("1 film left out as your file of matches says.",))


@pytest.mark.parametrize(
    ("matches", "message"),
    [
        (
            "Title,MovieID\nCinderella,77\n",
            "matches.csv, line 2, column MovieID: the catalog has no movie 77",
        ),
        ("Title\nCinderella\n", "matches.csv, line 1, column MovieID: missing; the header has Title"),
        ("Title,Year,MovieID\nCinderella,old,9\n", "matches.csv, line 2, column Year: 'old' is not a year"),
        (
            "Title,MovieID\n,9\n",
            "matches.csv, line 2, column Title: is empty; expected a title as in the export",
        ),
        ("Title,MovieID\nCinderella\n", "matches.csv, line 2: 1 field; expected 2 as in the header"),
    ],
)
def test_a_wrong_choice_is_one_clear_error(catalog: Dataset, matches: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(catalog, RATINGS, matches)
    assert str(caught.value) == message


def test_a_rating_off_the_scale_of_the_data_is_left_out(catalog: Dataset) -> None:
    own = read(catalog, "movieId,rating,timestamp\n6,9,1600000000\n7,4,1600000000\n")
    assert titles(catalog, own) == ["Alien (1979)"]
    assert [str(problem) for problem in own.problems] == [
        "export, line 2, column Rating: 9 is not a rating from 0.5 to 5, the scale of the data"
    ]


def test_stars_become_ratings_on_the_scale_of_the_data() -> None:
    rows = ROWS.with_columns(Rating=pl.col("Rating") * 2)
    own = read(Dataset.from_frames(rows, MOVIES, liked_from=7), RATINGS)
    assert own.ratings.tolist() == pytest.approx([8.5, 6 + 2.5 / 3.5 - 6 + 6], abs=2)
    assert 6 <= own.ratings[1] < 7 <= own.ratings[0] <= 10


def test_the_list_is_that_of_a_user_with_the_same_ratings(knowing: Predictor, catalog: Dataset) -> None:
    own = read(catalog, RATINGS)
    rows = pl.concat(
        [
            catalog.interactions(),
            interactions((9, 6, 4.5, parse_iso("2023-01-01")), (9, 7, 3, parse_iso("2023-01-02"))),
        ]
    )
    same = Predictor(knowing.model, catalog.with_interactions(rows))
    at = "2023-06-01"
    listed = knowing.recommend(history=own, k=3, at=at)
    assert listed["MovieID"].to_list() == same.recommend([9], k=3, at=at)["MovieID"].to_list()
    assert listed.columns == ["Timestamp", "Rank", "MovieID", "Score", "Fallback"]


def test_a_history_is_given_by_its_path_and_needs_no_user(knowing: Predictor, tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    listed = knowing.recommend(history=tmp_path / "ratings.csv", k=2, titles=True)
    assert set(listed["MovieID"]).isdisjoint({6, 7})
    with pytest.raises(QueryError, match="either users or a history"):
        knowing.recommend([1], history=tmp_path / "ratings.csv", at="2023")  # type: ignore[call-overload]


def test_a_saved_model_knows_the_imdb_ids_of_its_movies(knowing: Predictor, tmp_path: Path) -> None:
    save(knowing, tmp_path / "model")
    assert load(tmp_path / "model").dataset.links.equals(knowing.dataset.links)


def test_a_file_of_imdb_ids_that_the_manifest_does_not_list_is_ignored(tmp_path: Path) -> None:
    dataset = Dataset.from_frames(ROWS, MOVIES.drop("imdbId"))
    save(Predictor(ItemKNN().fit(dataset), dataset), tmp_path / "model")
    pl.DataFrame({"MovieID": [6], "ImdbID": [1]}).write_parquet(tmp_path / "model" / "links.parquet")
    assert load(tmp_path / "model").dataset.links.is_empty()


def test_nothing_is_written_while_an_export_is_read(
    knowing: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "export.zip").write_bytes(pack({"diary.csv": DIARY, "ratings.csv": RATINGS}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    knowing.recommend(history="export.zip", k=2)
    assert [file.name for file in tmp_path.iterdir()] == ["export.zip"]


def test_several_people_get_one_list(knowing: Predictor, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(RATINGS)
    (tmp_path / "other.csv").write_text(NETFLIX)
    histories = [tmp_path / "one.csv", tmp_path / "other.csv"]
    listed = knowing.recommend_together(histories, k=3)
    assert listed.columns == ["Rank", "MovieID", "Title", "Score", "Percentile1", "Percentile2"]
    assert set(listed["MovieID"]).isdisjoint({6, 7})
    users = knowing.recommend_together([2, 3], k=3, at="2023", rule="least-misery", exclude_seen=False)
    assert len(users) == 3
    with pytest.raises(QueryError, match="either users or histories"):
        knowing.recommend_together([1, tmp_path / "one.csv"])  # type: ignore[arg-type]
