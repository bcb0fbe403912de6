"""The tables of what is streamed: time and memory by the number of rows and of queries."""

from benchmarks.run import Result, read_result
from benchmarks.tables import make_table


def show_ingest_by_rows() -> str:
    """Return time and memory of `ingest` by the number of rows."""
    rows = [
        [
            f"{size['rows'] / 1e6:.1f}M",
            f"{1024 * size['gib_in']:,.0f} MiB",
            f"{1024 * size['gib_out']:,.0f} MiB",
            *_time_and_memory(size),
        ]
        for size in read_result("many-rows")["ingest"]
    ]
    return make_table(["rows", "CSV", "Parquet", "time of the processor", "peak memory"], rows)


def show_answers_by_queries() -> str:
    """Return time and memory of answers to a file by the number of queries."""
    rows = [
        [model, f"{size['queries'] / 1e6:.1f}M", *_time_and_memory(size)]
        for model, sizes in read_result("many-rows")["answers"].items()
        for size in sizes
    ]
    return make_table(["MovieLens-1M", "queries", "time of the processor", "peak memory"], rows)


def _time_and_memory(size: Result) -> list[str]:
    return [
        f"{size['cpu_seconds']:,.0f} s",
        f"{size['peak_memory_gib']:.2f} GiB",
    ]
