"""The commands that write: what is there before, and a way to tell the state before from the state after."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

import nextreel
from nextreel.data.data_format import PARTITIONS_FILE
from nextreel.data.reading.table_reader import read_dataset
from nextreel.prediction.manifest import ModelManifest
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.cli.commands import succeed

RUN = "import sys\nsys.argv = ['nextreel', *{arguments!r}]\nfrom nextreel.cli import main\nmain()"
WITH_ERRORS_OF_A_COMMAND = (
    "from pathlib import Path\nfrom nextreel import cli\n{}\ncli.app = work\ncli.main()"
)
"""A program whose function `work` fails as a command does."""
IMPORT = """
from nextreel.serving.app import Settings
from nextreel.serving.server import prepare_store
def work():
    prepare_store(Settings(Path("model"), "sqlite:///store.db", keys_required=False), None, lambda *_: None)
"""
RATE = """
from nextreel.serving.storage.store import NewInteraction, Store
def work():
    with Store.open("sqlite:///store.db") as store:
        store.add([NewInteraction(1, movie, 4.0, 2_000_000_000) for movie in range(20)], "once")
"""
ERASE = """
from nextreel.serving.storage.store import Store
def work():
    with Store.open("sqlite:///store.db") as store:
        store.erase_user(1)
        store.remove_remains()
"""


@dataclass(frozen=True)
class Command:
    """A command, run in a directory that `prepare` has filled."""

    name: str
    program: str
    """Python code that runs it."""
    prepare: Callable[[Path], None]
    read: Callable[[Path], str]
    """Returns the state of what the command writes; raises NextreelError if it can't be read."""


def nextreel_command(
    name: str,
    arguments: str,
    prepare: Callable[[Path], None],
    read: Callable[[Path], str],
) -> Command:
    """Return a command of the command line."""
    return Command(name, RUN.format(arguments=arguments.split()), prepare, read)


def make_data(home: Path, name: str = "data") -> None:
    """Write a small data set."""
    succeed("sample", name, "--users", 30, "--movies", 60, "--ratings", 600, cwd=home)


def digest(*parts: object) -> str:
    """Return a short hash of the parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def before_fit(home: Path) -> None:
    make_data(home)
    succeed("fit", "data", "--out", "model", "--model", "popularity", cwd=home)


def read_model(home: Path) -> str:
    predictor = nextreel.load(home / "model")
    lists = predictor.recommend([1, 2, 9_999], k=5, at=2_000_000_000)
    return digest(type(predictor.model), predictor.model.config, lists.select("MovieID").rows())


def before_split(home: Path) -> None:
    make_data(home)
    succeed("split", "data", "parts", "--rule", "global", cwd=home)


def read_split(home: Path) -> str:
    parts = home / "parts"
    facts = json.loads((parts / "split.json").read_text())
    hashes = {
        name: hashlib.sha256((parts / f"{name}.csv").read_bytes()).hexdigest() for name in ("train", "test")
    }
    assert all(facts[name]["sha256"] == found for name, found in hashes.items()), (
        "the parts aren't those of split.json"
    )
    return digest(facts["rule"], hashes, read_dataset(parts).fingerprint)


def before_convert(home: Path) -> None:
    release = home / "ml-latest-small"
    release.mkdir()
    rows = "".join(f"{n % 7 + 1},{n % 11 + 1},{n % 5 + 1}.0,{900_000_000 + n}\n" for n in range(200))
    (release / "ratings.csv").write_text(f"userId,movieId,rating,timestamp\n{rows}")
    movies = "".join(f"{movie},Film {movie} (1999),Drama|War\n" for movie in range(1, 12))
    (release / "movies.csv").write_text(f"movieId,title,genres\n{movies}")


def read_converted(home: Path) -> str:
    if not (home / "data" / "ratings_train.csv").exists():
        return "none"
    return read_dataset(home / "data").fingerprint


def before_recommend(home: Path) -> None:
    before_fit(home)
    (home / "queries.csv").write_text(
        "UserID,Timestamp\n" + "".join(f"{user},2000000000\n" for user in range(1, 9))
    )
    succeed(*recommending("lists.csv"), "--k", 3, cwd=home)
    succeed(*recommending("lists.parquet"), "--k", 3, cwd=home)


def recommending(out: str) -> tuple[str, ...]:
    return "recommend", "model", "--queries", "queries.csv", "--out", out


def read_lists(home: Path) -> str:
    return digest((home / "lists.csv").read_bytes())


def read_parquet_lists(home: Path) -> str:
    return digest(pl.read_parquet(home / "lists.parquet").rows())


def before_promote(home: Path) -> None:
    before_fit(home)
    for name in ("a", "b"):
        succeed("models", "add", "versions", "model", "--name", name, cwd=home)


def read_versions(home: Path) -> str:
    return VersionDirectory.open(home / "versions").current.name


def read_store(home: Path) -> str:
    """Read what counts in a store; one that isn't there, or empty, holds nothing."""
    if not (home / "store.db").exists():
        return "none"
    with Store.open(f"sqlite:///{home}/store.db") as store:
        _, rows = store.everything()
        if store.is_empty:
            return "none"
        return digest(rows.rows(), store.imported, store.last_erasure > 0)


