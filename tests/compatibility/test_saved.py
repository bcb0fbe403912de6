"""What an earlier nextreel saved opens, and answers as it did then: nine models and a store.

`saved` was written by `write_saved.sh` at commit f29d75f, on generated data.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import nextreel
from nextreel.prediction.saving import load_mapped
from tests.serving.servers import serving

SAVED = Path(__file__).parent / "saved"
MODELS = sorted(path.stem for path in SAVED.glob("*.csv") if path.stem != "queries")


def test_all_nine_models_were_saved() -> None:
    assert len(MODELS) == 9


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_gives_the_lists_that_it_gave(name: str) -> None:
    queries = pl.read_csv(SAVED / "queries.csv")
    lists = nextreel.load(SAVED / name).recommend_wide(queries)
    assert lists.equals(pl.read_csv(SAVED / f"{name}.csv"))


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_whose_files_are_mapped_gives_the_same_lists(name: str) -> None:
    predictor, _ = load_mapped(SAVED / name)
    lists = predictor.recommend_wide(pl.read_csv(SAVED / "queries.csv"))
    assert lists.equals(pl.read_csv(SAVED / f"{name}.csv"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the store of then answers now, in the form of served.json."""
    directory = tmp_path_factory.mktemp("compatibility")
    shutil.copytree(SAVED / "sequential-ridge", directory / "model")
    shutil.copyfile(SAVED / "nextreel.db", directory / "nextreel.db")
    then = read_served()
    with serving(directory / "model", f"sqlite:///{directory}/nextreel.db") as server:
        people = {user: server.ok("GET", f"/v1/users/{user}") for user in then["people"]}
        for person in people.values():
            for given in person["recommendations"]:
                given.pop("at")
        server.problem(404, "GET", "/v1/users/2")  # who was erased stays erased
        return {
            "queries": then["queries"],
            "answers": server.ok("POST", "/v1/recommendations/batch", json={"queries": then["queries"]})[
                "answers"
            ],
            "people": people,
            "similar": server.ok("GET", "/v1/movies/9001/similar?at=1700000000"),
            "found": server.ok("GET", "/v1/movies?query=long+reel"),
        }


def read_served() -> dict[str, Any]:
    then: dict[str, Any] = json.loads((SAVED / "served.json").read_text())
    return then


def without_scores(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_scores(each) for name, each in value.items() if name != "score"}
    return [without_scores(each) for each in value] if isinstance(value, list) else value


def list_scores(value: Any) -> list[float]:
    if isinstance(value, dict):
        own = [value["score"]] if "score" in value else []
        return [*own, *(score for each in value.values() for score in list_scores(each))]
    return [score for each in value for score in list_scores(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("part", ["answers", "people", "similar", "found"])
def test_a_saved_store_answers_as_it_did(part: str, served: dict[str, Any]) -> None:
    assert without_scores(served[part]) == without_scores(read_served()[part])


@pytest.mark.parametrize("part", ["answers", "similar", "found"])
def test_a_saved_store_gives_the_scores_that_it_gave(part: str, served: dict[str, Any]) -> None:
    assert list_scores(served[part]) == pytest.approx(list_scores(read_served()[part]), rel=1e-4, abs=1e-4)
