"""Write the tables and the chart of README.md and of the documentation from the result files.

    python -m benchmarks.render

A table is between `<!-- NAME -->` and `<!-- end -->`; everything between these markers is generated.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.leaderboard_chart import CHART, draw_leaderboard
from benchmarks.protocol_tables import (
    BY_GAP,
    compare_protocols,
    compare_with_time_to_split,
    split_by_gap,
    split_protocols_by_gap,
)
from benchmarks.reliability_tables import coverage, faults, fuzzing, losses_of_power, mutation
from benchmarks.run import HERE, Result, read_result
from benchmarks.small_data_tables import compare_on_small_data
from benchmarks.tables import find_evaluation, interval, make_table, mean
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.significance import PairedTest, describe_significance
from nextreel.wording import number_of

DOCS = HERE.parent / "docs"
PAGES = (
    HERE.parent / "README.md",
    DOCS / "benchmarks.md",
    DOCS / "own-films.md",
    DOCS / "how-to" / "course.md",
    DOCS / "how-to" / "deploy.md",
    DOCS / "how-to" / "scale.md",
    DOCS / "reliability.md",
)

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
ABLATION = {
    "the whole, 5 epochs": "whole",
    "asked only about the next interaction": "last-event-only",
    "no questions that end within a second": "no-within-second",
    "disliked movies weigh as much as liked ones": "all-weigh-the-same",
    "one layer": "one-layer",
    "64 instead of 96 dimensions": "narrow",
    "no dropout": "no-dropout",
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
AWAITED = (
    "fuzz-http",
    "fuzz-models",
    "fuzz-readers",
    "fuzz-store",
    "coverage",
    "mutation",
    "time-to-split-best",
    "open-loop-best",
    "open-loop-sequential-ridge",
    "ray-hosts",
    "ray-workers",
    "transformer-epochs",
)
"""Configs that are ready and have no result file yet; tables leave their places empty."""


def render(text: str) -> str:
    """Return the text of a page with every table rendered from the result files."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(partial(_replace_table, table), text)
    return text


def _replace_table(table: Callable[[], str], match: re.Match[str]) -> str:
    return f"{match[1]}{table()}{match[2]}"


def _course() -> str:
    result = read_result("course-funk-svd")
    last, metrics = result["epochs"][-1], find_evaluation(result, exclude_seen=False)["metrics"]
    ours = {
        "train loss": f"{last['train_loss']:.4f}",
        "validation loss": f"{last['validation_loss']:.4f}",
        **{name: interval([metrics[name]]) for name in ("NDCG@10", "Recall@10")},
    }
    rows = [["the course's notebook", *COURSE.values()], ["nextreel", *(ours[name] for name in COURSE)]]
    return make_table(["", *COURSE], rows)


def _clean() -> str:
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


def _peers() -> str:
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


def _results() -> str:
    models = {model["name"]: model for model in read_result("leaderboard")["frozen"]["models"]}
    rows = []
    for name, next_visit in RESULTS.items():
        model, visits = models[name], ""
        if next_visit is not None:
            visits = interval([find_evaluation(read_result(next_visit), "live")["metrics"]["NDCG@10"]])
        rows.append([name, *_accuracy(model), visits, _fit_time(model)])
    return make_table(["model", "NDCG@10", "Recall@10", *BY_GAP, "`next-visit`", "fit"], rows)


def _leaderboard() -> str:
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


def _verdict() -> str:
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


def _answering() -> str:
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


def _ablation() -> str:
    rows = []
    for label, name in ABLATION.items():
        evaluation = find_evaluation(read_result(f"ablation-{name}"))
        slices = [
            evaluation["slices"][part]["NDCG@10"]
            for part in ("gap: same second", "gap: up to a day", "gap: over two days")
        ]
        estimates = (evaluation["metrics"]["NDCG@10"], *slices)
        rows.append([label, *(interval([estimate]) for estimate in estimates)])
    return make_table(["transformer", "NDCG@10", "same second", "up to a day", "over two days"], rows)


