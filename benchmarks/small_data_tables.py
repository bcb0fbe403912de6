"""The table of the default model beside simpler ones on small data."""

from itertools import groupby

from benchmarks.run import Result, read_result
from benchmarks.small_data import METRIC
from benchmarks.tables import interval, make_table, mean

DATA = ("small-data-ml-100k", "small-data-ml-latest-small", "small-data-ml-1m")
NAMES = {
    "ml-100k": "MovieLens-100K",
    "ml-latest-small": "MovieLens latest small",
    "ml-1m": "users of MovieLens-1M",
}
"""What the data of a config is called in the table."""


def compare_on_small_data() -> str:
    """Return the table of NDCG@10 by data set and size, and a sentence on where a simpler model is better."""
    results = [read_result(name) for name in DATA]
    models = list(results[0]["samples"][0]["models"])
    rows = [
        _row(result, [*samples], models)
        for result in results
        for _, samples in groupby(result["samples"], key=lambda sample: round(sample["rows"], -4))
    ]
    samples = [sample for result in results for sample in result["samples"]]
    default = results[0]["config"]["default"]
    worse = sum(bool(sample["significantly_better_than_default"]) for sample in samples)
    verdict = (
        f"A simpler model is significantly better than `{default}` (Holm's p below 0.05 among the pairs of a sample) "
        f"in {worse} of {len(samples)} samples."
    )
    return make_table(["data", "rows", *models, f"fit of {default}"], rows) + f"\n{verdict}\n"


def _row(result: Result, samples: list[Result], models: list[str]) -> list[str]:
    default = result["config"]["default"]
    seconds = mean([sample["models"][default]["fit_seconds"] for sample in samples])
    return [
        NAMES[result["config"]["data"]],
        f"{round(mean([sample['rows'] for sample in samples]), -2):,.0f}",
        *(interval([sample["models"][model][METRIC] for sample in samples]) for model in models),
        f"{seconds:,.0f} s",
    ]
