"""The tables of speed, of clusters and of a large server, and the sizes that follow for a large service."""

from benchmarks.run import read_result
from benchmarks.tables import make_table
from nextreel.wording import number_of

LARGE_USERS, LARGE_MOVIES, LARGE_RATE, RATINGS_OF_A_USER = 10_000_000, 1_000_000, 10_000, 100
"""A service whose size is computed from what was measured, queries a second."""


def show_speed() -> str:
    """Return the seconds of everyday tasks."""
    result = read_result("speed")
    rows = [[name, f"{seconds['median']:.2f} s"] for name, seconds in result["seconds"].items()]
    rows.append(["peak memory of the funk-svd fit", f"{result['peak_memory_gib']:.2f} GiB"])
    machine = result["machine"]
    return make_table(["task", f"median on {machine['cores']} cores of {machine['processor']}"], rows)


def show_epochs() -> str:
    """Return the seconds of an epoch of the transformer, and what a second core brings."""
    result = read_result("transformer-epochs")
    rows = [
        [place, f"{seconds:,.0f} s", f"{result['speedup'][place]:.2f}", f"{run['other']:,.0f} s"]
        for (place, seconds), run in zip(
            result["epoch_seconds"].items(), result["runs"].values(), strict=True
        )
    ]
    return make_table(["MovieLens-1M", "an epoch", "times as fast", "start and end of the fit"], rows)


def show_ray_workers() -> str:
    """Return how many batch answers a second the workers of a cluster give, and how long the cluster takes to start."""
    result = read_result("ray-workers")
    local = result["queries_per_second"]["local"]
    names = {"local": "one core, without a cluster"}
    rows = [
        [
            names.get(place, place),
            f"{rate:,.0f}",
            f"{rate / local:.2f}",
            f"{result['fixed_seconds'][place]:,.0f} s",
        ]
        for place, rate in result["queries_per_second"].items()
    ]
    what = f"{result['config']['queries']:,} lists of {result['config']['model']}, MovieLens-1M"
    return make_table([what, "lists a second", "times as fast", "until the first task"], rows)


def show_large_server() -> str:
    """Return start and memory of a server of many ratings."""
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


def compute_sizes() -> str:
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
