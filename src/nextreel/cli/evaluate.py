"""`nextreel evaluate`: how good are a model's answers on a test part?"""

from pathlib import Path
from typing import Annotated, Literal

import typer


def evaluate(
    model: Annotated[Path, typer.Argument(help="Directory of a saved model.")],
    test: Annotated[Path, typer.Argument(help="test.csv, or the directory that nextreel split wrote.")],
    history: Annotated[
        Literal["frozen", "live"],
        typer.Option(
            help="frozen: a user's history ends with what the model was fitted on. live: it holds everything "
            "strictly before the query, earlier test rows included."
        ),
    ] = "frozen",
    include_seen: Annotated[
        bool,
        typer.Option("--include-seen", help="Let movies be recommended that the user has rated already."),
    ] = False,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Length of the lists.")] = 10,
    threshold: Annotated[
        float | None, typer.Option(help="Rating from which on a row is a query (the split's own, or 4).")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this JSON file too.")
    ] = None,
) -> None:
    """Measure a model on a test part.

    Each positive is a query: NDCG, Recall and MRR, with 95 % intervals.
    """
    import json

    from nextreel.cli.console import stdout
    from nextreel.cli.show import metrics_table
    from nextreel.data.reader import read_interactions
    from nextreel.data.split_files import read_split_facts
    from nextreel.data.splits import POSITIVE
    from nextreel.data.writer import replacing
    from nextreel.evaluation.protocol import evaluate as ask
    from nextreel.models.registry import model_name
    from nextreel.ranking.saving import describe, load

    file = test / "test.csv" if test.is_dir() else test
    if threshold is None:
        split = read_split_facts(file.parent)
        threshold = POSITIVE if split is None else split["threshold"]
    predictor = load(model)
    rows = read_interactions(file)
    result = ask(predictor.model, predictor.dataset, rows, history, k, threshold, not include_seen)
    name = model_name(predictor.model)
    console = stdout()
    console.print(
        metrics_table(
            {name: result}, f"{history} history, seen movies {'included' if include_seen else 'excluded'}"
        )
    )
    for note in result.notes():
        console.print(note)
    if json_file is not None:
        facts = {
            "model": name,
            "config": predictor.model.config.model_dump(mode="json"),
            "fitted_on": describe(predictor.dataset),
            **result.facts(),
        }
        with replacing(json_file) as temporary:
            temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
