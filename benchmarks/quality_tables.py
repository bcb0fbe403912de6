"""The tables of ranking quality: nextreel's models, those of other libraries, and what options bring."""

from collections.abc import Sequence

from benchmarks.protocol_tables import BY_GAP, split_by_gap
from benchmarks.run import Result, read_result
from benchmarks.tables import find_evaluation, interval, make_table, mean
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.significance import PairedTest, describe_significance

COURSE = {"train loss": "0.0833", "validation loss": "0.2097", "NDCG@10": "0.0217", "Recall@10": "0.0424"}
"""The metrics that the course's original notebook prints."""
BEST = ("clean-best-0", "clean-best-1", "clean-best-2")
"""One result for each seed; tables show their mean."""
CLEAN = {
    "popularity": ["clean-popularity"],
    "popularity, last 30 days": ["clean-popularity-30-days"],
    "funk-svd (`baseline`)": ["clean-funk-svd"],
    "item-knn": ["clean-item-knn"],
    "als": ["clean-als"],
    "ease": ["clean-ease"],
    "sequential-ridge (`fast`)": ["clean-sequential-ridge"],
    "blend (`best`)": [*BEST],
}
PEERS = {
    "LensKit ImplicitMF": "peer-lenskit-implicit-mf",
    "implicit ALS, as in its tutorial": "peer-implicit-als-tutorial",
    "skrecsys ItemKNN": "peer-skrecsys-item-knn",
    "implicit ALS, as in its MovieLens example": "peer-implicit-als",
    "LensKit ItemKNN": "peer-lenskit-item-knn",
    "RecTools EASE": "peer-rectools-ease",
    "skrecsys EASE": "peer-skrecsys-ease",
    "RecTools SASRec, its defaults, 30 minutes": "peer-rectools-sasrec-30-minutes",
    "RecTools SASRec, narrow, 30 minutes": "peer-rectools-sasrec-narrow-30-minutes",
}
TRANSFORMER_PARTS = {
    "the whole, 5 epochs": "whole",
    "histories that end right before the basket only": "last-event-only",
    "no questions that end within a second": "no-within-second",
    "one layer": "one-layer",
    "64 instead of 96 dimensions": "narrow",
    "no dropout": "no-dropout",
}
RIDGE_PARTS = {
    "the whole": "ridge-whole",
    "no random features": "ridge-linear",
    "512 random features instead of 1,024": "ridge-fewer-features",
    "random features in evenly drawn directions": "ridge-even-directions",
    "no regression for long gaps": "ridge-one-gap",
    "within a second, without the order": "ridge-no-followers",
    "within a second, without the taste": "ridge-no-taste",
    "without the scores of EASE": "ridge-no-ease",
}
RESULTS = {
    "nextreel blend (`best`)": "next-visit-best",
    "nextreel sequential-ridge (`fast`)": "next-visit-sequential-ridge",
    "RecTools SASRec": None,
    "nextreel popularity": "next-visit-popularity",
    "nextreel funk-svd (`baseline`)": None,
}
"""The models of the leaderboard that README.md shows in a table, with their results on each user's last visit where
they were measured; the chart shows all models."""


def compare_with_course() -> str:
    """Return the figures that the course's notebook prints, and ours."""
    result = read_result("course-funk-svd")
    last, metrics = result["epochs"][-1], find_evaluation(result, exclude_seen=False)["metrics"]
    ours = {
        "train loss": f"{last['train_loss']:.4f}",
        "validation loss": f"{last['validation_loss']:.4f}",
        **{name: interval([metrics[name]]) for name in ("NDCG@10", "Recall@10")},
    }
    rows = [["the course's notebook", *COURSE.values()], ["nextreel", *(ours[name] for name in COURSE)]]
    return make_table(["", *COURSE], rows)


def show_clean() -> str:
    """Return the models of nextreel by the split `clean`."""
    rows = []
    for label, names in CLEAN.items():
        results = [read_result(name) for name in names]
        rows.append(
            [label, *_frozen_and_live(results), f"{mean([r['fit_seconds'] for r in results]):,.0f} s"]
        )
    rows.insert(
        -1, ["transformer", *_frozen_and_live([read_result(name) for name in BEST], "transformer"), ""]
    )
    header = ["model", "NDCG@10, frozen", "Recall@10, frozen", "NDCG@10, live", "Recall@10, live", "fit"]
    return make_table(header, rows)