def _backtest() -> str:
    return "".join(
        f"- `{model}`: {' '.join(read_result(f'backtest-{model}')['sentences'])}\n"
        for model in ("ease", "sequential-ridge")
    )


def _soak() -> str:
    soak = read_result("serving-soak")["soak"]
    memory = soak["memory_mib"]
    rows = [
        ["answers, and ratings stored meanwhile", f"{soak['queries']:,}, {soak['ratings']:,}"],
        *([f"memory, {time}", f"{memory[time]:.0f} MiB"] for time in ("start", "after 10 minutes", "end")),
    ]
    return make_table([f"{soak['minutes']:.0f} minutes under load", ""], rows)


def _seeds() -> str:
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


def _slices() -> str:
    labels = ("popularity", "ease", "sequential-ridge (`fast`)", "blend (`best`)")
    models = [[find_evaluation(read_result(name))["slices"] for name in CLEAN[label]] for label in labels]
    first = models[0][0]
    rows = [
        [part, f"{first[part]['queries']:,}"]
        + [interval([slices[part]["NDCG@10"] for slices in model]) for model in models]
        for part in first
    ]
    return make_table(["part of the queries", "queries", *labels], rows)


def _latency() -> str:
    rows = []
    for preset in ("fast", "best"):
        result = read_result(f"latency-{preset}")
        single, batch = result["single"], result["batch"]
        latencies = [f"{single['p50_ms']:.2f} ms", f"{single['p99_ms']:.2f} ms"]
        rows.append([f"`{preset}`", *latencies, f"{batch['queries_per_second']:,.0f}"])
    return make_table(["model", "one query, median", "one query, 99 %", "queries/s in batch"], rows)


def _serving() -> str:
    columns = []
    for row in ("sequential-ridge", "best"):
        result = read_result(f"serving-{row}")
        single, batch, engine = result["single"], result["batch"], result["in process"]
        columns.append(
            {
                f"{single['rate']} single queries a second, median": f"{single['p50_ms']:.1f} ms",
                "the same, 99 %": f"{single['p99_ms']:.1f} ms",
                "batches of 1,000 queries": f"{batch['queries_per_second']:,.0f} queries/s",
                "of it in the engine: a query": f"{engine['single_ms']:.1f} ms",
                "of it in the engine: a batch": f"{engine['batch_ms']:,.0f} ms",
                "peak memory of the server": f"{result['peak_memory_gib']:.2f} GiB",
            }
        )
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return make_table(["`nextreel serve`, MovieLens-1M", "`fast`", "`best`"], rows)


def _diversity() -> str:
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


def _new_users() -> str:
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


def _new_movies() -> str:
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


def _crash() -> str:
    cases = read_result("crash")["cases"]
    rows = [
        [
            case["store"],
            case["killed"],
            *(f"{case[key]:,}" for key in ("rounds", "acknowledged", "lost", "half_written")),
        ]
        for case in cases
    ]
    return make_table(["store", "killed", "rounds", "acknowledged", "lost", "half-written batches"], rows)


def _hostile_soak() -> str:
    soak = read_result("hostile-soak")
    health, events = soak["health checks"], soak["events"]
    rows = [
        ["workers, and whole servers, killed", f"{events['workers killed']:,}, {events['servers killed']:,}"],
        [
            "slow connections, and those that the server closed",
            f"{soak['slow connections']:,}, {soak['slow connections closed by the server']:,}",
        ],
        ["promotions of another version", f"{events['promotions']:,}"],
        ["damaged versions offered and refused", f"{events['damaged versions refused']:,}"],
        ["lists", f"{soak['lists']:,}"],
        [
            "ratings acknowledged, and lost",
            f"{soak['ratings acknowledged']:,}, {soak['ratings lost']:,}",
        ],
        [
            "people erased, and found in a file afterwards",
            f"{events['people erased']:,}, {soak['erased people found in a file']:,}",
        ],
        ["health checks answered, and unanswered", f"{health['answered']:,}, {health['unanswered']:,}"],
        ["of them answered only when repeated at once", f"{health['answered at the second try']:,}"],
        ["largest memory of a worker", f"{soak['largest_worker_mib']:.0f} MiB"],
    ]
    return make_table([f"{soak['minutes']} minutes, everything at once", ""], rows)


