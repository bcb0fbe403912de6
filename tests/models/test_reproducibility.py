"""What fits in other processes give: the lists don't depend on the number of threads."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from nextreel.data.sources.synthetic_data import make_sample, write_sample

Models = dict[str, dict[str, object]]
"""The options of models, by name."""
Lists = dict[str, list[tuple[int, ...]]]
"""The list of ten movies of each query, by the model's name."""
CLOSED_FORM: Models = {
    # More threads than idle cores wait for each other in every product: these options save most of the test's time.
    "als": {"factors": 32, "iterations": 3},
    "ease": {},
    "item-knn": {},
    "next-choices": {},
    "popularity": {},
    "sequential-ridge": {"dimensions": 64, "hidden": 128},
}
NETWORK: dict[str, object] = {"dimensions": 8, "layers": 1, "heads": 1, "epochs": 1, "held_out_share": 0.2}
NETWORKS: Models = {
    "transformer": NETWORK,
    "blend": {
        "held_out_share": 0.2,
        "transformer": NETWORK,
        "ridge": {"dimensions": 8, "hidden": 16, "rank": 8},
    },
}
FIT = """
import json, sys
from pathlib import Path
import polars as pl
import nextreel

out, models = sys.argv[1:]
for data, options_by_name in json.loads(models).items():
    dataset = nextreel.read_dataset(data)
    last = dataset.interactions().group_by("UserID", maintain_order=True).agg(pl.col("Timestamp").max())
    queries = pl.concat(last.with_columns(pl.col("Timestamp") + later) for later in (60, 10 * 86_400))
    for name, options in options_by_name.items():
        nextreel.fit(dataset, name, **options).recommend_wide(queries).write_csv(Path(out) / f"{name}.csv")
"""


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Lists]:
    """The lists of processes with one, two and four threads, by this number; with four, only closed forms are fitted."""
    home = tmp_path_factory.mktemp("home")
    write_sample(make_sample(users=300, movies=700, ratings=12_000), home / "sample")
    write_sample(make_sample(users=60, movies=150, ratings=2_000), home / "little-sample")
    closed_form, networks = {"sample": CLOSED_FORM}, {"little-sample": NETWORKS}
    return {
        1: recommend(home, 1, closed_form | networks),
        2: recommend(home, 2, closed_form | networks),
        4: recommend(home, 4, closed_form),
    }


def recommend(home: Path, threads: int, models: dict[str, Models]) -> Lists:
    """Fit models, by the directory of their data, in a process with this number of threads."""
    out = home / str(threads)
    out.mkdir()
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-c", FIT, str(out), json.dumps(models)]
    subprocess.run(command, cwd=home, env={**os.environ, **limits}, check=True)
    return {file.stem: pl.read_csv(file).drop("UserID", "Timestamp").rows() for file in out.iterdir()}


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("model", CLOSED_FORM)
def test_the_lists_of_closed_form_models_do_not_depend_on_the_number_of_threads(
    lists: dict[int, Lists], model: str, threads: int
) -> None:
    """Scores that differ by rounding alone may still change places, as in one list of a hundred at most."""
    assert_alike(lists[1][model], lists[threads][model])


def assert_alike(lists: list[tuple[int, ...]], others: list[tuple[int, ...]]) -> None:
    """Assert that at least 99 % of the lists are identical, and 99.9 % of the movies in them."""
    pairs = list(zip(lists, others, strict=True))
    identical = sum(first == second for first, second in pairs) / len(pairs)
    common = sum(len({*first} & {*second}) for first, second in pairs) / (10 * len(pairs))
    assert (identical >= 0.99, common >= 0.999) == (True, True), (identical, common)


def test_the_lists_of_networks_do_not_depend_on_the_number_of_threads(lists: dict[int, Lists]) -> None:
    assert lists[1]["transformer"] == lists[2]["transformer"]
    assert_alike(lists[1]["blend"], lists[2]["blend"])  # its ridge differs by rounding
