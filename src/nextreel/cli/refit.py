"""`nextreel refit`: fit the served model on newer data, and promote it if it isn't worse."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, Device, StoreOption, open_store
from nextreel.cli.terminal.json_output import AsJson, print_json

REFUSED = 3
"""Exit code if the new fit was judged and not promoted."""


def refit(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory of the versions that are served.")
    ],
    store: StoreOption = DEFAULT_STORE,
    ingested: Annotated[
        Path | None,
        typer.Option(
            "--ingested",
            metavar="DATA",
            help="A data directory with ratings that the store lacks, such as one of nextreel ingest.",
        ),
    ] = None,
    days: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=3650,
            help="Days at the end of the data that judge the new fit; it doesn't learn from them.",
        ),
    ] = 7.0,
    margin: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.99,
            help="By which share of the current version's NDCG@10 the new fit may be worse.",
        ),
    ] = 0.05,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Fit the served model again on newer data, and promote the new fit if it isn't worse.

    The current version's model and options are fitted on the store's ratings until the last days. On these, the new fit
    is compared with the current version, and becomes current if it is shown to be worse by at most the margin. Running
    servers follow within a second. Exit code 0: promoted, or nothing that could be judged. 3: judged and not promoted.
    """
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel import refitting
    from nextreel.cli.terminal.console import print_sentences, stages, stdout
    from nextreel.serving.storage.model_versions import VersionDirectory

    versions = VersionDirectory.open(directory)
    with open_store(store) as opened, stages("Refitting") as show_stage:
        decided = refitting.refit(versions, opened, days, margin, ingested, show_stage)
    if as_json:
        print_json(decided.facts())
    else:
        print_sentences(stdout(), [decided.sentence])
    if decided.outcome == "refused":
        raise typer.Exit(REFUSED)