def _speed() -> str:
    result = read_result("speed")
    rows = [[name, f"{seconds['median']:.2f} s"] for name, seconds in result["seconds"].items()]
    rows.append(["peak memory of the funk-svd fit", f"{result['peak_memory_gib']:.2f} GiB"])
    machine = result["machine"]
    return make_table(["task", f"median on {machine['cores']} cores of {machine['processor']}"], rows)


def _scaling() -> str:
    result = read_result("scaling")
    sizes, exponents = result["sizes"], result["exponents"]
    tasks = [task for task in sizes[0]["tasks"] if not task.startswith("answer")]
    rows = [
        [task, *(_time_and_memory(size["tasks"].get(task)) for size in sizes), f"{exponents[task]:.2f}"]
        for task in tasks
    ]
    header = [f"{size['rows'] / 1e6:.1f}M ratings of {size['movies']:,} movies" for size in sizes]
    return make_table(["", *header, "exponent"], rows)


def _time_and_memory(task: dict[str, float] | None) -> str:
    return "" if task is None else f"{task['seconds']:,.0f} s, {task['peak_memory_gib']:.1f} GiB"


def _answers_by_size() -> str:
    sizes = read_result("scaling")["sizes"]
    tasks = [task for task in sizes[0]["tasks"] if task.startswith("answer")]
    rows = [
        [
            task.removeprefix("answer "),
            *(
                f"{size['tasks'][task]['queries_per_second']:,.0f}" if task in size["tasks"] else ""
                for size in sizes
            ),
        ]
        for task in tasks
    ]
    return make_table(["queries a second", *(f"{size['movies']:,} movies" for size in sizes)], rows)


def _large_server() -> str:
    result = read_result("large-server")
    rows = [
        [
            f"{'first' if number == 0 else 'later'} start, {number_of(start['workers'], 'worker')}",
            f"{start['seconds']:,.0f} s",
            f"{start['cpu_seconds']:,.0f} s",
            f"{start['memory_gib']:.1f} GiB",
            f"{start['largest_own_memory_gib']:.2f} GiB",
            f"{start['cpu_ms_per_list']:.1f} ms",
        ]
        for number, start in enumerate(result["starts"])
    ]
    what = f"{result['rows'] / 1e6:.0f}M ratings of {result['movies']:,} movies, {result['machine']['processor']}"
    header = ["until it recommends", "of the processor", "memory in all", "of it a worker's own", "a list"]
    return make_table([what, *header], rows)


LARGE_USERS, LARGE_MOVIES, LARGE_RATE, RATINGS_OF_A_USER = 10_000_000, 1_000_000, 10_000, 100
"""A service whose size is computed from what was measured, queries a second."""


