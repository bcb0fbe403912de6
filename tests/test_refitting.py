"""Refits: fitted on newer data, judged on the last days, promoted only if they aren't worse, and never half done."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from nextreel.atomic_files.exclusive import exclusive
from nextreel.data.dataset import Dataset
from nextreel.data.schema import TIMESTAMP
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.data.times import DAY, parse_timestamp
from nextreel.errors import ArtifactError, DataError, QueryError
from nextreel.models.item_knn import ItemKNN, ItemKNNConfig
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load, save
from nextreel.refitting import refit
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import NewInteraction, Store
from tests.cli.commands import nextreel, succeed

DAYS = 90.0


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    sample = make_sample(users=150, movies=80, ratings=6_000, seed=3)
    return Dataset.from_frames(sample.interactions, sample.movies, sample.users)


@pytest.fixture(scope="module")
def end(dataset: Dataset) -> int:
    return int(dataset.timeline.timestamps.max()) + 1


@pytest.fixture(scope="module")
def first_model(dataset: Dataset, end: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned until two periods of judgement before the end."""
    rows = dataset.interactions()
    early = dataset.with_rows(rows.filter(rows[TIMESTAMP] < end - 2 * DAYS * DAY))
    path = tmp_path_factory.mktemp("first") / "model"
    save(Predictor(ItemKNN(ItemKNNConfig(neighbours=20)).fit(early), early), path)
    return path