def before_ratings(home: Path) -> None:
    before_fit(home)
    with Store.open(f"sqlite:///{home}/store.db") as store:
        store.import_dataset(nextreel.load(home / "model").dataset, lambda *_: None)


def before_ingest(home: Path) -> None:
    for day in (1, 2):
        rows = "".join(f"{n % 9},{n},4,{10**9 * day + n}\n" for n in range(60))
        (home / f"day-{day}.csv").write_text(f"UserID,MovieID,Rating,Timestamp\n{rows}")
    succeed("ingest", "day-1.csv", "data", cwd=home)


def read_ingested(home: Path) -> str:
    assert (home / "data" / PARTITIONS_FILE).exists()
    return read_dataset(home / "data").fingerprint


def before_evaluate(home: Path) -> None:
    make_data(home)
    succeed("split", "data", "parts", cwd=home)
    succeed("fit", "parts", "--out", "model", "--model", "popularity", cwd=home)


def read_evaluations(home: Path) -> str:
    return digest(read_model(home), len(ModelManifest.read(home / "model").evaluations))


def all_commands() -> Iterator[Command]:
    """Yield the commands."""
    yield nextreel_command("fit", "fit data --out model --model item-knn --force", before_fit, read_model)
    yield nextreel_command(
        "fit, with checkpoints",
        "fit data --out model --model funk-svd --set dimensions=2 --set epochs=2 --force",
        before_fit,
        read_model,
    )
    yield nextreel_command("split", "split data parts --force", before_split, read_split)
    yield nextreel_command("convert", "convert ml-latest-small data", before_convert, read_converted)
    for name, out, read in (
        ("recommend --out of CSV", "lists.csv", read_lists),
        ("recommend --out of Parquet", "lists.parquet", read_parquet_lists),
    ):
        yield nextreel_command(name, f"{' '.join(recommending(out))} --force", before_recommend, read)
    yield nextreel_command("promote", "models promote versions b", before_promote, read_versions)
    yield Command("import", WITH_ERRORS_OF_A_COMMAND.format(IMPORT), before_fit, read_store)
    yield Command("rate", WITH_ERRORS_OF_A_COMMAND.format(RATE), before_ratings, read_store)
    yield Command("erase", WITH_ERRORS_OF_A_COMMAND.format(ERASE), before_ratings, read_store)
    yield nextreel_command("ingest", "ingest day-2.csv data", before_ingest, read_ingested)
    yield nextreel_command(
        "evaluate --save", "evaluate model parts --save", before_evaluate, read_evaluations
    )


COMMANDS = {command.name: command for command in all_commands()}
