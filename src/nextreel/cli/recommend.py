"""`nextreel recommend`: what to watch next, for one user or for a file of queries."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import IncludeSeen


def recommend(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model.")],
    user: Annotated[str | None, typer.Option("--user", "-u", help="UserID.")] = None,
    timestamp: Annotated[
        str,
        typer.Option(
            "--at", help="Time of the query: POSIX seconds, ISO 8601 (UTC if it names no zone) or now."
        ),
    ] = "now",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of movies.")] = 10,
    include_seen: IncludeSeen = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    queries: Annotated[
        Path | None, typer.Option(help="CSV or Parquet file of queries: UserID, Timestamp.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="With --queries: CSV or Parquet file to write UserID, Timestamp, MovieID1 to MovieIDk to."
        ),
    ] = None,
) -> None:
    """Recommend what to watch next, as of a given time.

    Only the part of the user's history strictly before that time is used.
    """
    from nextreel.errors import QueryError
    from nextreel.prediction.saving import load

    if (user is None) == (queries is None):
        raise QueryError("name either one user with --user or a file of queries with --queries")
    if (queries is None) != (out is None):
        raise QueryError("--queries needs --out, and --out needs --queries")
    if queries is not None and out is not None:
        from nextreel.cli.terminal.console import refuse_existing
        from nextreel.data.reading.table_reader import read_queries
        from nextreel.data.table_writer import write_table
        from nextreel.wording import number_of

        refuse_existing(out)
        predictor = load(model)
        query_frame = read_queries(queries, predictor.dataset.format)
        write_table(predictor.recommend_wide(query_frame, k, not include_seen), out)
        typer.echo(f"{number_of(len(query_frame), 'list')} of {number_of(k, 'movie')} written to {out}")
    elif user is not None:
        import json

        from nextreel.cli.terminal.console import stdout
        from nextreel.cli.terminal.recommendation_report import RecommendationReport
        from nextreel.data.times import parse_timestamp

        predictor = load(model)
        user_id = predictor.dataset.parse_user_id(user, "--user")
        report = RecommendationReport.of(
            predictor, user_id, parse_timestamp(timestamp), k, exclude_seen=not include_seen
        )
        if as_json:
            typer.echo(json.dumps(report.to_json(), indent=2))
        else:
            stdout().print(report.to_table())
