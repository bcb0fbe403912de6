"""`nextreel experiment`: two versions of a model side by side, compared on what followed their answers."""

from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, StoreOption

experiment = typer.Typer(
    help="Compare two versions of a model that answer side by side.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@experiment.callback()
def _group() -> None:
    """Keeps `report` a command of its own while it is the only one."""


@experiment.command("report")
def report(
    store: StoreOption = DEFAULT_STORE,
    planned: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="VERSION=SHARE",
            help="The experiment as nextreel serve was given it: names the challenger and checks its share.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only answers given from this moment on: POSIX seconds or ISO 8601."),
    ] = None,
    within: Annotated[
        str, typer.Option(help="How long after an answer a rating counts, such as 7d, 12h or 30m.")
    ] = "7d",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether one of two versions is better.

    Counts the positives (ratings of at least 4) that followed each answer, strictly after it and within the window,
    on the movies it held. Intervals of 95 % from drawing whole users. Decide by the users with a hit, once, at a
    moment that you chose before the start; looking again and again finds differences that aren't there.
    """
    import json
    from dataclasses import astuple

    import polars as pl

    from nextreel.cli.terminal.console import stdout, table
    from nextreel.data.schema import USER_ID
    from nextreel.data.times import format_duration, parse_duration, parse_timestamp
    from nextreel.errors import require
    from nextreel.wording import number_of

    require("sqlalchemy", "serve")
    from nextreel.evaluation.ab_analysis import ANSWERS, compare
    from nextreel.serving.inference.ab_assignment import Experiment
    from nextreel.serving.storage.store import Store

    window = parse_duration(within, "--within")
    chosen = () if planned is None else astuple(Experiment.parse(planned))
    start = 0 if since is None else parse_timestamp(since)
    with Store.open(store) as opened:
        rows = [
            (each.user_id, each.timestamp, each.version, list(each.movie_ids))
            for each in opened.impressions()
            if each.timestamp >= start
        ]
        answers = pl.DataFrame(rows, schema=ANSWERS, orient="row")
        interactions = opened.histories(answers[USER_ID].unique().to_list())
    found = compare(answers, interactions, window, parse_timestamp("now"), *chosen)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=2))
        return
    control, challenger = found.control, found.challenger
    arms = [
        f"{arm.version}\n{number_of(arm.users, 'user')}, {number_of(arm.answers, 'answer')}"
        for arm in (control, challenger)
    ]
    made = table(
        f"What followed within {format_duration(window)} of an answer; 95 % intervals",
        "",
        *arms,
        f"{challenger.version} - {control.version}",
        numbers=3,
    )
    for each in found.comparisons:
        made.add_row(each.metric, str(each.control), str(each.challenger), str(each.difference))
    console = stdout()
    console.print(made)
    for line in (*(f"{each.metric}: {each.verdict}" for each in found.comparisons), *found.notes):
        console.print(line, soft_wrap=True, markup=False)
