"""`nextreel recommend`: what to watch next, for one user or for a file of queries."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import Columns, Device, IncludeSeen, On
from nextreel.cli.terminal.json_output import AsJson, print_json


def recommend(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model.")],
    user: Annotated[
        list[str] | None,
        typer.Option("--user", "-u", help="UserID; repeat it to get one list for several users."),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Time of the query: POSIX seconds, ISO 8601 (UTC if it names no zone) or now.",
            show_default="now",
        ),
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of movies.")] = 10,
    include_seen: IncludeSeen = False,
    as_json: AsJson = False,
    scores: Annotated[
        bool, typer.Option("--scores", help="Show the model's scores too; only their order has a meaning.")
    ] = False,
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV or Parquet file of queries: UserID and Timestamp, or only UserID, with the time of all in --at."
        ),
    ] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="Ask for every user of the model's data, at the time --at.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --queries or --all-users: CSV or Parquet file to write UserID, Timestamp, MovieID1 to MovieIDk "
            "to; - writes CSV to stdout. A name without an ending is a directory of Parquet parts: if stopped, the "
            "same command makes only the parts that are missing."
        ),
    ] = None,
    on: On = "local",
    ties: Annotated[
        Literal["strict", "file-order"],
        typer.Option(
            help="With --queries or --all-users: whether what the data hold of a query's own second is in its history. "
            "strict: no. file-order: yes, since the query comes after what the data hold."
        ),
    ] = "strict",
    explain_answers: Annotated[
        bool,
        typer.Option(
            "--explain-answers",
            help="Add two columns to the file: Fallback (popularity, where nothing was known of the user) and "
            "Shortfall (the number of movies that only fill up the list). A directory of parts always has them.",
        ),
    ] = False,
    history: Annotated[
        list[Path] | None,
        typer.Option(
            help="Recommend to you: an export of Letterboxd, IMDb, Netflix or MovieLens (a CSV file or the zip), or "
            "any CSV file of the movies that you watched. Nothing of it is stored. Repeat it to get one list "
            "for several people."
        ),
    ] = None,
    rule: Annotated[
        Literal["mean", "least-misery"],
        typer.Option(
            help="With several people: how their standardised scores become one. mean: their mean. least-misery: the "
            "lowest of them."
        ),
    ] = "mean",
    matches: Annotated[
        Path | None,
        typer.Option(
            help="With --history: CSV file of Title, Year, MovieID for titles that weren't matched."
        ),
    ] = None,
    unmatched: Annotated[
        Path | None,
        typer.Option(help="With --history: file to write unmatched titles to, to fill in for --matches."),
    ] = None,
    columns: Columns = None,
    dates: Annotated[
        Literal["day-first", "month-first"] | None,
        typer.Option(
            help="With --history: how dates such as 3/4/21 are written, if the file doesn't show it."
        ),
    ] = None,
    backtest: Annotated[
        bool,
        typer.Option(
            "--backtest",
            help="With --history: replay every day of it instead, and say how often you watched what was "
            "recommended.",
        ),
    ] = False,
    device: Device = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file --out or --unmatched if it exists.")
    ] = False,
) -> None:
    """Recommend what to watch next, as of a given time.

    Only the part of the user's history strictly before that time is used, unless --ties says otherwise.
    """
    from nextreel.data.times import parse_timestamp
    from nextreel.errors import QueryError
    from nextreel.prediction.saving import load

    if len(user or []) > 1 or len(history or []) > 1:
        from nextreel.cli.terminal.joint_report import recommend_jointly

        if user and history:
            raise QueryError("name either users or histories, not both")
        refused = (queries, out, matches, unmatched, columns, dates)
        if (
            any(option is not None for option in refused)
            or all_users
            or explain_answers
            or backtest
            or on != "local"
        ):
            raise QueryError(
                "a list for several people takes --at, --k, --rule, --include-seen, --scores and --json"
            )
        recommend_jointly(
            load(model), user or [], history or [], timestamp, (k, rule, not include_seen, scores, as_json)
        )
        return
    if history:
        from nextreel.cli.terminal.own_history import ListRequest, OwnFiles, recommend_to_history

        if user or (queries, out, all_users, explain_answers, on) != (None, None, False, False, "local"):
            raise QueryError(
                "--history is for one person: leave out --user, --queries, --all-users and --out"
            )
        recommend_to_history(
            load(model),
            OwnFiles(history[0], matches, unmatched, columns, dates, force),
            ListRequest(timestamp, k, not include_seen, scores, as_json),
            backtest,
        )
        return
    if (matches, unmatched, columns, dates, backtest) != (None, None, None, None, False):
        raise QueryError("--matches, --unmatched, --columns, --dates and --backtest are for --history")
    if [bool(user), queries is not None, all_users].count(True) != 1:
        raise QueryError(
            "name either one user with --user or a file of queries with --queries, all users with --all-users, or your "
            "own export with --history"
        )
    if bool(user) == (out is not None):
        raise QueryError(
            "--all-users needs --out" if all_users else "--queries needs --out, and --out needs --queries"
        )
    if out is not None:
        from nextreel.cli.terminal.query_answers import answer_into_directory, answer_into_file, is_directory
        from nextreel.scale.list_parts import BatchRequest

        if as_json or scores:
            raise QueryError(
                "--json and --scores are for one user: answers to many are a CSV or Parquet file"
            )
        given = None if timestamp is None else parse_timestamp(timestamp)
        request = BatchRequest(k, not include_seen, ties)
        if is_directory(out):
            answer_into_directory(model, queries, given, request, out, on, force)
        elif on != "local":
            raise QueryError(
                f"{out}: --on {on} writes a directory of parts: give --out a name without an ending"
            )
        else:
            answer_into_file(model, queries, given, request, out, explain_answers, force)
    elif user:
        from nextreel.cli.terminal.console import stdout
        from nextreel.cli.terminal.recommendation_report import RecommendationReport

        if explain_answers:
            raise QueryError("--explain-answers is for the file of --queries or --all-users: leave it out")
        if ties != "strict":
            raise QueryError("--ties is for the file of --queries or --all-users: leave it out")
        if on != "local":
            raise QueryError("--on is for the queries of --queries or --all-users: leave it out")
        predictor = load(model)
        user_id = predictor.dataset.parse_user_id(user[0], "--user")
        report = RecommendationReport.of(
            predictor, user_id, parse_timestamp(timestamp or "now"), k, exclude_seen=not include_seen
        )
        if as_json:
            print_json(report.to_json())
        else:
            stdout().print(report.to_table(scores))
