"""What every table of figures is made of: the evaluation of a result file, an estimate as text, and a table."""

from collections.abc import Sequence

from benchmarks.run import Result

Rows = list[list[str]]


def find_evaluation(
    result: Result,
    history: str = "frozen",
    exclude_seen: bool = True,
    member: str | None = None,
    ties: str | None = None,
) -> Result:
    """Return the evaluation by this protocol, of the whole model or of one member of a blend.

    `ties` is by default that of the history mode; result files from before there was a choice don't name it.
    """
    default_ties = {"frozen": "file-order", "live": "strict"}[history]
    evaluations: list[Result] = result["evaluations"]
    for evaluation in evaluations:
        protocol = evaluation["protocol"]
        if (
            protocol["history"],
            protocol.get("ties", default_ties),
            protocol["exclude_seen"],
            evaluation.get("member"),
        ) == (history, ties or default_ties, exclude_seen, member):
            return evaluation
    raise KeyError(f"{result['name']} has no evaluation with {history} history, exclude_seen={exclude_seen}")


def interval(estimates: Sequence[dict[str, float]]) -> str:
    """Return the mean and half the width of the interval, each averaged over the seeds."""
    half = mean([(estimate["high"] - estimate["low"]) / 2 for estimate in estimates])
    return f"{mean([estimate['mean'] for estimate in estimates]):.4f} ± {half:.4f}"


def mean(values: Sequence[float]) -> float:
    """Return the mean of values, of which there is at least one."""
    return sum(values) / len(values)


def make_table(header: list[str], rows: Rows) -> str:
    """Return a Markdown table, whose first column is aligned to the left and the others to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, rule, *rows))


def show_count(number: int) -> str:
    """Return a number of ratings or movies with two digits: 940k, 31M."""
    thousands = float(f"{number / 1e3:.2g}")
    return f"{thousands:g}k" if thousands < 1000 else f"{thousands / 1e3:g}M"


def show_exponent(exponent: float) -> str:
    """Return an exponent of growth with two decimal places; what rounds to zero has no sign."""
    return f"{round(exponent, 2) + 0.0:.2f}"
