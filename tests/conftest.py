"""Fixtures that all tests share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save

settings.register_profile(
    "nextreel",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
settings.register_profile("fuzz", settings.get_profile("nextreel"), max_examples=300)
settings.register_profile(
    "mutation",
    settings.get_profile("nextreel"),
    phases=[Phase.explicit, Phase.generate],  # that a test fails is enough: no smallest input is looked for
    database=None,
)
settings.load_profile("nextreel")

LONG = ("notebooks/", "scale/", "docs/", "benchmarks/", "chaos/", "models/test_reproducibility.py")
"""Folders and files under `tests` whose tests take longest."""
REAL_DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


def real_data(name: str) -> Path:
    """A directory of real data, which may not be shipped with the project; the test is skipped without it."""
    directory = (REAL_DATA / name).resolve()
    if not directory.is_dir():
        pytest.skip(f"needs the real data set {name}, which isn't shipped: see CONTRIBUTING.md")
    return directory


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Don't look for garbage among what is imported and collected, neither meanwhile nor later: none of it is."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, for then the end is left to short ones, which all processes share evenly.

    Each process begins with an equal part of the list, so one process runs all of `scale`, on one Ray cluster.
    """
    beginnings = tuple(f"tests/{name}" for name in LONG)
    items.sort(key=lambda item: not item.nodeid.startswith(beginnings))


@pytest.fixture(scope="session")
def movielens_1m() -> Path:
    return real_data("ml-1m")


@pytest.fixture(scope="session")
def movielens_100k() -> Path:
    return real_data("ml-100k")


@pytest.fixture(scope="session")
def movielens_latest_small() -> Path:
    return real_data("ml-latest-small")


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    from tests.serving.servers import make_small_predictor  # with a server's libraries, which take a second

    return make_small_predictor()


@pytest.fixture(scope="session")
def model(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "model"
    save(predictor, path)
    return path