def _frozen_and_live(results: Sequence[Result], member: str | None = None) -> list[str]:
    return [
        interval([find_evaluation(result, history, member=member)["metrics"][metric] for result in results])
        for history in ("frozen", "live")
        for metric in ("NDCG@10", "Recall@10")
    ]


def compare_with_peers() -> str:
    """Return all peers and some of our models."""
    rows = [_peer_row(label, [read_result(name)]) for label, name in PEERS.items()]
    ours = {f"nextreel {label}": CLEAN[label] for label in list(CLEAN)[-3:]}
    rows += [_peer_row(label, [read_result(name) for name in names]) for label, names in ours.items()]
    return make_table(["model", "NDCG@10", "Recall@10", "fit"], rows)


def _peer_row(label: str, results: Sequence[Result]) -> list[str]:
    evaluations = [find_evaluation(result)["metrics"] for result in results]
    seconds = mean(
        [result["fit_cpu_seconds" if "fit_cpu_seconds" in result else "fit_seconds"] for result in results]
    )
    return [
        label,
        *(interval([metrics[name] for metrics in evaluations]) for name in ("NDCG@10", "Recall@10")),
        f"{seconds:,.0f} s",
    ]


def show_results() -> str:
    """Return the table of README.md."""
    models = {model["name"]: model for model in read_result("leaderboard")["frozen"]["models"]}
    rows = []
    for name, next_visit in RESULTS.items():
        model, visits = models[name], ""
        if next_visit is not None:
            visits = interval([find_evaluation(read_result(next_visit), "live")["metrics"]["NDCG@10"]])
        rows.append([name, *_accuracy(model), visits, _fit_time(model)])
    return make_table(["model", "NDCG@10", "Recall@10", *BY_GAP, "`next-visit`", "fit"], rows)


def show_leaderboard() -> str:
    """Return all models of the leaderboard, the best first."""
    models = read_result("leaderboard")["frozen"]["models"]
    return _leaderboard_table(
        sorted(models, key=lambda model: -model["histories"]["frozen"]["metrics"]["NDCG@10"]["mean"])
    )


def _leaderboard_table(models: Sequence[Result]) -> str:
    rows = [
        [
            model["name"],
            *_accuracy(model),
            f"{model['histories']['frozen']['lists']['coverage']:.0%}",
            _fit_time(model),
            f"{model['peak_memory_gib']:.1f} GiB",
        ]
        for model in models
    ]
    return make_table(["model", "NDCG@10", "Recall@10", *BY_GAP, "coverage", "fit", "memory"], rows)


def _accuracy(model: Result) -> list[str]:
    evaluation = model["histories"]["frozen"]
    metrics = [interval([evaluation["metrics"][name]]) for name in ("NDCG@10", "Recall@10")]
    return [*metrics, *split_by_gap(evaluation)]


def _fit_time(model: Result) -> str:
    return f"{model.get('fit_cpu_seconds', model['fit_seconds']):,.0f} s"


def describe_verdict() -> str:
    """Return which differences of the leaderboard are significant."""
    boards = read_result("leaderboard")
    sentences = []
    for history in ("frozen", "live"):
        tests = [
            PairedTest(
                history,
                facts["better"],
                facts["worse"],
                Estimate(**facts["difference"]),
                facts["p"],
                facts["adjusted_p"],
            )
            for facts in boards[history]["tests"]
        ]
        sentences += describe_significance(tests, "NDCG@10")
    return "".join(f"- {sentence}\n" for sentence in sentences)


def describe_answering() -> str:
    """Return how long answering and fitting took."""
    boards = read_result("leaderboard")
    ours = {model["name"]: model["fit_seconds"] for model in boards["live"]["models"]}
    answer_seconds = sum(
        boards[history]["queries"] / model["histories"][history]["queries_per_second"]
        for history in ("frozen", "live")
        for model in boards[history]["models"]
        if model["name"] in ours
    )
    return (
        f"Answering all queries under both histories took the {len(ours)} models of nextreel {answer_seconds:.0f} s; "
        f"fitting them, {sum(ours.values()):,.0f} s.\n"
    )


def show_ablation() -> str:
    """Return what the transformer loses without each of its parts."""
    rows = [
        [label, *(interval([estimate]) for estimate in _estimate_by_gap(read_result(f"ablation-{name}")))]
        for label, name in TRANSFORMER_PARTS.items()
    ]
    return make_table(["transformer", "NDCG@10", "same second", "up to a day", "over two days"], rows)


