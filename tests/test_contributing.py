"""CONTRIBUTING.md says where things are; these tests walk through the code and compare."""

import ast
import asyncio
import re
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import httpx
import pytest
from fastapi import FastAPI

import nextreel
from nextreel.data.dataset import Dataset
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.app import Settings, create_app
from nextreel.serving.server import prepare_store

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "nextreel"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


class Step(NamedTuple):
    """A row of a walk: a function, and the name that the value has in it."""

    file: str
    function: str
    value: str


def read_walk(name: str) -> list[Step]:
    table = PAGE.split(f"<!-- walk: {name} -->")[1].split("<!-- end -->")[0]
    rows = [re.findall(r"`([^`]+)`", line) for line in table.splitlines() if line.startswith("| `")]
    return [Step(*row) for row in rows]


WALKS = {name: read_walk(name) for name in ("timestamp", "row")}
STEPS = [step for walk in WALKS.values() for step in walk]


def find_function(step: Step) -> ast.FunctionDef | ast.AsyncFunctionDef:
    *classes, name = step.function.split(".")
    body: list[ast.stmt] = ast.parse((SOURCE / step.file).read_text(encoding="utf-8")).body
    for class_name in classes:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == class_name).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return next(node for node in functions if node.name == name)


class Calls:
    """The functions of nextreel in the order of their first calls, and who called whom."""

    def __init__(self) -> None:
        self.functions: list[tuple[str, str]] = []
        self.stacks: dict[tuple[str, str], list[str]] = {}

    def record(self, frame: FrameType, event: str, argument: object) -> None:
        if event != "call" or not frame.f_code.co_filename.startswith(str(SOURCE)):
            return
        key = (to_file(frame), frame.f_code.co_qualname)
        if key in self.stacks:
            return
        self.functions.append(key)
        callers: list[str] = []
        caller: FrameType | None = frame
        while caller is not None:
            if caller.f_code.co_filename.startswith(str(SOURCE)):
                callers.append(to_file(caller))
            caller = caller.f_back
        self.stacks[key] = callers


def to_file(frame: FrameType) -> str:
    return Path(frame.f_code.co_filename).relative_to(SOURCE).as_posix()


@contextmanager
def recording() -> Iterator[Calls]:
    calls = Calls()
    threading.setprofile(calls.record)
    sys.setprofile(calls.record)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small data set."""
    directory = tmp_path_factory.mktemp("data")
    sample = make_sample(users=40, movies=60, ratings=1_200, seed=1)
    sample.interactions.write_csv(directory / "ratings_train.csv")
    sample.movies.write_csv(directory / "movies.csv")
    return directory


def walk_with_a_timestamp(data: Path, home: Path) -> Calls:
    dataset: Dataset = nextreel.read_dataset(data)
    save(Predictor(nextreel.create_model("popularity").fit(dataset), dataset), home / "model")
    settings = Settings(home / "model", f"sqlite:///{home}/nextreel.db", keys_required=False)
    prepare_store(settings, None, lambda done, total: None)
    path = f"/v1/users/{dataset.user_ids[0]}/recommendations?at=1500000000"
    with recording() as calls:
        # In a thread of its own, since a browser's tests leave an event loop running in this one.
        response = ThreadPoolExecutor(1).submit(asyncio.run, get(create_app(settings), path)).result()
    assert response.status_code == 200, response.text
    return calls


async def get(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        return await client.get(path)


def walk_with_a_row(data: Path, home: Path) -> Calls:
    with recording() as calls:
        nextreel.fit(nextreel.read_dataset(data), "popularity")
    return calls


RUNS: dict[str, Callable[[Path, Path], Calls]] = {
    "timestamp": walk_with_a_timestamp,
    "row": walk_with_a_row,
}


@pytest.fixture(scope="module", params=RUNS)
def walk(
    request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Step], Calls]:
    name: str = request.param
    return WALKS[name], RUNS[name](data, tmp_path_factory.mktemp("walk"))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.function)
def test_the_function_of_a_walk_has_a_value_of_that_name(step: Step) -> None:
    function = find_function(step)
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(function) if isinstance(node, ast.arg | ast.keyword) and node.arg}
    assert step.value in names


def test_a_walk_calls_its_functions_in_the_order_of_the_table(walk: tuple[list[Step], Calls]) -> None:
    steps, calls = walk
    expected = [(step.file, step.function) for step in steps]
    assert [call for call in calls.functions if call in expected] == expected


def test_no_file_lies_between_the_route_and_the_score_but_those_of_the_walk(
    data: Path, tmp_path: Path
) -> None:
    steps = WALKS["timestamp"]
    calls = walk_with_a_timestamp(data, tmp_path)
    score = steps[-1]
    assert set(calls.stacks[score.file, score.function]) <= {step.file for step in steps}


def test_a_timestamp_passes_at_most_eight_files() -> None:
    assert len({step.file for step in WALKS["timestamp"]}) <= 8


def test_a_row_passes_at_most_six_folders_and_none_twice() -> None:
    folders = [Path(step.file).parent.as_posix() for step in WALKS["row"]]
    entered = [folder for place, folder in enumerate(folders) if folders[place - 1 : place] != [folder]]
    assert len(entered) == len(set(entered)) <= 6


ANSWERS = re.findall(r"^\| (\d+) \| [^|]+ \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def test_thirty_questions_have_one_file_each_that_is_there() -> None:
    assert [int(number) for number, _ in ANSWERS] == list(range(1, 31))
    assert [file for _, file in ANSWERS if not (SOURCE / file).is_file()] == []


def test_the_map_of_the_tree_names_every_folder() -> None:
    tree = PAGE.split("```text")[1].split("```")[0]
    folders = {path.parent.name for path in SOURCE.rglob("*.py")} - {"nextreel", "testing"}
    models = {"transformer", "sequential_ridge"}  # a package for a model is like a file for one
    assert {folder for folder in folders - models if f"{folder}/" not in tree} == set()


def test_the_map_of_the_tree_fits_on_one_screen() -> None:
    assert len(PAGE.split("```text")[1].split("```")[0].splitlines()) <= 40
