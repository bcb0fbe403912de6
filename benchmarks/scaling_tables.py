"""The tables of docs/how-to/scale.md on what time and memory grow with: ratings and movies."""

from benchmarks.run import Result, read_result
from benchmarks.scaling import FEW
from benchmarks.tables import make_table, show_count, show_exponent

STEPS = {
    "nextreel check ml-32m": "check",
    "nextreel split ml-32m parts": "split",
    "nextreel fit parts": "fit sequential-ridge",
    "nextreel evaluate model some.csv": "evaluate sequential-ridge",
    "nextreel recommend model --queries queries.csv --out lists.csv": "answer sequential-ridge",
}
"""The way from ratings to lists by the default model, and the task of each command in the result file."""
FASTEST = 50_000
"""Queries a second up to which a rate can be told from the difference of two runs."""


def show_scaling() -> str:
    """Return time and memory by the size of the data."""
    result = read_result("scaling")
    sizes, exponents = result["sizes"], result["exponents"]
    tasks = [task for task, exponent in exponents.items() if exponent is not None]
    rows = [
        [task, *(_time_and_memory(size["tasks"].get(task)) for size in sizes), show_exponent(exponents[task])]
        for task in tasks
    ]
    header = [f"{show_count(size['rows'])} ratings, {show_count(size['movies'])} movies" for size in sizes]
    return make_table(["", *header, "exponent"], rows)


def _time_and_memory(task: dict[str, float] | None) -> str:
    return "" if task is None else ", ".join(_show(task))


def show_answers_by_size() -> str:
    """Return the queries a second by the size of the data."""
    sizes = read_result("scaling")["sizes"]
    header = [f"{show_count(size['rows'])} ratings, {show_count(size['movies'])} movies" for size in sizes]
    models = _find_models(sizes)
    rows = [[model, *(_answers_a_second(size, model) for size in sizes)] for model in models]
    return make_table(["queries a second", *header], rows)


def show_largest_size() -> str:
    """Return time and memory of each command at the largest size, and of a server's start."""
    result = read_result("scaling")
    size = result["sizes"][-1]
    queries = {
        "evaluate sequential-ridge": size["tasks"]["evaluate sequential-ridge"]["queries"],
        "answer sequential-ridge": FEW + result["config"]["queries"],
    }
    rows = [
        [
            f"`{command}`" + (f", {queries[task]:,} queries" if task in queries else ""),
            *_show(size["tasks"][task]),
        ]
        for command, task in STEPS.items()
    ]
    for start, which in zip(read_result("large-server")["starts"], ("first", "second"), strict=False):
        memory = {"cpu_seconds": start["cpu_seconds"], "peak_memory_gib": start["memory_gib"]}
        rows.append([f"`nextreel serve model`, {which} start", *_show(memory)])
    header = f"{show_count(size['rows'])} ratings by {size['users']:,} users of {size['movies']:,} movies"
    return make_table([header, "time on one core", "memory"], rows)


def show_largest_models() -> str:
    """Return what the fits take at the largest size, and NDCG@10; the transformer's fit had a budget of time."""
    learned, trained = (read_result(name)["sizes"][-1] for name in ("scaling", "large-transformer"))
    tasks = learned["tasks"] | trained["tasks"]
    rows = [
        [f"`{model}`", *_show(tasks[f"fit {model}"]), f"{tasks[f'evaluate {model}']['ndcg@10']:.4f}"]
        for model in (*_find_models([learned]), *_find_models([trained]))
    ]
    header = f"{show_count(learned['rows'])} ratings of {learned['movies']:,} movies"
    queries = tasks["evaluate popularity"]["queries"]
    return make_table([header, "fit, processor time", "memory", f"NDCG@10 of {queries:,} queries"], rows)


def _show(task: dict[str, float]) -> tuple[str, str]:
    return f"{task['cpu_seconds']:,.0f} s", f"{task['peak_memory_gib']:.1f} GiB"


def show_movies() -> str:
    """Return time and memory of a fit, and answers a second, by the number of movies."""
    result = read_result("scaling-movies")
    sizes, exponents = result["sizes"], result["exponents"]
    rows = []
    for model in _find_models(sizes):
        fit = f"fit {model}"
        rows.append(
            [
                fit,
                *(_time_and_memory(size["tasks"].get(fit)) for size in sizes),
                show_exponent(exponents[fit]),
            ]
        )
    rows += [
        [f"queries a second, {model}", *(_answers_a_second(size, model) for size in sizes), ""]
        for model in _find_models(sizes)
    ]
    header = [f"{size['movies']:,} movies" for size in sizes]
    return make_table([f"{_show_range(sizes)} ratings", *header, "exponent"], rows)


def show_single_answers() -> str:
    """Return the milliseconds of single answers by the number of movies."""
    large = read_result("scaling")["sizes"][-1]
    sizes = sorted([*read_result("scaling-movies")["sizes"], large], key=lambda size: int(size["movies"]))
    answers = [size["single_answers"]["sequential-ridge"] for size in sizes]
    rows = [
        [kind, *(f"{of_size[kind]['p50_ms']:.1f}, {of_size[kind]['p99_ms']:.1f} ms" for of_size in answers)]
        for kind in answers[0]
    ]
    header = [f"{size['movies']:,} movies, {show_count(size['rows'])} ratings" for size in sizes]
    return make_table(["median, 99 %", *header], rows)


def _find_models(sizes: list[Result]) -> list[str]:
    return [task.removeprefix("answer ") for task in sizes[0]["tasks"] if task.startswith("answer ")]


def _answers_a_second(size: Result, model: str) -> str:
    """Return the rate with two digits; the time of very fast answers is lost in that of a process's start."""
    task = size["tasks"].get(f"answer {model}")
    if task is None:
        return ""
    rate = task["queries_per_second"]
    return f"> {FASTEST:,}" if rate > FASTEST else f"{float(f'{rate:.2g}'):,.0f}"


def _show_range(sizes: list[Result]) -> str:
    counts = list(
        dict.fromkeys(show_count(size["rows"]) for size in sorted(sizes, key=lambda of: int(of["rows"])))
    )
    return counts[0] if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
