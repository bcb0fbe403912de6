"""The tables of a server: its latency and rates, and what it holds under load and faults."""

from benchmarks.run import read_result
from benchmarks.tables import make_table


def show_latency() -> str:
    """Return the time of a query in process."""
    rows = []
    for preset in ("fast", "best"):
        result = read_result(f"latency-{preset}")
        single, batch = result["single"], result["batch"]
        latencies = [f"{single['p50_ms']:.2f} ms", f"{single['p99_ms']:.2f} ms"]
        rows.append([f"`{preset}`", *latencies, f"{batch['queries_per_second']:,.0f}"])
    return make_table(["model", "one query, median", "one query, 99 %", "queries/s in batch"], rows)


def show_serving() -> str:
    """Return latency and rates of the server."""
    columns = []
    for row in ("sequential-ridge", "best"):
        result = read_result(f"serving-{row}")
        single, again, engine = result["single"], result["single, users again"], result["in process"]
        batches = {
            name: f"{result[measured]['queries_per_second']:,.0f} queries/s"
            for name, measured in (
                ("batches of 1,000 queries", "batch"),
                ("the same, each user once, as of now", "batch, each user once"),
                ("the same, of users who come back", "batch, users again"),
            )
        }
        columns.append(
            {
                f"{single['rate']} single queries a second, median": f"{single['p50_ms']:.1f} ms",
                "the same, 99 %": f"{single['p99_ms']:.1f} ms",
                "the same of users who come back, median": f"{again['p50_ms']:.1f} ms",
                "the same of users who come back, 99 %": f"{again['p99_ms']:.1f} ms",
                **batches,
                "of it in the engine: a query": f"{engine['single_ms']:.1f} ms",
                "of it in the engine: a batch": f"{engine['batch_ms']:,.0f} ms",
                "peak memory of the server": f"{result['peak_memory_gib']:.2f} GiB",
            }
        )
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return make_table(["`nextreel serve`, MovieLens-1M", "`fast`", "`best`"], rows)


def show_open_loop() -> str:
    """Return the latency of queries that arrive at random, by their rate."""
    columns = [
        {
            measured["rate"]: " / ".join(f"{measured[name]:,.1f}" for name in ("p50_ms", "p95_ms", "p99_ms"))
            for measured in read_result(f"open-loop-{row}")["open loop"]
        }
        for row in ("sequential-ridge", "best")
    ]
    rates = sorted({rate for column in columns for rate in column})
    headers = ["queries a second", "`fast`: median / 95 % / 99 %, ms", "`best`: median / 95 % / 99 %, ms"]
    return make_table(headers, [[str(rate), *(column.get(rate, "") for column in columns)] for rate in rates])


def show_soak() -> str:
    """Return the memory of a server under load for an hour."""
    soak = read_result("serving-soak")["soak"]
    memory = soak["memory_mib"]
    rows = [
        ["answers, and ratings stored meanwhile", f"{soak['queries']:,}, {soak['ratings']:,}"],
        *([f"memory, {time}", f"{memory[time]:.0f} MiB"] for time in ("start", "after 10 minutes", "end")),
    ]
    return make_table([f"{soak['minutes']:.0f} minutes under load", ""], rows)


def show_crash() -> str:
    """Return what was lost when stores and servers were killed."""
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


def show_hostile_soak() -> str:
    """Return what was lost when everything went wrong at once."""
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
