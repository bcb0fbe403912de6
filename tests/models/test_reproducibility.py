"""What fits in other processes give: the lists don't depend on the number of threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample

CLOSED_FORM = ("als", "ease", "item-knn", "next-choices", "popularity", "sequential-ridge")
NETWORK: dict[str, object] = {"dimensions": 8, "layers": 1, "heads": 1, "epochs": 1, "held_out_share": 0.2}
FIT = """
import json, sys
from pathlib import Path
import polars as pl
import nextreel

data, out, models = sys.argv[1:]
dataset = nextreel.read_dataset(data)
last = dataset.interactions().group_by("UserID", maintain_order=True).agg(pl.col("Timestamp").max())
queries = pl.concat(last.with_columns(pl.col("Timestamp") + later) for later in (60, 10 * 86_400))
for name, options in json.loads(models).items():
    nextreel.fit(dataset, name, **options).recommend_wide(queries).write_csv(Path(out) / f"{name}.csv")
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    write_sample(make_sample(users=300, movies=700, ratings=12_000), directory)
    return directory


@pytest.fixture(scope="module")
def little_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("little-sample")
    write_sample(make_sample(users=60, movies=150, ratings=2_000), directory)
    return directory


def recommend(
    data: Path, out: Path, threads: int, models: dict[str, dict[str, object]]
) -> dict[str, list[tuple[int, ...]]]:
    """Fit models in a process with this number of threads; returns the list of ten movies of each query, by model."""
    out.mkdir()
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-c", FIT, str(data), str(out), json.dumps(models)]
    subprocess.run(command, env={**os.environ, **limits}, check=True)
    return {name: pl.read_csv(out / f"{name}.csv").drop("UserID", "Timestamp").rows() for name in models}


def test_the_lists_of_closed_form_models_do_not_depend_on_the_number_of_threads(
    data: Path, tmp_path: Path
) -> None:
    """Scores that differ by rounding alone may still change places, as in one list of a hundred at most."""
    models: dict[str, dict[str, object]] = {name: {} for name in CLOSED_FORM}
    models["als"] = {"factors": 32, "iterations": 3}  # which saves most of the test's time
    alone, two, four = (recommend(data, tmp_path / str(threads), threads, models) for threads in (1, 2, 4))
    for other in (two, four):
        for name in CLOSED_FORM:
            assert_alike(alone[name], other[name])


def assert_alike(lists: list[tuple[int, ...]], others: list[tuple[int, ...]]) -> None:
    """Assert that at least 99 % of the lists are identical, and 99.9 % of the movies in them."""
    pairs = list(zip(lists, others, strict=True))
    identical = sum(first == second for first, second in pairs) / len(pairs)
    common = sum(len({*first} & {*second}) for first, second in pairs) / (10 * len(pairs))
    assert (identical >= 0.99, common >= 0.999) == (True, True), (identical, common)


def test_the_lists_of_networks_do_not_depend_on_the_number_of_threads(
    little_data: Path, tmp_path: Path
) -> None:
    models: dict[str, dict[str, object]] = {
        "transformer": NETWORK,
        "blend": {
            "held_out_share": 0.2,
            "transformer": NETWORK,
            "ridge": {"dimensions": 8, "hidden": 16, "rank": 8},
        },
    }
    alone, two = (recommend(little_data, tmp_path / str(threads), threads, models) for threads in (1, 2))
    assert alone["transformer"] == two["transformer"]
    assert_alike(alone["blend"], two["blend"])  # its ridge differs by rounding
