"""What a predictor gives back: the library of the frame, titles, conditions, reasons, similar movies and search."""

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from nextreel.data.dataset import Dataset
from nextreel.errors import MissingExtraError, QueryError
from nextreel.prediction.fitting import fit
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save

MOVIES = pd.DataFrame(
    {
        "film": ["heat", "alien", "brazil", "casino", "tt5"],
        "title": ["Heat (1995)", "Alien (1979)", "Brazil (1985)", "Casino (1995)", None],
        "genres": ["Crime|Drama", "Horror|Sci-Fi", "Sci-Fi", "Crime|Drama", None],
    }
)
PLAYS = pd.DataFrame(
    {
        "account": ["ann", "ann", "bob", "bob", "bob", "cleo", "cleo", "dan"],
        "film": ["heat", "alien", "heat", "alien", "casino", "heat", "casino", "tt5"],
        "watched_at": pd.date_range("2024-01-01", periods=8, freq="D"),
    }
)
NAMES = {"user": "account", "movie": "film", "time": "watched_at"}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return fit(Dataset.from_frames(PLAYS, MOVIES, columns=NAMES), "item-knn")


QUERIES = {"account": ["ann", "nobody"], "watched_at": ["2024-02-01", "2024-02-01"]}


@pytest.mark.parametrize(
    "make", [pl.DataFrame, pl.LazyFrame, pd.DataFrame, pa.table], ids=lambda m: m.__name__
)
def test_the_answers_are_a_frame_of_the_library_of_the_queries(predictor: Predictor, make: Any) -> None:
    queries = make(QUERIES)
    for answers in (predictor.recommend(queries, k=2, titles=True), predictor.recommend_wide(queries, k=2)):
        assert type(answers) is type(queries)


def test_the_answers_to_a_relation_of_duckdb_are_one(predictor: Predictor) -> None:
    queries: Any = duckdb.sql("SELECT 'ann' AS account, TIMESTAMP '2024-02-01' AS watched_at")
    answers: Any = predictor.recommend(queries, k=2)
    assert answers.filter("Rank = 1").fetchall()[0][:4] == ("ann", 1_706_745_600, 1, "casino")


@pytest.mark.parametrize("queries", ["ann", ["ann"], pd.Series(["ann"]), np.array(["ann"])], ids=type)
def test_the_answers_for_a_user_or_a_list_are_of_polars(predictor: Predictor, queries: Any) -> None:
    answers = predictor.recommend(queries, k=2, at=datetime(2024, 2, 1))
    assert isinstance(answers, pl.DataFrame)
    assert answers["MovieID"].to_list()[0] == "casino"


def test_the_answers_are_the_same_in_every_library(predictor: Predictor) -> None:
    expected = predictor.recommend(pl.DataFrame(QUERIES), k=5, titles=True)
    pandas = predictor.recommend(pd.DataFrame(QUERIES), k=5, titles=True)
    arrow = predictor.recommend(pa.table(QUERIES), k=5, titles=True)
    assert pl.DataFrame(arrow).equals(expected)
    assert pl.from_pandas(pandas, nan_to_null=True).rows() == expected.rows()
    assert pandas["Score"].dtype == np.float32
    assert pandas["Fallback"].isna().tolist() == expected["Fallback"].is_null().to_list()


