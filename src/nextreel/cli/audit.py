"""`nextreel audit`: what does a split give away, and what is it worth?"""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import IncludeSeen, RuleOfSplit, parse_options
from nextreel.models.registry import PRESETS, model_names


def audit(
    directory: Annotated[
        Path,
        typer.Argument(help="Data directory, which is split by the rule, or one that nextreel split wrote."),
    ],
    model: Annotated[
        str,
        typer.Argument(
            help="The model that tells what a leak is worth; it is fitted up to ten times: "
            f"{', '.join((*PRESETS, *model_names()))}."
        ),
    ] = "item-knn",
    rule: RuleOfSplit = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the model, such as --set neighbours=50; repeatable."),
    ] = None,
    include_seen: IncludeSeen = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all figures to this JSON file too.")
    ] = None,
) -> None:
    """Look for leaks between the parts of a split and measure each with a model.

    Rows in both parts, the future of the user and of others, movies that aren't there yet, ties at the cut: how many
    queries each one touches, and NDCG with and without it. Histories end with the train part.
    """
    import json

    from nextreel.atomic_files import replacing
    from nextreel.cli.terminal.console import progress_bar, stdout, table
    from nextreel.data.splitting.split_directory import read_train_test
    from nextreel.data.splitting.split_rules import describe_rule
    from nextreel.evaluation.leak_audit import Auditor
    from nextreel.models.registry import create_model, model_name
    from nextreel.wording import number_of

    chosen = parse_options(options or [])
    name = model_name(create_model(model, chosen))
    with progress_bar("Looking for leaks") as (progress, task):
        parts = read_train_test(directory, rule)
        found = Auditor(
            parts,
            lambda: create_model(model, chosen),
            k,
            not include_seen,
            lambda what: progress.update(task, note=what),
        ).run()
    console = stdout()
    console.print(
        f"{number_of(found.queries, 'query', 'queries')} of {number_of(found.users, 'user')}, frozen history; "
        f"measured with {name}.\n"
    )
    for leak in found.leaks:
        console.print(f"{leak.name}: {leak.sentence}", soft_wrap=True)
    columns = (f"NDCG@{k} with it", "Without", "What it adds; 95 % intervals")
    made = table("What each is worth", "Leak", "Measured on", "Queries", *columns, numbers=4)
    for leak in found.found:
        for price in leak.prices:
            figures = map(str, (price.leaking, price.sealed, price.difference))
            made.add_row(leak.name, price.label, f"{price.queries:,}", *figures)
    if made.row_count:
        console.print()
        console.print(made)
    if json_file is not None:
        facts = {"split": describe_rule(parts.rule), "model": name, "options": chosen, **found.facts()}
        with replacing(json_file) as temporary:
            temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
