"""`nextreel serve`: answer requests for recommendations over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from nextreel.cli.terminal.arguments import DEFAULT_STORE, STORE_VARIABLE, Device, StoreOption


def serve(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model, or of its versions.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data directory to import at the first start, instead of the data that the model was fitted on."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all addresses.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")
    ] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes; about one for each core.")] = 1,
    device: Device = "auto",
    experiment: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION=SHARE",
            help="Let another version of the model serve a share of the users, such as b=0.1.",
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.01, help="Requests per second that a key may make on average.")
    ] = 100.0,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="A website whose scripts may call the API, such as https://example.org; repeatable."
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name under which browsers may reach the server, such as films.example.org; repeatable. "
            "localhost, the name in --host and all addresses need no option.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address of a reverse proxy, such as 127.0.0.1, whose X-Forwarded headers are believed; repeatable.",
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            help="Path under which a reverse proxy serves this server, such as /films, if it isn't the host's root."
        ),
    ] = "",
    require_keys: Annotated[
        bool,
        typer.Option(
            "--require-keys",
            help="Require API keys, even if only this machine can connect, such as behind a proxy on it.",
        ),
    ] = False,
    no_keys: Annotated[
        bool,
        typer.Option("--no-keys", help="Require no API keys, even if other machines or a proxy can connect."),
    ] = False,
) -> None:
    """Serve a model over an HTTP API, with a store that keeps the ratings.

    The first start imports the ratings into the store; later starts use what the store has. If other machines
    can connect, or a trusted proxy, each request needs an API key, which `nextreel keys create` creates.
    """
    import os

    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # One query is too little work for several threads.

    from nextreel.cli.terminal.console import progress_bar, stdout
    from nextreel.cli.terminal.program_name import next_command
    from nextreel.errors import ConfigError, require
    from nextreel.wording import number_of

    for module in ("fastapi", "httptools", "jinja2", "orjson", "prometheus_client", "sqlalchemy", "uvicorn"):
        require(module, "serve")
    from nextreel.serving.app import Settings, is_loopback
    from nextreel.serving.http.access.allowed_hosts import AllowedHosts
    from nextreel.serving.http.access.trusted_proxies import TrustedProxies
    from nextreel.serving.http.request_rewriting import parse_root_path
    from nextreel.serving.inference.ab_assignment import Experiment
    from nextreel.serving.server import listen, prepare_store, run
    from nextreel.serving.storage.administration.api_keys import list_keys
    from nextreel.serving.storage.store import Store

    if require_keys and no_keys:
        raise ConfigError("--require-keys and --no-keys contradict each other: leave one of them out")
    proxies = TrustedProxies.parse(trusted_proxy or ())
    is_public = bool(proxies.networks) or not is_loopback(host)
    keys_required = require_keys or (is_public and not no_keys)
    settings = Settings(
        model_directory=model,
        store_url=store,
        keys_required=keys_required,
        rate=rate,
        experiment=None if experiment is None else Experiment.parse(experiment),
        allowed_origins=tuple(allow_origin or ()),
        hosts=AllowedHosts.parse(
            allowed_host or (), host, is_any_allowed=keys_required and not is_loopback(host)
        ),
        proxies=proxies,
        root_path=parse_root_path(root_path),
    )
    with progress_bar("Importing ratings") as (progress, task):
        prepared = prepare_store(
            settings,
            data,
            lambda done, total: progress.update(task, completed=done, total=total),
            lambda stage: progress.update(task, note=stage, refresh=True),
            workers,
        )
    if settings.keys_required:
        with Store.open(store) as opened:
            if not any(key.is_valid for key in list_keys(opened)):
                is_known = store in (DEFAULT_STORE, os.environ.get(STORE_VARIABLE))
                elsewhere = () if is_known else ("--store", store)
                reason = f"{host} can be reached by others"
                if is_loopback(host):
                    reason = (
                        "--require-keys was given" if require_keys else "others come in by the trusted proxy"
                    )
                raise ConfigError(
                    f"{reason}, so requests need an API key, and the store has no valid one: "
                    f"{next_command('keys', 'create', 'NAME', '--scope', 'read', *elsewhere)} makes one"
                )
    listener = listen(host, port)
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{listener.getsockname()[1]}{settings.root_path}"

    def announce() -> None:
        console = stdout()
        if prepared.imported:
            console.print(f"Imported {number_of(prepared.imported, 'rating')}.")
        for note in prepared.notes:
            console.print(note, soft_wrap=True, markup=False)
        console.print(f"Serving {model} on {url} (Ctrl+C stops)")

    run(settings, listener, announce, workers)
