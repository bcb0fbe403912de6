"""The tables of what a Ray cluster does with a host that is lost, and with a large data set."""

from benchmarks.run import read_result
from benchmarks.tables import make_table


def show_ray_hosts() -> str:
    """Return what happened in a job on several hosts, one of which was cut off and joined again."""
    result = read_result("ray-hosts")
    seconds, written, asked = result["seconds_at"], result["parts_at"], result["data"]
    steps = [
        (f"one of {result['config']['hosts']} machines is cut off", seconds["cut_off"], written["cut_off"]),
        ("it has joined again", seconds["joined_again"], written["joined_again"]),
        ("all lists are written", result["ray_seconds"], asked["parts"]),
    ]
    rows = [[step, f"{after:,.0f} s", f"{parts} of {asked['parts']} parts"] for step, after, parts in steps]
    differing = f"{result['lists_that_differ']:,} of {asked['queries']:,}"
    rows.append(["lists that aren't those of one process", "", differing])
    return make_table(["", "after", "written"], rows)


def show_ray_large() -> str:
    """Return time and memory of the same commands without a cluster and with one."""
    result = read_result("ray-large")
    config, places = result["config"], ("local", "ray")
    names = {"fit": f"`fit`, {config['model']}", "recommend": f"`recommend`, {config['queries']:,} lists"}
    rows = [
        [f"{name}: {measure}", *(f"{result[task][place][key]:,{form}}" for place in places)]
        for task, name in names.items()
        for measure, key, form in (
            ("seconds", "seconds", ".0f"),
            ("seconds of the processor", "cpu_seconds", ".0f"),
            ("GiB of memory", "peak_memory_gib", ".1f"),
        )
    ]
    differing = f"{len(result['model_files_that_differ'])} and {result['lists_that_differ']:,}"
    rows.append(["files of the model, and lists, that differ from `local`", "", differing])
    header = f"{result['rows'] / 1e6:.1f}M ratings of {result['movies']:,} movies"
    return make_table([header, *(f"`--on {place}`" for place in places)], rows)
