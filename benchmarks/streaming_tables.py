"""The tables of what is streamed: time and memory by the number of rows and of queries."""

from benchmarks.run import Result, has_result, read_result
from benchmarks.tables import make_table


def show_ingest_by_rows() -> str:
    """Return time and memory of `ingest` by the number of rows."""
    if not has_result("many-rows"):
        return ""
    rows = [
        [
            f"{size['rows'] / 1e6:.1f}M",
            f"{size['gib_in']:.2f} GiB",
            f"{size['gib_out']:.2f} GiB",
            *_time_and_memory(size),
        ]
        for size in read_result("many-rows")["ingest"]
    ]
    return make_table(["rows", "CSV", "Parquet", "time", "of the processor", "peak memory"], rows)


def show_answers_by_queries() -> str:
    """Return time and memory of answers to a file by the number of queries."""
    if not has_result("many-rows"):
        return ""
    rows = [
        [model, f"{size['queries'] / 1e6:.1f}M", *_time_and_memory(size)]
        for model, sizes in read_result("many-rows")["answers"].items()
        for size in sizes
    ]
    return make_table(["MovieLens-1M", "queries", "time", "of the processor", "peak memory"], rows)


def _time_and_memory(size: Result) -> list[str]:
    return [
        f"{size['seconds']:,.0f} s",
        f"{size['cpu_seconds']:,.0f} s",
        f"{size['peak_memory_gib']:.2f} GiB",
    ]
