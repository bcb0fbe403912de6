"""`nextreel tune`: which options of a model are best on this data set?"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nextreel.cli.terminal.arguments import (
    Columns,
    LikedFrom,
    On,
    RuleOfSplit,
    TiesOption,
    complete_model,
    parse_options,
)
from nextreel.models.registry import DEFAULT_MODEL, PRESETS, model_names


def tune(
    directory: Annotated[
        Path,
        typer.Argument(help="Data directory, which is split by the rule, or one that nextreel split wrote."),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            autocompletion=complete_model,
            help=f"{', '.join(PRESETS)}, or a model by name: {', '.join(model_names())}.",
        ),
    ] = DEFAULT_MODEL,
    trials: Annotated[
        int,
        typer.Option(
            min=2,
            help="Number of trials in total, including those of earlier runs; the first tries the defaults.",
        ),
    ] = 50,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option that keeps this value instead of being searched; repeatable."),
    ] = None,
    rule: RuleOfSplit = None,
    columns: Columns = None,
    liked_from: LikedFrom = None,
    history: Annotated[
        Literal["frozen", "live"],
        typer.Option(
            help="frozen: a user's history ends with the train part. live: it holds everything strictly before "
            "the query."
        ),
    ] = "frozen",
    ties: TiesOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 0,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Directory for the results; finished trials are kept there."),
    ] = Path("tuning"),
    on: On = "local",
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of trials at a time on a Ray cluster, by default one for each core. Options are drawn from "
            "what is finished, so another number is another search; with 1, it is that of this machine.",
        ),
    ] = None,
) -> None:
    """Search for a model's best options.

    Options are compared by NDCG@10 on an inner split of the train part; the test part is never read. If stopped with
    Ctrl-C, the same command continues the search, and with more --trials it searches further.
    """
    import sys

    from nextreel.cli.terminal.console import print_sentences, progress_bar, stdout
    from nextreel.cli.terminal.program_name import PROGRAM, program_name
    from nextreel.data.data_format import DataFormat
    from nextreel.errors import ConfigError, MissingExtraError
    from nextreel.reporting.tuning_chart import plot_search
    from nextreel.scale.ray_tasks import prepare_place, tasks_at
    from nextreel.tasks import run_here
    from nextreel.tuning import tuner
    from nextreel.tuning.search_space import Search
    from nextreel.tuning.tuning_result import write_result

    prepare_place(on)
    if at_once is not None and on == "local":
        raise ConfigError("--at-once is for a Ray cluster: name one with --on, or leave it out")
    search = Search(model, trials, parse_options(options or []), history, ties, seed)
    with progress_bar(f"Tuning {model}") as (progress, task):
        progress.update(task, note="reading data", refresh=True)
        inner = tuner.split_inner(directory, rule, history, DataFormat.parse(columns, liked_from), ties)

        def report(done: int, total: int, note: str) -> None:
            progress.update(task, completed=done, total=total, note=note)

        try:
            with tasks_at(on, at_once, in_order=True) as run_tasks:
                tuned = tuner.tune(inner, search, out, report, run_tasks or run_here)
        except KeyboardInterrupt:
            print("Stopped. The same command continues with the remaining trials.", file=sys.stderr)
            raise
    write_result(tuned, out)
    console = stdout()
    print_sentences(console, tuned.sentences())
    try:
        plot_search(tuned, out)
    except MissingExtraError as error:
        console.print(f"No chart: {error}", soft_wrap=True)
    console.print(f"Written to {out}. Next:")
    console.print(tuned.fit_command(directory, out).replace(PROGRAM, program_name(), 1), soft_wrap=True)
