"""`nextreel experiment`: which of two versions of a model, served side by side, is better?"""

from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, LikedFrom, StoreOption, open_store
from nextreel.cli.terminal.json_output import AsJson, print_json

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from nextreel.evaluation.ab_analysis import Report
    from nextreel.serving.storage.store import Store

experiment = typer.Typer(
    help="Compare two versions of a model that are served side by side.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@experiment.callback()
def _group() -> None:
    """Keep `report` a subcommand; Typer would merge an only command into its group."""


@experiment.command("report")
def report(
    store: StoreOption = DEFAULT_STORE,
    planned: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="VERSION=SHARE",
            help="The experiment as given to nextreel serve: names the challenger and checks its share of the users.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only recommendations shown from this time on: POSIX seconds or ISO 8601."),
    ] = None,
    within: Annotated[
        str, typer.Option(help="Length of the window after each recommendation, such as 7d, 12h or 30m.")
    ] = "7d",
    liked_from: LikedFrom = None,
    as_json: AsJson = False,
) -> None:
    """Report whether one of two versions is better.

    Counts the positives (ratings that count as liked: stars of at least 4, unless the data say otherwise) on the
    movies of each recommendation list, strictly after it was shown and within the window. The 95 % intervals come
    from a bootstrap over users. Decide by the share of users with a hit, once, at a time chosen before the
    experiment started: looking again and again finds differences that don't exist.
    """
    from dataclasses import astuple

    from nextreel.cli.terminal.console import print_sentences, stdout
    from nextreel.data.rating_scale import STARS
    from nextreel.data.schema import USER_ID
    from nextreel.data.times import parse_duration, parse_timestamp
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.evaluation.ab_analysis import compare
    from nextreel.serving.inference.ab_assignment import Experiment

    window = parse_duration(within, "--within")
    challenger, share = (None, None) if planned is None else astuple(Experiment.parse(planned))
    start = 0 if since is None else parse_timestamp(since)
    with open_store(store) as opened:
        impressions = _read_impressions(opened, start)
        if liked_from is None:
            liked_from = (opened.data_format.scale or STARS).liked_from
        interactions = opened.histories(impressions[USER_ID].unique().to_list())
    now = parse_timestamp("now")
    result = compare(impressions, interactions, window, now, challenger, share, liked_from)
    if as_json:
        print_json(result.facts())
        return
    console = stdout()
    console.print(comparison_table(result))
    verdicts = [f"{comparison.metric}: {comparison.verdict}" for comparison in result.comparisons]
    print_sentences(console, (*verdicts, *result.notes))


def comparison_table(report: "Report") -> "Table":
    """Return a table with one row per metric: its value for each of the two versions, and their difference."""
    from nextreel.cli.terminal.console import table as empty_table
    from nextreel.data.times import format_duration
    from nextreel.wording import number_of

    control, challenger = report.control, report.challenger
    arms = [
        f"{arm.version}\n{number_of(arm.users, 'user')}, {number_of(arm.impressions, 'impression')}"
        for arm in (control, challenger)
    ]
    table = empty_table(
        f"What followed within {format_duration(report.within)} of an impression; 95 % intervals",
        *("", *arms, f"{challenger.version} - {control.version}"),
        numbers=3,
    )
    for row in report.comparisons:
        table.add_row(row.metric, str(row.control), str(row.challenger), str(row.difference))
    return table


def _read_impressions(store: "Store", start: int) -> "pl.DataFrame":
    """Return the recommendation lists shown at `start` or later, as a frame with the columns of IMPRESSIONS."""
    import polars as pl

    from nextreel.evaluation.impression_outcomes import IMPRESSIONS

    rows = [
        (impression.user_id, impression.timestamp, impression.version, list(impression.movie_ids))
        for impression in store.impressions()
        if impression.timestamp >= start
    ]
    return pl.DataFrame(rows, schema=IMPRESSIONS, orient="row")
