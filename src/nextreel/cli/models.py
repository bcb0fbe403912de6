"""`nextreel models`: the models that can be fitted, and the versions of a saved one, of which one is current."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, StoreOption, open_store
from nextreel.cli.terminal.json_output import AsJson, print_json

if TYPE_CHECKING:
    from nextreel.serving.storage.stored_versions import StoredVersion

models = typer.Typer(rich_markup_mode=None)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Directory of the versions.")]


@models.callback(invoke_without_command=True)
def list_all(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """List the models that can be fitted, or keep versions of one.

    Without a command, each model is listed with its options and their defaults. The commands are for a directory of
    several versions of a saved model, one of which is the current one: they add, promote, roll back and delete
    versions.
    """
    if context.invoked_subcommand is not None:
        return
    from nextreel.cli.terminal.console import stdout
    from nextreel.cli.terminal.model_list import list_models, print_models

    if as_json:
        print_json([model.to_json() for model in list_models()])
    else:
        print_models(stdout())


@models.command("list")
def list_versions(
    directory: Directory,
    as_json: AsJson = False,
) -> None:
    """List the versions, latest first.

    A directory that is itself a saved model counts as one version.
    """
    from nextreel.cli.terminal.console import stdout, table
    from nextreel.serving.storage.model_versions import VersionDirectory
    from nextreel.serving.storage.stored_versions import DamagedVersion

    versions = VersionDirectory.open(directory).list()
    if as_json:
        facts = [
            {key: value for key, value in vars(version).items() if key != "path"} for version in versions
        ]
        print_json(facts)
        return
    rows = table(
        f"Versions in {directory}",
        "",
        "Name",
        "Model",
        "Saved",
        "Data until",
        "Validation NDCG@10",
        numbers=1,
    )
    for version in versions:
        mark = "current" if version.current else ""
        if isinstance(version, DamagedVersion):
            rows.add_row(mark, version.name, "damaged")
            continue
        saved, data_until = _format_minute(version.created_at), _format_minute(version.data_until)
        ndcg = "" if version.validation_ndcg is None else f"{version.validation_ndcg:.4f}"
        rows.add_row(mark, version.name, version.model, saved, data_until, ndcg)
    console = stdout()
    console.print(rows)
    for version in versions:
        if isinstance(version, DamagedVersion):
            console.print(f"{version.name}: {version.problem}", soft_wrap=True)


@models.command("add")
def add_version(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Directory of the versions; created if it doesn't exist.")
    ],
    artifact: Annotated[Path, typer.Argument(metavar="MODEL", help="A model saved by nextreel fit.")],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the version; by default the time when it was saved and a hash of its files."
        ),
    ] = None,
) -> None:
    """Add a copy of a saved model as a version.

    The first version is current immediately; a later one only once it is promoted.
    """
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.serving.storage.model_versions import VersionDirectory

    version = VersionDirectory.create(directory).add(artifact, name)
    if version.current:
        typer.echo(
            f"{version.name} is in {directory} and is current. Next: {next_command('serve', directory)}"
        )
    else:
        typer.echo(
            f"{version.name} is in {directory}. Next: {next_command('models', 'promote', directory, version.name)}"
        )


@models.command("promote")
def promote_version(
    directory: Directory, name: Annotated[str, typer.Argument(metavar="NAME", help="The version.")]
) -> None:
    """Make a version the current one.

    The version is loaded first: if it is damaged, the old version stays current. A running server switches to the new
    version within a second, or at once on SIGHUP, without dropping a request.
    """
    from nextreel.serving.storage.model_versions import VersionDirectory

    _print_current(VersionDirectory.open(directory).promote(name))


@models.command("rollback")
def roll_back(directory: Directory) -> None:
    """Return to the version that was current before.

    Repeat it to go further back. A running server switches to that version within a second, or at once on SIGHUP.
    """
    from nextreel.serving.storage.model_versions import VersionDirectory

    _print_current(VersionDirectory.open(directory).rollback())


@models.command("prune")
def prune_versions(
    directory: Directory,
    keep: Annotated[int, typer.Option(min=1, help="Number of the latest versions that stay.")] = 5,
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete the versions; without it, they are only listed.")
    ] = False,
) -> None:
    """Delete old versions, except the current one and the one to roll back to.

    A version that an experiment serves isn't known here: end the experiment first, or keep more versions.
    """
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.serving.storage.model_versions import VersionDirectory
    from nextreel.wording import number_of

    versions = VersionDirectory.open(directory)
    old, total = [version.name for version in versions.list_old(keep)], len(versions.list())
    if not old:
        typer.echo(f"Nothing to delete: {directory} has {number_of(total, 'version')}.")
    elif yes:
        versions.delete(old)
        typer.echo(f"Deleted {', '.join(old)}; {number_of(total - len(old), 'version')} left.")
    else:
        typer.echo(
            f"Would delete {', '.join(old)}; {number_of(total - len(old), 'version')} would be left. "
            f"To delete: {next_command('models', 'prune', directory, '--keep', keep, '--yes')}"
        )


@models.command("data")
def write_data(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="The served model, or the directory of its versions, for the movies."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Directory to write, which must be new or empty.")
    ],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write the current content of a server's store as a data directory, to fit a model again.

    OUT gets ratings_train.csv, movies.csv with the movies added since the last fit, and users.csv if anything is
    known about the people. People who were erased are in none of these files.
    """
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.prediction.saving import load
    from nextreel.serving import refit_data as refit
    from nextreel.serving.storage.data_lineage import require_lineage
    from nextreel.serving.storage.model_versions import VersionDirectory

    model = VersionDirectory.open(directory).current.path
    dataset = load(model).dataset
    with open_store(store) as opened:
        require_lineage(opened, model, lambda: dataset)
        written = refit.write_data(opened, dataset, out)
    typer.echo(
        f"Wrote {written.ratings:,} ratings of {written.users:,} users and {written.movies:,} movies to {out}. "
        f"Next: {next_command('fit', out, '--out', 'MODEL')}"
    )


def _print_current(version: "StoredVersion") -> None:
    typer.echo(
        f"{version.name} ({version.model}, data until {_format_minute(version.data_until)}) is current."
    )


def _format_minute(iso: str) -> str:
    return iso[:16].replace("T", " ")
