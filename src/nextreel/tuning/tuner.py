"""Tuning: search for the options of a model on an inner split of the train part.

The rule of the split is applied once more to the train part, and options are compared by NDCG@10 on the inner test
part. The real test part is never read, so the figures of the tuned model on it stay honest. Options are drawn by
tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011) as
implemented in Optuna (Akiba et al., KDD 2019).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nextreel.atomic_files import claim_directory
from nextreel.data.data_format import DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_directory import choose_rule, read_split_rule
from nextreel.data.splitting.split_rules import Rule, SplitRule, split_rows
from nextreel.data.timeline import Ties
from nextreel.errors import require
from nextreel.evaluation.protocol import EvaluationQueries, HistoryMode, choose_ties
from nextreel.models.registry import model_name
from nextreel.tasks import RunTasks, run_here
from nextreel.tuning.search_space import Search
from nextreel.tuning.tuning_result import TuningResult
from nextreel.version import __version__

SEARCH_FILE = "search.json"
"""Name of the file that says which search the results in a directory belong to."""


@dataclass(frozen=True)
class InnerSplit:
    """The train part of a split, split once more into a train part and test queries for comparing options."""

    train: Dataset
    """Interactions that every trial is fitted on."""
    queries: EvaluationQueries
    """Queries of the inner split's test part, by which options are compared."""
    rule: SplitRule
    """Rule by which the train part was split once more."""


def split_inner(
    directory: Path,
    rule: Rule | None,
    history: HistoryMode,
    request: DataFormat | None = None,
    ties: Ties | None = None,
) -> InnerSplit:
    """Split the train part of a data directory once more by the rule of its split; its test.csv is never read.

    A directory without a split is first split by `rule` (by default `clean`), as `nextreel compare` does, so that its
    test part stays unseen too. The course's rule becomes `clean` in the inner split, since rows that stand in both
    parts say nothing about options. Raises QueryError if the directory is split already and `rule` isn't None, and
    DataError as `read_tables` does.
    """
    tables, written_rule = read_tables(directory, request), read_split_rule(directory)
    rows, inner_rule = tables.interactions, choose_rule(directory, rule, written_rule, tables.scale)
    if written_rule is None and not (directory / "test.csv").exists():
        rows = split_rows(rows, inner_rule).train
    if inner_rule.rule == "course":
        inner_rule = inner_rule.model_copy(update={"rule": "clean"})
    split = split_rows(rows, inner_rule)
    train = Dataset.from_tables(replace(tables, interactions=split.train))
    queries = EvaluationQueries.from_checked_split(train, split.test, history, inner_rule.threshold, ties)
    return InnerSplit(train, queries, inner_rule)


def tune(
    inner: InnerSplit,
    search: Search,
    directory: Path,
    report: Callable[[int, int, str], None] = lambda *_: None,
    run_tasks: RunTasks = run_here,
) -> TuningResult:
    """Run trials until `search.trials` are finished; the directory keeps every trial that is.

    `report` is called before each trial with the number of finished trials, the number to reach, and the best result
    so far as text. `run_tasks` runs the trials, and yields their results in order; what is drawn depends on how many it
    runs at a time.

    Raises
    ------
    ArtifactError
        The directory holds something else, or another search.
    ConfigError
        The model has no options to search.
    MissingExtraError
        Optuna isn't installed.
    """
    require("optuna", "tune")
    from nextreel.tuning.trial_runner import TrialRunner

    identity = _identify(search, inner)
    claim_directory(directory, SEARCH_FILE, identity)
    runner = TrialRunner(inner.train, inner.queries, search, directory)
    runner.run(run_tasks, lambda: report(len(runner.trials()), search.trials, runner.describe_best()))
    trials = runner.trials()
    ndcgs = {trial.number: runner.read_ndcgs(trial.number) for trial in trials if trial.ndcg is not None}
    return TuningResult(search, identity, trials, inner.queries.users, ndcgs)


def _identify(search: Search, inner: InnerSplit) -> dict[str, object]:
    """Return what tells this search from others: model, options, ranges, data, seed and nextreel's version.

    A search of the same identity goes on where the last run stopped.
    """
    model = search.create_model({})
    return {
        "nextreel": __version__,
        "model": model_name(model),
        "held": dict(search.held),
        "defaults": model.config.model_dump(mode="json"),
        "space": {name: asdict(values) for name, values in search.space.items()},
        "history": search.history,
        "ties": choose_ties(search.history, search.ties),
        "seed": search.seed,
        "rule": inner.rule.model_dump(exclude_none=True),
        "data": inner.train.fingerprint,
        "queries": len(inner.queries),
    }
