"""`nextreel audit`: what does a split leak to a model, and how much does that change its figures?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import Columns, IncludeSeen, LikedFrom, RuleOfSplit, parse_options
from nextreel.cli.terminal.json_output import AsJson, JsonFile, ReplaceFiles, print_json, refuse_other_json
from nextreel.models.registry import PRESETS, model_names

if TYPE_CHECKING:
    from rich.table import Table

    from nextreel.evaluation.leaks.leak_audit import Audit


def audit(
    directory: Annotated[
        Path,
        typer.Argument(help="Data directory, which is split by the rule, or one that nextreel split wrote."),
    ],
    model: Annotated[
        str,
        typer.Argument(
            help="The model that the effect of each leak is measured with; it is fitted up to eleven times: "
            f"{', '.join((*PRESETS, *model_names()))}."
        ),
    ] = "item-knn",
    rule: RuleOfSplit = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the recommendation lists.")] = 10,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set neighbours=50; repeatable."),
    ] = None,
    include_seen: IncludeSeen = False,
    as_json: AsJson = False,
    json_file: JsonFile = None,
    force: ReplaceFiles = False,
) -> None:
    """Look for leaks between the parts of a split and measure their effect on a model's NDCG.

    Five kinds of leaks are looked for: rows in both parts, later rows of the user, later rows of others, movies
    without earlier rows, and ties at the cut. Each is reported with the number of queries that it touches and NDCG with
    and without it. Histories end with the train part.
    """
    from nextreel.atomic_files import write_json
    from nextreel.cli.terminal.console import print_sentences, progress_bar, stdout
    from nextreel.data.data_format import DataFormat
    from nextreel.data.splitting.split_directory import read_train_test
    from nextreel.data.splitting.split_rules import describe_rule
    from nextreel.evaluation.leaks.leak_audit import audit_split
    from nextreel.models.registry import create_model, model_name
    from nextreel.wording import number_of

    refuse_other_json(json_file, force)
    model_options = parse_options(options or [])
    name = model_name(create_model(model, model_options))
    with progress_bar("Looking for leaks") as (progress, task):
        parts = read_train_test(directory, rule, DataFormat.parse(columns, liked_from))
        result = audit_split(
            parts,
            lambda: create_model(model, model_options),
            k,
            not include_seen,
            lambda step: progress.update(task, note=step),
        )
    facts = {"split": describe_rule(parts.rule), "model": name, "options": model_options, **result.facts()}
    if json_file is not None:
        write_json(facts, json_file)
    if as_json:
        print_json(facts)
        return
    console = stdout()
    queries, users = number_of(result.queries, "query", "queries"), number_of(result.users, "user")
    console.print(f"{queries} of {users}, frozen history; measured with {name}.\n")
    print_sentences(console, (f"{leak.name}: {leak.sentence}" for leak in result.leaks))
    table = effects_table(result)
    if table.row_count:
        console.print()
        console.print(table)


def effects_table(audit: "Audit") -> "Table":
    """Return a table with one row per measured effect of a leak: NDCG with it, without it, and the difference."""
    from nextreel.cli.terminal.console import table as empty_table

    table = empty_table(
        "Effect of each leak",
        *("Leak", "Measured on", "Queries"),
        *(f"NDCG@{audit.k} with it", "Without", "Difference; 95 % intervals"),
        numbers=4,
    )
    for leak in audit.found:
        for effect in leak.effects:
            estimates = map(str, (effect.leaking, effect.sealed, effect.difference))
            table.add_row(leak.name, effect.label, f"{effect.queries:,}", *estimates)
    return table
