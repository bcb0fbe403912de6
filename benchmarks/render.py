"""Write the tables and the charts of README.md and of the documentation from the result files.

    python -m benchmarks.render

A table is between `<!-- NAME -->` and `<!-- end -->`; everything between these markers is generated.
"""

import re
from collections.abc import Callable
from functools import partial

from benchmarks.cluster_tables import show_ray_hosts, show_ray_large
from benchmarks.leaderboard_chart import draw_leaderboard
from benchmarks.own_films_tables import show_joint_lists, show_title_matching, show_title_matching_by_hand
from benchmarks.protocol_tables import compare_protocols, compare_with_time_to_split, split_protocols_by_gap
from benchmarks.quality_tables import (
    compare_with_course,
    compare_with_peers,
    describe_answering,
    describe_backtests,
    describe_verdict,
    show_ablation,
    show_clean,
    show_diversity,
    show_leaderboard,
    show_new_movies,
    show_new_users,
    show_results,
    show_ridge_ablation,
    show_seeds,
    show_slices,
)
from benchmarks.reliability_tables import coverage, faults, fuzzing, losses_of_power, mutation
from benchmarks.run import HERE
from benchmarks.scaling_chart import draw_memory_by_rows, draw_time_by_movies, draw_time_by_rows
from benchmarks.scaling_tables import (
    show_answers_by_size,
    show_largest_models,
    show_largest_size,
    show_movies,
    show_scaling,
    show_single_answers,
)
from benchmarks.server_tables import (
    show_crash,
    show_hostile_soak,
    show_latency,
    show_open_loop,
    show_serving,
    show_soak,
)
from benchmarks.size_tables import (
    compute_sizes,
    show_epochs,
    show_large_server,
    show_ray_workers,
    show_speed,
)
from benchmarks.small_data_tables import compare_on_small_data
from benchmarks.streaming_tables import show_answers_by_queries, show_ingest_by_rows

DOCS = HERE.parent / "docs"
PAGES = (
    HERE.parent / "README.md",
    DOCS / "benchmarks.md",
    DOCS / "explanations" / "sequential-ridge.md",
    DOCS / "explanations" / "transformer.md",
    DOCS / "own-films.md",
    DOCS / "how-to" / "course.md",
    DOCS / "how-to" / "deploy.md",
    DOCS / "how-to" / "scale.md",
    DOCS / "reliability.md",
)


def render(text: str) -> str:
    """Return the text of a page with every table rendered from the result files."""
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(partial(_replace_table, table), text)
    return text


def _replace_table(table: Callable[[], str], match: re.Match[str]) -> str:
    return f"{match[1]}{table()}{match[2]}"


TABLES: dict[str, Callable[[], str]] = {
    "results": show_results,
    "course": compare_with_course,
    "clean": show_clean,
    "peers": compare_with_peers,
    "leaderboard": show_leaderboard,
    "verdict": describe_verdict,
    "answering": describe_answering,
    "protocols": compare_protocols,
    "by-gap": split_protocols_by_gap,
    "time-to-split": compare_with_time_to_split,
    "ablation": show_ablation,
    "ridge-ablation": show_ridge_ablation,
    "backtest": describe_backtests,
    "soak": show_soak,
    "seeds": show_seeds,
    "slices": show_slices,
    "small-data": compare_on_small_data,
    "latency": show_latency,
    "serving": show_serving,
    "open-loop": show_open_loop,
    "diversity": show_diversity,
    "new-users": show_new_users,
    "new-movies": show_new_movies,
    "crash": show_crash,
    "hostile-soak": show_hostile_soak,
    "coverage": coverage,
    "fuzzing": fuzzing,
    "faults": faults,
    "losses-of-power": losses_of_power,
    "mutation": mutation,
    "speed": show_speed,
    "scaling": show_scaling,
    "answers-by-size": show_answers_by_size,
    "largest-size": show_largest_size,
    "largest-models": show_largest_models,
    "movies": show_movies,
    "single-answers": show_single_answers,
    "epochs": show_epochs,
    "ingest-by-rows": show_ingest_by_rows,
    "answers-by-queries": show_answers_by_queries,
    "ray-workers": show_ray_workers,
    "ray-large": show_ray_large,
    "ray-hosts": show_ray_hosts,
    "large-server": show_large_server,
    "sizing": compute_sizes,
    "joint-lists": show_joint_lists,
    "title-matching": show_title_matching,
    "title-matching-by-hand": show_title_matching_by_hand,
}
CHARTS = {
    DOCS / "assets" / "leaderboard.svg": draw_leaderboard,
    DOCS / "assets" / "time-by-ratings.svg": draw_time_by_rows,
    DOCS / "assets" / "memory-by-ratings.svg": draw_memory_by_rows,
    DOCS / "assets" / "time-by-movies.svg": draw_time_by_movies,
}


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
    for chart, draw in CHARTS.items():
        chart.write_text(draw(), encoding="utf-8")
