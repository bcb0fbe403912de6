"""How time and memory of what is streamed grow with the rows: `ingest`, and answers to files of queries.

Each command is a process of its own. The rows to ingest are those of `expanded_movielens` with more and more copies of
each user, so there are more users and not more movies; a file of queries asks for all users in turn.

    python -m benchmarks.many_rows rows DATA_DIR OUT_DIR USERS MOVIES
    python -m benchmarks.many_rows queries MODEL NUMBER FILE

make such rows and queries, in processes of their own, because the peak memory of a command counts that of the process
which started it.
"""

import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import polars as pl

from benchmarks.expanded_movielens import Expansion, write_expansion
from benchmarks.process_trees import run_measured
from benchmarks.run import Config, Result
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.prediction.saving import load_mapped


def measure(config: Config, data: Path) -> Result:
    """Return what `ingest` takes for each number of rows, and each model for each number of queries."""
    return {
        "ingest": [_ingest(data.absolute(), **size) for size in config["ingest"]],
        "answers": {
            model: _answer(data.absolute(), model, numbers) for model, numbers in config["answers"].items()
        },
    }


def _ingest(data: Path, users: int, movies: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="nextreel-many-rows-") as directory:
        home = Path(directory)
        rows = int(_make("rows", data, home / "source", users, movies))
        usage = run_measured(_nextreel("ingest", "source", "partitioned"), home)
        measured = {
            "rows": rows,
            "gib_in": round(_count_bytes(home / "source") / 2**30, 3),
            "gib_out": round(_count_bytes(home / "partitioned") / 2**30, 3),
            **asdict(usage),
        }
    print(measured, flush=True)
    return measured


def _answer(data: Path, model: str, numbers: list[int]) -> list[Result]:
    measured = []
    with tempfile.TemporaryDirectory(prefix="nextreel-many-rows-") as directory:
        home = Path(directory)
        run_measured(_nextreel("fit", str(data), "--model", model, "--out", "model"), home)
        for number in numbers:
            _make("queries", home / "model", number, home / "queries.parquet")
            command = _nextreel(
                "recommend", "model", "--queries", "queries.parquet", "--out", f"lists-{number}"
            )
            measured.append({"queries": number, **asdict(run_measured(command, home))})
            print(model, measured[-1], flush=True)
    return measured


def write_queries(dataset: Dataset, number: int, file: Path) -> None:
    """Write a file that asks for each user in turn, after the last interaction, each round a second later."""
    position = pl.int_range(number, eager=True)
    later = position // dataset.n_users + 1 + int(dataset.timeline.timestamps.max())
    users = dataset.users[USER_ID][position % dataset.n_users]
    pl.DataFrame({USER_ID: users, TIMESTAMP: later}).write_parquet(file)


def _make(*arguments: object) -> str:
    command = [sys.executable, "-m", __name__, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _nextreel(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nextreel", *arguments]


def _count_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def main(arguments: list[str]) -> None:
    """Make rows and print their number, or make queries."""
    if arguments[0] == "rows":
        data, out, users, movies = arguments[1:]
        print(write_expansion(Expansion.of(read_dataset(Path(data)), int(users), int(movies)), Path(out)))
    else:
        model, number, file = arguments[1:]
        write_queries(load_mapped(Path(model))[0].dataset, int(number), Path(file))


if __name__ == "__main__":
    main(sys.argv[1:])
