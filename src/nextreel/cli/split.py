"""`nextreel split`: split ratings into a train part and a test part."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import Columns, LikedFrom


def split(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Data directory, a file of interactions, or a pattern for part files, such as 'clicks-*.csv'."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Directory for train.csv, test.csv and split.json.")],
    rule: Annotated[
        Literal["course", "clean", "global", "leave-one-out", "next-visit"],
        typer.Option(help="Rule of the split: which ratings the test part holds."),
    ] = "clean",
    positives: Annotated[
        int | None,
        typer.Option(
            help="Which positive of a user the test part starts at, counted from the last (course and clean: 5, "
            "leave-one-out: 1); users with fewer positives are in the train part only. With global: number of "
            "positives from the time of the split on that a user must have to be in the test part (0). With "
            "next-visit: how many positives a user's last visit must have to be the test part (1)."
        ),
    ] = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Lowest rating that is a positive of the split (that of --liked-from; leave-one-out: every rating)."
        ),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="With global: share of the ratings in the train part (0.8).")
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--at", help="With global: time of the split, POSIX seconds or ISO 8601, instead of a share."
        ),
    ] = None,
    pause: Annotated[
        str | None,
        typer.Option(
            help="With next-visit: longest pause within a visit, a number and s, m, h, d or w.",
            show_default="1d",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the split in OUT even if it is another one.")
    ] = False,
) -> None:
    """Split the ratings into train.csv and test.csv.

    OUT also holds copies of users.csv and movies.csv, so it is a data directory itself.
    """
    from nextreel.cli.terminal.console import stages, stdout
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.data.data_format import DataFormat
    from nextreel.data.reading.table_reader import read_tables
    from nextreel.data.splitting.split_directory import write_split
    from nextreel.data.splitting.split_rules import SplitRule
    from nextreel.data.times import parse_duration, parse_timestamp
    from nextreel.wording import number_of

    moment = None if timestamp is None else parse_timestamp(timestamp)
    longest_pause = None if pause is None else parse_duration(pause, "--pause")
    with stages("Splitting") as show_stage:
        show_stage("reading data")
        tables = read_tables(directory, DataFormat.parse(columns, liked_from))
        chosen = SplitRule.for_rule(rule, positives, threshold, share, moment, tables.scale, longest_pause)
        show_stage("writing both parts")
        facts = write_split(directory, out, chosen, tables, replace_other=force)
    console = stdout()
    for part, counts in (("train", facts.train), ("test", facts.test)):
        console.print(
            f"{part:<6}{number_of(counts.rows, 'row'):>17} of {number_of(counts.users, 'user')}, "
            f"{number_of(counts.positives, 'positive')}"
        )
    if facts.left_out:
        console.print(f"left out {number_of(facts.left_out, 'later row')} of users with too few positives")
    console.print(f"Written to {out}. Next: {next_command('fit', out, '--out', 'model')}", soft_wrap=True)
