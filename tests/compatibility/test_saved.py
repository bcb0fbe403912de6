"""What an earlier nextreel saved opens, and answers as it did then: nine models and a store.

`write_saved.sh` wrote them on generated data: `saved` at commit f29d75f, before 1.0, and `saved_1_0` as 1.0.
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

RELEASES = [Path(__file__).parent / "saved", Path(__file__).parent / "saved_1_0"]
MODELS = [
    pytest.param(path.with_suffix(""), id=f"{release.name}-{path.stem}")
    for release in RELEASES
    for path in sorted(release.glob("*.csv"))
    if path.stem != "queries"
]


def test_all_nine_models_were_saved_each_time() -> None:
    assert len(MODELS) == 9 * len(RELEASES)


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_gives_the_lists_that_it_gave(model: Path) -> None:
    queries = pl.read_csv(model.with_name("queries.csv"))
    lists = nextreel.load(model).recommend_wide(queries)
    assert lists.equals(pl.read_csv(model.with_name(f"{model.name}.csv")))


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_whose_files_are_mapped_gives_the_same_lists(model: Path) -> None:
    predictor, _ = load_mapped(model)
    lists = predictor.recommend_wide(pl.read_csv(model.with_name("queries.csv")))
    assert lists.equals(pl.read_csv(model.with_name(f"{model.name}.csv")))


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.name)
def saved(request: pytest.FixtureRequest) -> Path:
    release: Path = request.param
    return release


@pytest.fixture(scope="module")
def served(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the store of then answers now, in the form of served.json."""
    directory = tmp_path_factory.mktemp("compatibility")
    shutil.copytree(saved / "sequential-ridge", directory / "model")
    shutil.copyfile(saved / "nextreel.db", directory / "nextreel.db")
    then = read_served(saved)
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


def read_served(saved: Path) -> dict[str, Any]:
    then: dict[str, Any] = json.loads((saved / "served.json").read_text())
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
def test_a_saved_store_answers_as_it_did(part: str, saved: Path, served: dict[str, Any]) -> None:
    assert without_scores(served[part]) == without_scores(read_served(saved)[part])


@pytest.mark.parametrize("part", ["answers", "similar", "found"])
def test_a_saved_store_gives_the_scores_that_it_gave(part: str, saved: Path, served: dict[str, Any]) -> None:
    assert list_scores(served[part]) == pytest.approx(
        list_scores(read_served(saved)[part]), rel=1e-4, abs=1e-4
    )
