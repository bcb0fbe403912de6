"""Evaluation results as tables for a terminal."""

from collections.abc import Mapping

from rich.table import Table

from nextreel.cli.terminal.console import table
from nextreel.evaluation.model_evaluation import Evaluation
from nextreel.wording import number_of


def metrics_table(results: Mapping[str, Evaluation], protocol: str) -> Table:
    """Return a table with one row for each model: the mean of each metric with its 95 % interval.

    All results must be of the same queries; `protocol`, a description of the evaluation, becomes part of the title.
    """
    first = next(iter(results.values()))
    queries, users = number_of(len(first.queries), "query", "queries"), number_of(first.n_users, "user")
    title = f"{queries} of {users}, {protocol}; 95 % intervals"
    metrics = table(title, "Model", *first.metrics, numbers=len(first.metrics))
    for name, result in results.items():
        metrics.add_row(name, *map(str, result.metrics.values()))
    return metrics
