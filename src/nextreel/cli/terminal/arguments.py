"""Options that several commands have, with one help text each, and the parsing of their values."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nextreel.documents import parse_json
from nextreel.errors import ConfigError
from nextreel.machine import DEVICE_VARIABLE

if TYPE_CHECKING:
    from nextreel.serving.storage.store import Store

IncludeSeen = Annotated[
    bool, typer.Option("--include-seen", help="Also recommend movies that the user has rated already.")
]
MLflow = Annotated[
    bool,
    typer.Option(
        "--mlflow",
        help="Log to MLflow. MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say where; with MLFLOW_RUN_ID, an "
        "existing run is continued.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="ROLE=NAME,...",
        help="Names of the columns in your files, such as user=account_id,movie=sku,time=watched_at,rating=stars "
        "(also title, genres, year, gender, age, occupation, zipcode). Usual names are recognised without it, and "
        "later commands remember it.",
    ),
]
LikedFrom = Annotated[
    float | None,
    typer.Option(
        "--liked-from",
        help="Lowest rating that counts as liked (4). Needed for another scale than 0.5 to 5 stars, such as 1 to 10.",
    ),
]
RuleOfSplit = Annotated[
    Literal["course", "clean", "global", "leave-one-out", "next-visit"] | None,
    typer.Option("--rule", help="How to split a directory that isn't split yet (default: clean)."),
]
TiesOption = Annotated[
    Literal["strict", "file-order"] | None,
    typer.Option(
        "--ties",
        help="What a history holds of the query's own second. strict: nothing, as on a server. file-order: the rows "
        "that stand before the query in the file, as in most papers. By default strict with live histories and "
        "file-order with frozen ones.",
    ),
]
STORE_VARIABLE = "NEXTREEL_STORE"
"""Environment variable with the URL of the store, which may hold a password that no list of processes should show."""
StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        envvar=STORE_VARIABLE,
        help="The server's store: sqlite:///FILE or postgresql+psycopg://...",
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="Where to compute. local: in this process. ray: on a Ray cluster of this machine, which ends with the "
        "command. HOST:PORT: on a Ray cluster that runs already, and that this machine is part of.",
    ),
]


def _remember_device(name: str) -> str:
    """Let the device hold for this process and those that it starts."""
    os.environ[DEVICE_VARIABLE] = name
    return name


Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(
        "--device",
        envvar=DEVICE_VARIABLE,
        callback=_remember_device,
        help="Where transformer and blend compute; auto is a GPU if there is one.",
    ),
]


def complete_model(incomplete: str) -> list[str]:
    """Return the presets and models whose names begin with what was typed, for the completion of a shell."""
    from nextreel.models.registry import PRESETS, model_names

    return [name for name in (*PRESETS, *model_names()) if name.startswith(incomplete)]


DEFAULT_STORE = "sqlite:///nextreel.db"


@contextmanager
def open_store(url: str) -> Iterator["Store"]:
    """Provide the store that `--store` names, and say on stderr what its owner should know of it.

    Raises StoreError like `Store.open`, and MissingExtraError without SQLAlchemy.
    """
    from nextreel.errors import require

    require("sqlalchemy", "serve")
    from nextreel.serving.storage.store import Store

    with Store.open(url) as opened:
        if opened.warning:
            typer.echo(f"nextreel: {opened.warning}", err=True)
        yield opened


def parse_options(pairs: Sequence[str]) -> dict[str, object]:
    """Parse a model's options from the form name=value, where the value is a JSON value or plain text.

    Raises
    ------
    ConfigError
        An option isn't of this form.
    """
    options: dict[str, object] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise ConfigError(f"--set {pair!r} isn't of the form name=value")
        model, dot, option = name.rpartition(".")
        name = model + dot + option.replace("-", "_")
        try:
            options[name] = parse_json(text)
        except ValueError:
            options[name] = text
    return options


def add_config(file: Path, model: str | None, options: dict[str, object]) -> tuple[str, dict[str, object]]:
    """Return the model and the options of a TOML file, overridden by the options of the command line.

    Raises
    ------
    ConfigError
        The file can't be read or isn't valid, or the command line names another model than the file.
    """
    from nextreel.models.registry import model_class, read_toml

    file_model, file_options = read_toml(file)
    if model is not None and model_class(model) is not model_class(file_model):
        raise ConfigError(f"{file} has options of {file_model}, --model names {model}: leave one of them out")
    return file_model, {**file_options, **options}


def parse_budget(text: str, model: str) -> float:
    """Return a model's time budget in minutes, parsed from a text such as "90s", "30m" or "2h".

    Raises
    ------
    ConfigError
        The model takes no time budget.
    QueryError
        The text isn't a duration.
    """
    from nextreel.data.times import parse_duration
    from nextreel.models.registry import PRESETS, model_class

    if "minutes" not in model_class(model).Config.model_fields:
        raise ConfigError(
            f"{PRESETS.get(model, model)} has no time budget: leave --budget out, it is for a model with the option "
            "minutes, such as transformer and blend"
        )
    return parse_duration(text, "--budget") / 60
