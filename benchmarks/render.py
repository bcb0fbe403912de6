"""Write the tables of README.md from the result files: `python -m benchmarks.render`.

A table stands between `<!-- NAME -->` and `<!-- end -->`; nothing between them is written by hand.
"""

import json
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md",)

COURSE = {"train loss": "0.0833", "validation loss": "0.2097", "NDCG@10": "0.0217", "Recall@10": "0.0424"}
"""What the course's notebook prints."""
CLEAN = (
    "clean-popularity",
    "clean-popularity-30-days",
    "clean-funk-svd",
    "clean-item-knn",
    "clean-als",
    "clean-ease",
    "clean-sequential-ridge",
    "clean-transformer",
    "clean-blend",
)
NAMES = {"clean-popularity-30-days": "popularity, last 30 days"}


def render(text: str) -> str:
    """The page with every table written afresh."""
    for name, table in {"course": _course, "clean": _clean, "speed": _speed}.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda found, made=table: f"{found[1]}{made()}{found[2]}", text)  # type: ignore[misc]
    return text


def read_result(name: str) -> dict[str, Any]:
    """One result file."""
    result: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return result


def _course() -> str:
    funk = read_result("course-funk-svd")
    last, metrics = funk["epochs"][-1], _metrics(funk, exclude_seen=False)
    ours = {
        "train loss": f"{last['train_loss']:.4f}",
        "validation loss": f"{last['validation_loss']:.4f}",
        **{name: _interval(metrics[name]) for name in ("NDCG@10", "Recall@10")},
    }
    rows = [["the course's notebook", *COURSE.values()], ["nextreel", *(ours[name] for name in COURSE)]]
    return _table(["", *COURSE], rows)


def _clean() -> str:
    rows = []
    for name in CLEAN:
        result = read_result(name)
        shown = NAMES.get(name, result["config"]["model"])
        cells = [
            _interval(_metrics(result, history)[metric])
            for history in ("frozen", "live")
            for metric in ("NDCG@10", "Recall@10")
        ]
        rows.append([shown, *cells, f"{result['fit_seconds']:.1f} s"])
    header = ["model", "NDCG@10, frozen", "Recall@10, frozen", "NDCG@10, live", "Recall@10, live", "fit"]
    return _table(header, rows)


def _speed() -> str:
    result = read_result("speed")
    rows = [[name, f"{seconds['median']:.2f} s"] for name, seconds in result["seconds"].items()]
    rows.append(["peak memory of the funk-svd fit", f"{result['peak_memory_gib']:.2f} GiB"])
    machine = result["machine"]
    return _table(["task", f"median on {machine['cores']} cores of {machine['processor']}"], rows)


def _metrics(result: dict[str, Any], history: str = "frozen", exclude_seen: bool = True) -> dict[str, Any]:
    for evaluation in result["evaluations"]:
        protocol = evaluation["protocol"]
        if (protocol["history"], protocol["exclude_seen"]) == (history, exclude_seen):
            metrics: dict[str, Any] = evaluation["metrics"]
            return metrics
    raise KeyError(f"{result['name']} has no evaluation with {history} history, exclude_seen={exclude_seen}")


def _interval(estimate: dict[str, float]) -> str:
    half = (estimate["high"] - estimate["low"]) / 2
    return f"{estimate['mean']:.4f} ± {half:.4f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