def show_ridge_ablation() -> str:
    """Return what the sequential ridge loses without each of its parts, and what its fits took."""
    rows = []
    for label, name in RIDGE_PARTS.items():
        result = read_result(f"ablation-{name}")
        live = find_evaluation(result, "live")["metrics"]["NDCG@10"]
        estimates = (*_estimate_by_gap(result), live)
        rows.append(
            [label, *(f"{estimate['mean']:.4f}" for estimate in estimates), f"{result['fit_seconds']:.0f} s"]
        )
    return make_table(
        ["sequential-ridge", "NDCG@10", "same second", "up to a day", "over two days", "live", "fit"], rows
    )


def _estimate_by_gap(result: Result) -> tuple[Result, ...]:
    """Return the estimates of NDCG@10 of frozen histories, of all queries and by the gap before the query."""
    evaluation = find_evaluation(result)
    slices = ("gap: same second", "gap: up to a day", "gap: over two days")
    return evaluation["metrics"]["NDCG@10"], *(evaluation["slices"][part]["NDCG@10"] for part in slices)


def describe_backtests() -> str:
    """Return what a year of refits would have brought."""
    return "".join(
        f"- `{model}`: {' '.join(read_result(f'backtest-{model}')['sentences'])}\n"
        for model in ("ease", "sequential-ridge")
    )


def show_seeds() -> str:
    """Return the flagship's figures by seed."""
    rows = []
    for name in BEST:
        result = read_result(name)
        best = min(result["epochs"], key=lambda epoch: epoch["validation_loss"])
        rows.append(
            [
                str(result["config"]["options"]["seed"]),
                *_frozen_and_live([result]),
                str(best["number"]),
                f"{result['fit_seconds'] / 60:.0f} min",
                f"{result['peak_memory_gib']:.1f} GiB",
            ]
        )
    header = [
        "seed",
        "NDCG@10, frozen",
        "Recall@10, frozen",
        "NDCG@10, live",
        "Recall@10, live",
        "best epoch",
    ]
    return make_table([*header, "fit", "memory"], rows)


def show_slices() -> str:
    """Return NDCG@10 by part of the queries."""
    labels = ("popularity", "ease", "sequential-ridge (`fast`)", "blend (`best`)")
    models = [[find_evaluation(read_result(name))["slices"] for name in CLEAN[label]] for label in labels]
    first = models[0][0]
    rows = [
        [part, f"{first[part]['queries']:,}"]
        + [interval([slices[part]["NDCG@10"] for slices in model]) for model in models]
        for part in first
    ]
    return make_table(["part of the queries", "queries", *labels], rows)


def show_diversity() -> str:
    """Return what diversity and calibration cost."""
    rows = []
    for entry in read_result("clean-diversity")["lists"]:
        name = next((key for key in ("diversity", "calibration") if key in entry), None)
        metrics = entry["metrics"]
        rows.append(
            [f"{name} {entry[name]:g}" if name else "neither"]
            + [interval([metrics["NDCG@10"]])]
            + [interval([metrics["change"]]) if name else ""]
            + [f"{metrics[key]['mean']:.3f}" for key in ("variety", "miscalibration")]
        )
    return make_table(["lists", "NDCG@10", "change", "variety of genres", "miscalibration (KL)"], rows)


def show_new_users() -> str:
    """Return NDCG@10 by the number of ratings that are known."""
    parts = read_result("new-users")["parts"]
    models = list(parts[0]["models"])
    rows = []
    for part in parts:
        cells = []
        for model, metrics in part["models"].items():
            above = metrics["above_popularity"]["NDCG@10"]
            difference = "" if model == "popularity" else f" ({above['low']:+.4f} to {above['high']:+.4f})"
            cells.append(f"{metrics['metrics']['NDCG@10']['mean']:.4f}{difference}")
        rows.append([str(part["history"]), f"{part['queries']:,}", *cells])
    return make_table(["ratings known", "queries", *models], rows)


def show_new_movies() -> str:
    """Return how well movies are ranked that nobody has rated."""
    results = [read_result(f"new-movies-{model}") for model in ("als", "sequential-ridge")]
    labels = {
        "chance": "chance",
        "genre-popularity": "popularity of the genre",
        "newcomers": "by content",
        "learned": "the same model, fitted with these movies",
    }
    rows = [
        [label] + [interval([result["among_held_out"][name]["NDCG@10"]]) for result in results]
        for name, label in labels.items()
    ]
    return make_table(
        ["new movies among themselves, NDCG@10", *(result["config"]["model"] for result in results)], rows
    )
