"""Options that several commands have, each with one help."""

from typing import Annotated, Literal

import typer

IncludeSeen = Annotated[
    bool, typer.Option("--include-seen", help="Let movies be recommended that the user has rated already.")
]
MLflow = Annotated[
    bool,
    typer.Option(
        "--mlflow",
        help="Log to MLflow, where MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say; MLFLOW_RUN_ID adds to a run "
        "that is there.",
    ),
]
RuleOfSplit = Annotated[
    Literal["course", "clean", "global", "leave-one-out"] | None,
    typer.Option("--rule", help="How to split a directory that isn't split yet (clean)."),
]
StoreOption = Annotated[
    str,
    typer.Option(
        "--store", metavar="URL", help="The server's store: sqlite:///FILE or postgresql+psycopg://…"
    ),
]
DEFAULT_STORE = "sqlite:///nextreel.db"
