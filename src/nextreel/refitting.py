"""A refit of the served model: fitted on newer data, judged on the last days, and promoted only if it isn't worse.

The same model with the same options is fitted on the store's ratings until some days before the latest one. On the
positives of these last days it is compared with the version that is current, which hasn't learned from them either
(`evaluation.non_inferiority`). What is promoted is the very model that was judged: a fit that had learned from the last
days too would be one that nobody has judged, and could itself not be judged against on the next night. Histories hold
the last days all the same, since a server reads them from the store.

Everything is made in an unfinished directory, and the promotion is one step: a run that is killed leaves the version
that was current, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import JsonValue

from nextreel.atomic_files.exclusive import exclusive
from nextreel.atomic_files.unfinished import unfinished_directory
from nextreel.data.dataset import Dataset
from nextreel.data.ids import encode_ids
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.schema import INTERACTIONS, MOVIE_ID, MOVIES, RATING, TIMESTAMP, USER_ID
from nextreel.data.table_writer import write_table
from nextreel.data.tables import Tables
from nextreel.data.times import DAY, format_timestamp, parse_timestamp
from nextreel.errors import DataError, QueryError
from nextreel.evaluation.non_inferiority import K, NonInferiority, compare_predictors, find_queries
from nextreel.models.registry import create_model
from nextreel.prediction.fitting import fit_and_save
from nextreel.prediction.manifest import ModelManifest
from nextreel.prediction.saving import load
from nextreel.serving.refit_data import write_data
from nextreel.serving.storage.data_lineage import find_difference, require_lineage
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from nextreel.serving.storage.stored_versions import StoredVersion
from nextreel.wording import number_of

FEWEST_QUERIES = 100
"""Number of queries below which nothing is judged: the means would be mostly noise."""

Outcome = Literal["promoted", "refused", "nothing to judge", "overtaken"]


@dataclass(frozen=True)
class Refit:
    """What a refit decided."""

    outcome: Outcome
    sentence: str
    """The decision and its reason."""
    current: str
    """Name of the version that is current now."""
    since: int
    """First second of the days that judge, POSIX seconds."""
    judged: NonInferiority | None = None
    """The comparison of the new model with the version that was current; None if none was made."""

    def facts(self) -> dict[str, JsonValue]:
        """Return the decision in the form that is written as JSON."""
        return {
            "outcome": self.outcome,
            "sentence": self.sentence,
            "current": self.current,
            "judged_since": format_timestamp(self.since),
            "judged": None if self.judged is None else self.judged.facts(),
        }


def refit(
    versions: VersionDirectory,
    store: Store,
    days: float = 7.0,
    margin: float = 0.05,
    ingested: Path | None = None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Refit:
    """Refit the current version of a model, and promote the new fit if it is shown not to be worse.

    Parameters
    ----------
    versions : VersionDirectory
        The versions that the servers serve.
    store : Store
        Their store.
    days : float
        Length of the period at the end of the data that judges, and that the new fit doesn't learn from.
    margin : float
        By which share of the current version's NDCG@10 the new fit may be worse.
    ingested : Path, optional
        A data directory with further ratings, such as one of `nextreel ingest`.
    on_stage
        Called with what is done next.

    Raises
    ------
    QueryError
        The versions are a single saved model.
    ArtifactError
        The current version can't be loaded or is of other data than the store, or another refit is running.
    DataError
        `ingested` can't be read, or is of another kind than the data of the store.
    StoreError
        The store can't be read or holds no ratings.
    TooLargeError
        The fit would need more memory than there is.
    """
    if versions.is_single:
        raise QueryError(
            f"{versions.directory} is a single saved model, and a refit needs a directory of versions: create one "
            f"with nextreel models add DIR {versions.directory}"
        )
    with exclusive(versions.directory), unfinished_directory(versions.directory / "refit") as work:
        return _Refitting(versions, store, days, margin, ingested, on_stage, work).run()


@dataclass(frozen=True)
class _Refitting:
    """One refit, with the directory that it works in."""

    versions: VersionDirectory
    store: Store
    days: float
    margin: float
    ingested: Path | None
    on_stage: Callable[[str], None]
    work: Path

    def run(self) -> Refit:
        self.on_stage("loading the current version")
        current, last_erasure = self.versions.current, self.store.last_erasure
        old, manifest = load(current.path), ModelManifest.read(current.path)
        require_lineage(self.store, current.path, lambda: old.dataset)
        self.on_stage("reading the store")
        written = write_data(self.store, old.dataset, self.work / "data")
        tables = self._read_tables()
        rows = tables.interactions
        since = int(rows[TIMESTAMP].max()) + 1 - round(self.days * DAY)  # type: ignore[arg-type]
        queries = find_queries(rows, since, tables.scale.liked_from)
        learned = replace(tables, interactions=rows.filter(pl.col(TIMESTAMP) < since))
        if reason := self._find_nothing_to_judge(manifest, learned, since, len(queries)):
            return Refit("nothing to judge", f"Kept {current.name}: {reason}.", current.name, since)
        self.on_stage("fitting")
        self._write_learned(learned)
        model = create_model(manifest.model, {**manifest.config})
        new, _ = fit_and_save(model, self.work / "data", self.work / "model", on_stage=self.on_stage)
        self.on_stage("judging")
        judged = compare_predictors(old, new, rows, queries, self.margin)
        if not judged.shown:
            sentence = f"Kept {current.name}: {self._describe(judged, current)}."
            return Refit("refused", sentence, current.name, since, judged)
        self.on_stage("promoting")
        if (
            self.ingested is None
        ):  # so that servers map these rows, and read only the later ones from the store
            position = written.last_id, written.last_erasure
            self.store.note_rows(new.dataset.fingerprint, *position, before=since)
        return self._promote(current, last_erasure, since, judged)

    def _read_tables(self) -> Tables:
        """Return the ratings of the store and of the further directory, each event once, the store's first."""
        tables = read_tables(self.work / "data")
        if self.ingested is None:
            return tables
        others = read_tables(self.ingested)
        if difference := find_difference(others.format, tables.format):
            raise DataError(
                f"{self.ingested} {difference[0]}, but the data of the store {difference[1]}: refit without it"
            )
        users = others.interactions[USER_ID].unique()
        codes = encode_ids(users)
        is_erased = pl.Series(codes).is_in(self.store.erased_among(codes).tolist())
        event = [USER_ID, MOVIE_ID, TIMESTAMP]
        new = others.interactions.filter(~pl.col(USER_ID).is_in(users.filter(is_erased).implode())).join(
            tables.interactions, on=event, how="anti", maintain_order="left"
        )
        known = [frame for frame in (tables.movies, others.movies) if frame is not None]
        return replace(
            tables,
            interactions=pl.concat([tables.interactions, new]),
            movies=pl.concat(known).unique(MOVIE_ID, keep="first", maintain_order=True) if known else None,
        )

    def _find_nothing_to_judge(
        self, manifest: ModelManifest, learned: Tables, since: int, n_queries: int
    ) -> str | None:
        """Return why the new fit can't be judged, None if it can."""
        last = f"the last {self.days:g} days, from {_show_minute(since)} on"
        until = parse_timestamp(manifest.data.until)
        if until >= since:
            return (
                f"it was fitted on ratings until {_show_minute(until)}, so {last}, can't be used to judge it"
            )
        if n_queries < FEWEST_QUERIES:
            return f"{last}, have {n_queries} liked ratings, and a comparison needs at least {FEWEST_QUERIES}"
        if Dataset.from_tables(learned).fingerprint == manifest.data.sha256:
            return f"there are no new ratings before {last}"
        return None

    def _write_learned(self, learned: Tables) -> None:
        """Let the data directory hold what the new fit learns from, and no more."""
        rows = learned.interactions
        data = self.work / "data"
        rated = learned.scale.rated
        write_table(rows if rated else rows.drop(RATING), data / f"{INTERACTIONS.stems[0]}.csv")
        if learned.movies is not None:
            write_table(learned.movies, data / f"{MOVIES.stems[0]}.csv")

    def _promote(
        self, current: StoredVersion, last_erasure: int, since: int, judged: NonInferiority
    ) -> Refit:
        """Make the new fit the current version, unless something has happened that it doesn't know of."""
        version = self.versions.add(self.work / "model")
        now, reason = self.versions.current.name, None
        if now != current.name:
            reason = f"it became current while {current.name} was refitted"
        elif self.store.last_erasure != last_erasure:
            reason = "a user was erased during the refit, and the new fit may hold their ratings"
        if reason is not None:
            self.versions.delete([version.name])
            return Refit("overtaken", f"Kept {now}: {reason}.", now, since, judged)
        self.versions.promote(version.name)
        sentence = f"Promoted {version.name}: {self._describe(judged, current)}."
        return Refit("promoted", sentence, version.name, since, judged)

    def _describe(self, judged: NonInferiority, current: StoredVersion) -> str:
        verdict = "is" if judged.shown else "isn't shown to be"
        return (
            f"on the {judged.queries:,} liked ratings of {number_of(judged.users, 'user')} in the last {self.days:g} "
            f"days, NDCG@{K} is {judged.new.mean:.4f} for the new fit and {judged.old.mean:.4f} for {current.name}, so "
            f"it {verdict} at most {100 * self.margin:.3g} % worse (p = {judged.p:.2g})"
        )


def _show_minute(seconds: int) -> str:
    return format_timestamp(seconds)[:16].replace("T", " ")
