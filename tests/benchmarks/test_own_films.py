from pathlib import Path

from benchmarks import joint_lists, title_matching
from nextreel.data.schema import MOVIES, TIMESTAMP
from nextreel.testing.conformance import tiny_dataset

MOVIES_CSV = """MovieID,Title,Genres
1,"Matrix, The (1999)",Action
2,"Hate (Haine, La) (1995)",Drama
3,Heat (1995),Crime
4,Emma (1996),Romance
5,Cinderella (1950),Children
6,Cinderella (2015),Children
"""


def test_no_movie_is_matched_with_another_and_what_is_unclear_is_not_matched(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text(MOVIES_CSV)
    (tmp_path / "ratings_train.csv").write_text("UserID,MovieID,Rating,Timestamp\n1,1,5,10\n")
    by_hand = [
        {"site": "Netflix", "title": "Cinderella", "year": None, "movie": "Cinderella (1950)"},
        {"site": "IMDb", "title": "La haine", "year": 1995, "movie": "Hate (Haine, La) (1995)"},
        {"site": "IMDb", "title": "Dune", "year": 2021, "movie": None},
    ]
    result = title_matching.measure({"seed": 3, "decoys": 0.3, "by_hand": by_hand}, tmp_path)
    spellings = result["spellings"]
    assert {name: of["wrong"] for name, of in spellings.items()} == dict.fromkeys(spellings, 0)
    assert spellings["Letterboxd"]["right"] == 1
    assert result["by_hand"] == {
        "titles": 3,
        "right": 1,
        "unmatched": 1,
        "wrong": 0,
        "rightly_unmatched": 1,
        "not_right": ["Netflix: Cinderella"],
    }


def test_a_list_for_two_is_measured_beside_their_own_lists(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    dataset.interactions().sort(TIMESTAMP).write_csv(tmp_path / "ratings_train.csv")
    movies = dataset.movies.with_columns(Genres=dataset.movies["Genres"].list.join("|"))
    movies.select(MOVIES.schema.names()).write_csv(tmp_path / "movies.csv")
    config = {"model": "item-knn", "positives": 2, "pairs": 5, "seed": 0}
    result = joint_lists.measure(config, tmp_path)
    for kind in ("random", "alike"):
        lists = result["pairs"][kind]["lists"]
        assert lists["own list"]["below_own_list"] == {"mean": 0, "low": 0, "high": 0}
        assert set(lists) == set(joint_lists.LISTS)