def _sizing() -> str:
    """Say what was measured on a large server, and what it makes for a service of the size above, in proportion."""
    result = read_result("large-server")
    rows_measured, movies = result["rows"], result["movies"]
    first, later = result["starts"][0], result["starts"][1]
    bytes_per_row = (later["memory_gib"] - later["largest_own_memory_gib"]) * 2**30 / rows_measured
    bytes_per_movie = later["largest_own_memory_gib"] * 2**30 / movies
    ratings = LARGE_USERS * RATINGS_OF_A_USER
    core_seconds = later["cpu_ms_per_list"] / 1e3
    largest = core_seconds * LARGE_MOVIES / movies
    rows = [
        [
            "ratings and model in memory, once a machine",
            f"{bytes_per_row:.0f} bytes a rating",
            f"{bytes_per_row * ratings / 2**30:,.0f} GiB",
        ],
        [
            "memory of each worker besides",
            f"{bytes_per_movie / 1e3:.1f} kB a movie",
            f"{bytes_per_movie * LARGE_MOVIES / 2**30:.1f} GiB",
        ],
        [
            "cores, if nothing of a list grew with the movies",
            f"{1e3 * core_seconds:.1f} ms a list",
            f"{core_seconds * LARGE_RATE:,.0f}",
        ],
        [
            "cores, if all of it did",
            f"{1e9 * core_seconds / movies:.0f} ns a movie of a list",
            f"{largest * LARGE_RATE:,.0f}",
        ],
        [
            "first start, which imports the ratings once",
            f"{1e6 * first['seconds'] / rows_measured:.1f} µs a rating",
            f"{first['seconds'] / rows_measured * ratings / 3600:.1f} hours",
        ],
    ]
    what = (
        f"{LARGE_USERS / 1e6:.0f}M users with {RATINGS_OF_A_USER} ratings each, {LARGE_MOVIES / 1e6:.0f}M movies, "
        f"{LARGE_RATE:,} lists a second"
    )
    return make_table(["", f"measured: {rows_measured / 1e6:.0f}M ratings of {movies:,} movies", what], rows)


CATALOGS = ("ml-latest-small", "ml-1m")


def _title_matching() -> str:
    results = [read_result(f"title-matching-{catalog}")["spellings"] for catalog in CATALOGS]
    rows = [
        [
            spelling,
            *(
                f"{result[spelling]['right']:.1%}, {result[spelling]['wrong_in_all']:.2%}"
                for result in results
            ),
        ]
        for spelling in results[0]
    ]
    return make_table(["spelling: right, wrong", *CATALOGS], rows)


def _title_matching_by_hand() -> str:
    by_hand = read_result(f"title-matching-{CATALOGS[0]}")["by_hand"]
    return make_table(
        ["titles", "right", "not matched", "not in the catalog, and not matched", "wrong"],
        [[str(by_hand[name]) for name in ("titles", "right", "unmatched", "rightly_unmatched", "wrong")]],
    )


def _joint_lists() -> str:
    pairs = read_result("joint-lists")["pairs"]
    rows = []
    for name in pairs["random"]["lists"]:
        row = [name]
        for kind in pairs:
            of_list = pairs[kind]["lists"][name]
            row += [interval([of_list["NDCG@10"]]), interval([of_list["worse_off"]])]
        rows.append(row)
    header = [f"{kind} pairs{what}" for kind in pairs for what in ("", ", the worse off")]
    return make_table(["list", *header], rows)


TABLES: dict[str, Callable[[], str]] = {
    "results": _results,
    "course": _course,
    "clean": _clean,
    "peers": _peers,
    "leaderboard": _leaderboard,
    "verdict": _verdict,
    "answering": _answering,
    "protocols": compare_protocols,
    "by-gap": split_protocols_by_gap,
    "time-to-split": compare_with_time_to_split,
    "ablation": _ablation,
    "backtest": _backtest,
    "soak": _soak,
    "seeds": _seeds,
    "slices": _slices,
    "small-data": compare_on_small_data,
    "latency": _latency,
    "serving": _serving,
    "diversity": _diversity,
    "new-users": _new_users,
    "new-movies": _new_movies,
    "crash": _crash,
    "hostile-soak": _hostile_soak,
    "coverage": coverage,
    "fuzzing": fuzzing,
    "faults": faults,
    "losses-of-power": losses_of_power,
    "mutation": mutation,
    "speed": _speed,
    "scaling": _scaling,
    "answers-by-size": _answers_by_size,
    "large-server": _large_server,
    "sizing": _sizing,
    "joint-lists": _joint_lists,
    "title-matching": _title_matching,
    "title-matching-by-hand": _title_matching_by_hand,
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    CHART.write_text(draw_leaderboard(), encoding="utf-8")