def test_pandas_frames_go_in_and_out_without_pyarrow() -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
import pandas as pd, nextreel
plays = pd.DataFrame({"user": ["ann", "bob"], "item": ["heat", "alien"], "rating": [4, 5], "note": [None, "x"]})
plays["time"] = pd.to_datetime(["2024-01-05T18:00:00.5+01:00"] * 2)
predictor = nextreel.fit(nextreel.Dataset.from_frames(plays), "popularity")
answers = predictor.recommend(pd.DataFrame({"user": ["ann"], "time": ["2024-02-01"]}), k=1, titles=True)
print(type(answers).__module__.split(".")[0], answers["MovieID"].tolist(), answers["Title"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "pandas ['alien'] ['alien']", done.stderr


def test_titles_are_added_and_a_movie_without_one_has_its_id(predictor: Predictor) -> None:
    answers = predictor.recommend("bob", k=5, at="2024-02-01", titles=True, exclude_seen=False)
    assert answers.columns == ["UserID", "Timestamp", "Rank", "MovieID", "Title", "Score", "Fallback"]
    titles = dict(answers.select("MovieID", "Title").iter_rows())
    assert (titles["heat"], titles["tt5"]) == ("Heat (1995)", "tt5")
    wide = predictor.recommend_wide("bob", k=2, at="2024-02-01", titles=True)
    assert wide.columns == ["UserID", "Timestamp", "MovieID1", "MovieID2", "Title1", "Title2"]
    assert wide["Title1"].item() == titles[wide["MovieID1"].item()]


@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [
        ({"include_genres": ["sci-fi"]}, {"alien", "brazil"}),
        ({"include_genres": "Sci-Fi"}, {"alien", "brazil"}),
        ({"exclude_genres": ["Sci-Fi"]}, {"heat", "casino", "tt5"}),
        ({"year_min": 1985}, {"heat", "brazil", "casino"}),
        ({"year_max": np.int64(1985)}, {"alien", "brazil"}),
        ({"exclude": ["heat", "no such movie"]}, {"alien", "brazil", "casino", "tt5"}),
        ({"include_genres": ["Sci-Fi"], "exclude": np.array(["alien"])}, {"brazil"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_conditions_hold_for_every_movie_and_nothing_else_fills_up_the_list(
    predictor: Predictor, conditions: Any, allowed: set[str]
) -> None:
    answers = predictor.recommend("new", k=5, at="2024-02-01", **conditions)
    assert set(answers["MovieID"]) == allowed
    wide = predictor.recommend_wide(
        "new", k=5, at="2024-02-01", with_fallback=True, titles=True, **conditions
    )
    places = wide.select(f"MovieID{place}" for place in range(1, 6)).row(0)
    assert set(places) - {None} == allowed
    assert wide.select(f"Title{place}" for place in range(1, 6)).row(0).count(None) == places.count(None)
    assert wide["Shortfall"].item() == 5 - len(allowed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"include_genres": ["Dramma"]},
            "no movie has the genre 'Dramma'; expected one of Crime, Drama, Horror",
        ),
        ({"include_genres": 5}, "include_genres is 5; expected a list of genres"),
        ({"exclude_genres": [None]}, "exclude_genres holds None; expected genres as text"),
        ({"year_min": "1990"}, "year_min is '1990'; expected a year as a whole number"),
        ({"year_min": 1990, "year_max": 1980}, "year_min is 1990 and year_max 1980: no year is in between"),
        ({"exclude": "heat"}, "exclude is 'heat'; expected a list of MovieIDs"),
        ({"exclude": ["heat", 7]}, r"exclude\[1\]: 7 is not a text; expected an id as text"),
        ({"diversity": "0.5"}, "diversity is '0.5'; expected a number from 0 to 1"),
        (
            {"diversity": 0.7, "calibration": 0.7},
            "diversity is 0.7 and calibration 0.7; expected numbers from 0",
        ),
        ({"diversity": 0.5, "k": 6}, "k is 6; the catalog has 5 movies"),
        ({"at": "soon"}, "at: 'soon' is not a time; expected POSIX seconds or ISO 8601"),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_an_invalid_option_is_named_with_its_value(predictor: Predictor, options: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        predictor.recommend("ann", **{"k": 2, "at": "2024-02-01"} | options)
    with pytest.raises(QueryError, match=message):
        predictor.recommend_wide("ann", **{"k": 2, "at": "2024-02-01"} | options)


def test_diversity_and_calibration_rerank_the_list() -> None:
    rows = pl.DataFrame(
        {
            "UserID": [user for user in range(6) for _ in range(4)],
            "MovieID": [0, 1, 2, 3] * 5 + [4, 5, 6, 7],
            "Timestamp": range(24),
        }
    )
    genres = ["War"] * 4 + ["Comedy"] * 4
    movies = pl.DataFrame({"MovieID": range(8), "Title": [str(i) for i in range(8)], "Genres": genres})
    predictor = fit(Dataset.from_frames(rows, movies), "popularity")
    plain = predictor.recommend(99, k=2, at=100)["MovieID"].to_list()
    varied = predictor.recommend(99, k=2, at=100, diversity=0.9)["MovieID"].to_list()
    assert (max(plain), varied[0] == plain[0], varied[1] >= 4) == (1, True, True)
    calibrated = predictor.recommend(5, k=2, at=100, calibration=1.0, exclude_seen=False)["MovieID"].to_list()
    assert min(calibrated) >= 4


def test_a_recommendation_is_explained_by_the_movies_of_the_history(predictor: Predictor) -> None:
    reasons = predictor.explain("ann", "casino", at="2024-02-01")
    assert reasons.columns == ["MovieID", "Title", "Timestamp", "Contribution"]
    assert set(reasons["Title"]) == {"Heat (1995)", "Alien (1979)"}
    assert reasons["Contribution"].is_sorted(descending=True)
    assert len(predictor.explain("ann", "casino", at="2024-02-01", k=1)) == 1
    assert predictor.explain("ann", "casino", at="2024-01-02")["MovieID"].to_list() == ["heat"]
    assert predictor.explain("nobody", "casino").is_empty()


def test_reasons_have_the_ratings_where_there_are_some() -> None:
    rows = pl.DataFrame(
        {"u": [1, 1, 2, 2], "item": [3, 4, 3, 5], "stars": [5, 4, 5, 4], "time": [1, 2, 3, 4]}
    )
    predictor = fit(Dataset.from_frames(rows, columns={"user": "u"}), "item-knn")
    assert predictor.explain(1, 5, at=10).select("Title", "Rating").sort("Title").rows() == [
        ("3", 5.0),
        ("4", 4.0),
    ]


def test_similar_movies_are_those_that_the_same_users_liked(predictor: Predictor) -> None:
    similar = predictor.similar("casino", k=2, at="2024-02-01")
    assert similar.columns == ["MovieID", "Title", "Similarity"]
    assert similar["Title"].to_list()[0] == "Heat (1995)"
    assert len(similar) == 2
    assert len(predictor.similar("casino", k=50)) == 4


def test_a_movie_is_found_by_its_title(predictor: Predictor) -> None:
    assert predictor.search("brasil").rows()[0][:2] == ("brazil", "Brazil (1985)")
    assert predictor.search("no such thing").is_empty()


def test_search_says_what_it_needs(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    with pytest.raises(MissingExtraError, match="this needs rapidfuzz, which isn't installed"):
        fit(predictor.dataset, "popularity").search("brazil")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p: p.explain("ann", "no such"), "movie 'no such' isn't in the catalog"),
        (lambda p: p.similar("no such"), "movie 'no such' isn't in the catalog"),
        (lambda p: p.similar(5), "movie: 5 is not a text; expected an id as text"),
        (lambda p: p.similar("heat", k=0), "k is 0; expected a whole number from 1"),
        (lambda p: p.similar("heat", at="x"), "at: 'x' is not a time"),
        (lambda p: p.explain(7, "heat"), "UserID: 7 is not a text"),
        (lambda p: p.explain(["ann", "bob"], "heat", at=5), r"UserID: \['ann', 'bob'\] is not a text"),
        (lambda p: p.search(5), "5 is not a text; expected a title"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_question_that_cannot_be_answered_is_an_error(predictor: Predictor, ask: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        ask(predictor)


def test_a_predictor_introduces_itself_in_one_line(predictor: Predictor) -> None:
    expected = "Predictor(ItemKNN, Dataset(8 interactions, 4 users, 5 movies, 2024-01-01 to 2024-01-08))"
    assert repr(predictor) == expected
    html = predictor._repr_html_()
    assert "Predictor: ItemKNN" in html
    assert len(html) < 4_000


@pytest.mark.parametrize("model", ["ease", "sequential-ridge", "als", "popularity"])
def test_every_model_introduces_itself_on_one_screen(predictor: Predictor, model: str) -> None:
    other = fit(predictor.dataset, model)
    assert len(repr(other)) < 200
    assert other._repr_html_().count("<tr>") < 30


def test_a_loaded_predictor_knows_the_names_of_the_columns(predictor: Predictor, tmp_path: Path) -> None:
    save(predictor, tmp_path / "model")
    answers = load(tmp_path / "model").recommend(pd.DataFrame(QUERIES), k=2, titles=True)
    pd.testing.assert_frame_equal(answers, predictor.recommend(pd.DataFrame(QUERIES), k=2, titles=True))