@pytest.fixture(scope="module")
def full_store(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("full") / "films.db"
    with Store.open(f"sqlite:///{file}") as store:
        store.import_dataset(dataset, lambda done, total: None)
    return file


@pytest.fixture
def store_url(full_store: Path, tmp_path: Path) -> str:
    shutil.copy(full_store, tmp_path / "films.db")
    return f"sqlite:///{tmp_path}/films.db"


@pytest.fixture
def versions(first_model: Path, tmp_path: Path) -> VersionDirectory:
    versions = VersionDirectory.create(tmp_path / "versions")
    versions.add(first_model, "a")
    return versions


@pytest.fixture
def poison(dataset: Dataset, end: int, tmp_path: Path) -> Path:
    """A night of broken data: hundreds of users who all like the same few movies that hardly anybody likes."""
    counts = dataset.interactions()["MovieID"].value_counts().sort("count")["MovieID"].head(12).to_list()
    rows = [
        (500_000 + user, movie, 5.0, int(end - (DAYS + 1) * DAY)) for user in range(2_000) for movie in counts
    ]
    directory = tmp_path / "poison"
    directory.mkdir()
    columns = ["UserID", "MovieID", "Rating", "Timestamp"]
    pl.DataFrame(rows, columns, orient="row").write_csv(directory / "ratings.csv")
    return directory


def names(versions: VersionDirectory) -> set[str]:
    return {version.name for version in versions.list()}


def leftovers(versions: VersionDirectory) -> list[str]:
    return [path.name for path in versions.directory.iterdir() if path.name.startswith(".refit")]


def test_a_refit_that_is_not_worse_is_promoted_and_is_the_model_that_was_judged(
    versions: VersionDirectory, store_url: str, end: int
) -> None:
    with Store.open(store_url) as store:
        done = refit(versions, store, DAYS, margin=0.3)
        identity = store.identity
        noted = store.rows_of(ModelManifest.read(versions.current.path).data.sha256)
    assert done.outcome == "promoted"
    assert noted is not None
    assert noted[2] == done.since
    assert done.current == versions.current.name != "a"
    assert done.judged is not None
    assert done.judged.shown
    manifest = ModelManifest.read(versions.current.path)
    assert (manifest.model, manifest.config["neighbours"]) == ("item-knn", 20)
    assert manifest.store == identity
    assert parse_timestamp(manifest.data.until) < done.since == end - DAYS * DAY
    assert leftovers(versions) == []
    load(versions.current.path)


def test_the_next_refit_waits_until_newer_days_can_judge(versions: VersionDirectory, store_url: str) -> None:
    with Store.open(store_url) as store:
        refit(versions, store, DAYS, margin=0.3)
        again = refit(versions, store, DAYS, margin=0.3)
        shorter = refit(versions, store, 2 * DAYS, margin=0.3)
    assert "there are no new ratings before the last 90 days" in again.sentence
    assert "so the last 180 days, from" in shorter.sentence
    assert "can't be used to judge it" in shorter.sentence
    assert again.outcome == shorter.outcome == "nothing to judge"


def test_too_few_ratings_judge_nothing(versions: VersionDirectory, store_url: str) -> None:
    with Store.open(store_url) as store:
        done = refit(versions, store, days=0.5)
    assert "a comparison needs at least 100" in done.sentence
    assert done.judged is None
    assert names(versions) == {"a"}


def test_a_fit_of_broken_data_is_not_promoted(
    versions: VersionDirectory, store_url: str, poison: Path
) -> None:
    with Store.open(store_url) as store:
        done = refit(versions, store, DAYS, margin=0.05, ingested=poison)
    assert done.outcome == "refused"
    assert done.judged is not None
    assert done.judged.new.mean < done.judged.old.mean
    assert versions.current.name == "a"
    assert names(versions) == {"a"}
    assert leftovers(versions) == []


def test_the_command_says_what_it_decided_by_its_exit_code_and_as_json(
    versions: VersionDirectory, store_url: str, poison: Path
) -> None:
    options = ("--store", store_url, "--days", DAYS)
    worse = nextreel("refit", versions.directory, *options, "--ingested", poison, "--json")
    assert (worse.returncode, worse.stderr) == (3, "")
    assert '"outcome": "refused"' in worse.stdout
    assert '"not_worse": false' in worse.stdout
    said = succeed("refit", versions.directory, *options, "--margin", 0.3)
    assert said.startswith(f"Promoted {versions.current.name}: on the ")
    assert said.count("\n") == 1
    assert succeed("refit", versions.directory, *options).startswith(
        f"Kept {versions.current.name}: there are no new ratings"
    )


class KilledError(BaseException):
    """Stands for the end of the process: nothing of nextreel catches it."""


@pytest.mark.parametrize("stage", ["reading the store", "fitting", "judging", "promoting"])
def test_a_refit_that_ends_at_any_stage_leaves_what_was_there(
    versions: VersionDirectory, store_url: str, stage: str
) -> None:
    def end_at(name: str) -> None:
        if name == stage:
            raise KilledError

    with Store.open(store_url) as store, pytest.raises(KilledError):
        refit(versions, store, DAYS, margin=0.3, on_stage=end_at)
    assert names(versions) == {"a"}
    assert versions.current.name == "a"
    assert leftovers(versions) == []


def test_what_a_killed_refit_left_behind_is_deleted_by_the_next(
    versions: VersionDirectory, store_url: str
) -> None:
    left = versions.directory / f".refit.{'0' * 16}.writing"
    left.mkdir()
    (left / "ratings_train.csv").write_text("UserID\n")
    with Store.open(store_url) as store:
        refit(versions, store, days=0.5)
    assert leftovers(versions) == []


def at_stage(stage: str, act: Callable[[], object]) -> Callable[[str], None]:
    def on_stage(name: str) -> None:
        if name == stage:
            act()

    return on_stage


def test_what_is_promoted_meanwhile_stays(
    versions: VersionDirectory, store_url: str, first_model: Path
) -> None:
    versions.add(first_model, "b")
    with Store.open(store_url) as store:
        done = refit(versions, store, DAYS, 0.3, on_stage=at_stage("judging", lambda: versions.promote("b")))
    assert done.sentence == "Kept b: it became current while a was refitted."
    assert done.outcome == "overtaken"
    assert names(versions) == {"a", "b"}


def test_who_is_erased_meanwhile_is_in_no_version(versions: VersionDirectory, store_url: str) -> None:
    with Store.open(store_url) as store:
        done = refit(versions, store, DAYS, 0.3, on_stage=at_stage("judging", lambda: store.erase_user(1)))
    assert "a user was erased during the refit" in done.sentence
    assert versions.current.name == "a"
    assert names(versions) == {"a"}


def test_ingested_ratings_are_learned_but_not_those_of_the_erased_and_none_twice(
    versions: VersionDirectory, store_url: str, dataset: Dataset, end: int, tmp_path: Path
) -> None:
    rows = dataset.interactions().filter(pl.col("Timestamp") < end - DAYS * DAY)
    movie, early = int(rows["MovieID"][0]), int(rows["Timestamp"].min())  # type: ignore[arg-type]
    extra = [(700_001, movie, 5.0, early), (700_002, movie, 5.0, early), (700_003, 99_999, 4.0, early)]
    columns = ["UserID", "MovieID", "Rating", "Timestamp"]
    both = pl.concat([rows, pl.DataFrame(extra, rows.schema, orient="row")])
    both.select(columns).write_csv(tmp_path / "more.csv")
    with Store.open(store_url) as store:
        store.add([NewInteraction(700_002, movie, 4.0, early)])
        store.erase_user(700_002)
        done = refit(versions, store, DAYS, 0.3, ingested=tmp_path / "more.csv")
        assert store.rows_of(ModelManifest.read(versions.current.path).data.sha256) is None
    assert done.outcome == "promoted"
    learned = load(versions.current.path).dataset
    assert len(learned.timeline) == len(rows) + 2
    assert {700_001, 700_003} <= set(learned.user_ids.tolist())
    assert 700_002 not in learned.user_ids
    assert 99_999 in learned.movie_ids


def test_data_of_another_kind_are_refused(versions: VersionDirectory, store_url: str, tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("UserID,MovieID,Rating,Timestamp\nanne,alien,4,5\n")
    with Store.open(store_url) as store, pytest.raises(DataError, match="texts, but the data of the store"):
        refit(versions, store, DAYS, ingested=tmp_path / "text.csv")


def test_a_single_saved_model_is_refused(first_model: Path, store_url: str) -> None:
    with (
        Store.open(store_url) as store,
        pytest.raises(QueryError, match="a refit needs a directory of versions"),
    ):
        refit(VersionDirectory.open(first_model), store)


def test_two_refits_at_once_are_refused(versions: VersionDirectory, store_url: str) -> None:
    with (
        Store.open(store_url) as store,
        exclusive(versions.directory),
        pytest.raises(ArtifactError, match="another run"),
    ):
        refit(versions, store)
