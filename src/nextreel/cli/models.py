"""`nextreel models`: versions of a model in a directory, one of them current."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, StoreOption

if TYPE_CHECKING:
    from nextreel.serving.storage.model_versions import StoredVersion

models = typer.Typer(
    help="Keep versions of a model side by side; promote one, go back to the one before.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the versions.")]


@models.command("list")
def list_versions(
    directory: Directory,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the versions, latest first.

    A directory that is itself a saved model is one version.
    """
    import json

    from nextreel.cli.terminal.console import stdout, table
    from nextreel.serving.storage.model_versions import DamagedVersion, VersionDirectory

    found = VersionDirectory.open(directory).list()
    if as_json:
        facts = [{key: value for key, value in vars(each).items() if key != "path"} for each in found]
        typer.echo(json.dumps(facts, indent=2))
        return
    made = table(
        f"Versions in {directory}",
        "",
        "Name",
        "Model",
        "Saved",
        "Data until",
        "Validation NDCG@10",
        numbers=1,
    )
    for each in found:
        mark = "current" if each.current else ""
        if isinstance(each, DamagedVersion):
            made.add_row(mark, each.name, "damaged")
            continue
        figure = "" if each.validation_ndcg is None else f"{each.validation_ndcg:.4f}"
        made.add_row(mark, each.name, each.model, _minute(each.created_at), _minute(each.data_until), figure)
    console = stdout()
    console.print(made)
    for each in found:
        if isinstance(each, DamagedVersion):
            console.print(f"{each.name}: {each.problem}", soft_wrap=True, markup=False)


@models.command("add")
def add_version(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory of the versions; made if it isn't there.")
    ],
    artifact: Annotated[Path, typer.Argument(metavar="MODEL", help="A model saved by nextreel fit.")],
    name: Annotated[
        str | None,
        typer.Option(help="Name of the version, otherwise from when it was saved and a hash of its files."),
    ] = None,
) -> None:
    """Copy a saved model in as a version.

    The first one is current at once; a later one waits until it is promoted.
    """
    from nextreel.serving.storage.model_versions import VersionDirectory

    version = VersionDirectory.create(directory).add(artifact, name)
    if version.current:
        typer.echo(f"{version.name} is in {directory} and is current. Next: nextreel serve {directory}")
    else:
        typer.echo(
            f"{version.name} is in {directory}. Next: nextreel models promote {directory} {version.name}"
        )


@models.command("promote")
def promote_version(
    directory: Directory, name: Annotated[str, typer.Argument(metavar="NAME", help="The version.")]
) -> None:
    """Make a version the current one.

    It is loaded first; one that is damaged is refused and the old one stays. A running server takes it over
    at SIGHUP, without dropping a request.
    """
    from nextreel.serving.storage.model_versions import VersionDirectory

    _say_current(VersionDirectory.open(directory).promote(name))


@models.command("rollback")
def roll_back(directory: Directory) -> None:
    """Go back to the version that was current before.

    Doing it again goes further back. A running server takes it over at SIGHUP.
    """
    from nextreel.serving.storage.model_versions import VersionDirectory

    _say_current(VersionDirectory.open(directory).rollback())


@models.command("data")
def write_data(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="The served model, or the directory of its versions: it has the movies."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Directory to write; it mustn't hold anything yet.")
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write what a server's store holds now as data to fit again.

    OUT gets ratings_train.csv, movies.csv with the movies added since, and users.csv where something is known of
    the people. Who was erased is in none of them.
    """
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.prediction.saving import load
    from nextreel.serving import refit_data as refit
    from nextreel.serving.storage.model_versions import VersionDirectory
    from nextreel.serving.storage.store import Store

    learned = load(VersionDirectory.open(directory).current.path).dataset
    with Store.open(store) as opened:
        written = refit.write_data(opened, learned, out)
    typer.echo(
        f"Wrote {written.ratings:,} ratings of {written.users:,} users and {written.movies:,} movies to {out}. "
        f"Next: nextreel fit {out} --out MODEL"
    )


def _say_current(version: "StoredVersion") -> None:
    typer.echo(f"{version.name} ({version.model}, data until {_minute(version.data_until)}) is current.")


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")
