"""`nextreel split`: a train part and a test part."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def split(
    directory: Annotated[Path, typer.Argument(help="Data directory with ratings_train.csv.")],
    out: Annotated[Path, typer.Argument(help="Directory for train.csv, test.csv and split.json.")],
    rule: Annotated[
        Literal["course", "clean", "global", "leave-one-out"], typer.Option(help="What is held out.")
    ] = "clean",
    positives: Annotated[
        int | None,
        typer.Option(
            help="How many of a user's last positives the test part starts with; users with fewer stay in train "
            "(course and clean: 5, leave-one-out: 1). With global: how many positives from the moment on a user "
            "must have to be in test (0)."
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Rating from which on a movie is a positive (4; leave-one-out: every rating)."),
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="With global: share of the rows before the moment (0.8).")
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--at", help="With global: the moment itself, POSIX seconds or ISO 8601, instead of a share."
        ),
    ] = None,
) -> None:
    """Split the ratings into train.csv and test.csv.

    OUT holds the users and movies too, so it is a data directory of its own.
    """
    from nextreel.cli.terminal.console import stdout
    from nextreel.data.splitting.split_directory import write_split
    from nextreel.data.splitting.split_rules import SplitRule
    from nextreel.data.times import parse_timestamp
    from nextreel.wording import number_of

    moment = None if timestamp is None else parse_timestamp(timestamp)
    chosen = SplitRule.for_rule(rule, positives, threshold, share, moment)
    facts = write_split(directory, out, chosen)
    console = stdout()
    for part, counts in (("train", facts.train), ("test", facts.test)):
        console.print(
            f"{part:<6}{number_of(counts.rows, 'row'):>17} of {number_of(counts.users, 'user')}, "
            f"{number_of(counts.positives, 'positive')}"
        )
    if facts.left_out:
        console.print(f"left out {number_of(facts.left_out, 'later row')} of users with too few positives")
    console.print(f"Written to {out}. Next: nextreel fit {out} --out model")
