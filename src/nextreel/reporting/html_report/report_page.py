"""The report as one HTML file: what is said, drawn and listed, put into the templates."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nextreel.atomic_files import replacing
from nextreel.data.reading.data_profile import Profile, profile_tables
from nextreel.data.splitting.split_rules import describe_rule
from nextreel.data.tables import Tables
from nextreel.errors import require
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.leaderboard import FEWEST_QUERIES, Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.evaluation.significance import ALPHA, PERMUTATIONS
from nextreel.reporting.html_report.comparison_charts import (
    draw_bars,
    draw_cost,
    draw_differences,
    draw_intervals,
    share_scale,
)
from nextreel.reporting.html_report.example_lists import choose_examples
from nextreel.reporting.html_report.model_cards import describe_model
from nextreel.reporting.html_report.sentences import (
    UNKNOWN,
    count,
    say_cost,
    say_fairness,
    say_headline,
    say_leader,
    say_reality,
    say_split,
    say_weakness,
    show_day,
    show_seconds,
)
from nextreel.reporting.html_report.slice_tables import (
    EXPLAINED,
    all_rows,
    count_months,
    count_parts,
    group_slices,
    lead_of,
)
from nextreel.version import __version__
from nextreel.wording import join_names

TEMPLATES = Path(__file__).parent / "templates"


def require_extras() -> None:
    """Raise MissingExtraError if what the report needs isn't installed, so that a long run can say so at its start."""
    for module in ("altair", "jinja2", "vl_convert"):
        require(module, "plots")


def write_report(board: Leaderboard, name: str, file: Path) -> None:
    """Write the report of a comparison on the data set `name`, which is a title and no path.

    Raises MissingExtraError without altair, jinja2 and vl-convert, and DataError for a file that can't be written.
    """
    jinja2 = require("jinja2", "plots")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "day": show_day,
        "gib": lambda gib: UNKNOWN if gib is None else f"{gib:.2f} GiB",
        "rate": lambda rate: UNKNOWN if rate is None else f"{rate:,.0f}",
        "seconds": show_seconds,
        "stars": lambda rating: "★" * int(rating) + ("½" if rating % 1 else ""),
        "fixed": lambda value, digits: f"{value:.{digits}f}",
        "thousands": lambda n: f"{n:,}",
        "together": join_names,
    }
    environment.tests["endswith"] = str.endswith
    html = environment.get_template("report.html").render(_contents(board, name))
    with replacing(file) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _contents(board: Leaderboard, name: str) -> dict[str, Any]:
    histories = list(board.figures)
    shown: HistoryMode = "live" if "live" in histories else histories[0]
    rows = all_rows(board.parts)
    profile = profile_tables(Tables(rows))
    leaders = {history: lead_of(board, history) for history in histories}
    return {
        "board": board,
        "name": name,
        "version": __version__,
        "made": int(datetime.now(UTC).timestamp()),
        "histories": histories,
        "shown": shown,
        "k": board.main.partition("@")[2],
        "models": len(board.answers),
        "queries": len(board.users),
        "people": len(np.unique(board.users)),
        "leaders": leaders,
        "headline": say_headline(leaders, len(board.answers), name),
        "lead_sentences": [say_leader(board, shown, leaders[shown]), *say_reality(leaders)],
        "summary": [
            *(say_leader(board, each, leaders[each]) for each in histories if each != shown),
            say_cost(board, shown),
            say_weakness(board, shown),
            say_fairness(board),
        ],
        "split": say_split(describe_rule(board.parts.rule)),
        "profile": profile,
        "parts": count_parts(board.parts),
        "rates": {h: {each: board.answers[each].lists[h].rate for each in board.answers} for h in histories},
        "charts": _draw(board, profile, count_months(rows), shown),
        "explained": EXPLAINED,
        "families": {history: group_slices(board, history) for history in histories},
        "fewest": FEWEST_QUERIES,
        "swaps": PERMUTATIONS,
        "claim": ALPHA,
        "looked_at": any(board.gaps.values()),
        "unknown_costs": [each for each, answers in board.answers.items() if answers.fit_seconds is None],
        "examples": choose_examples(board, shown),
        "cards": [describe_model(board, shown, each) for each in board.ranked(shown)],
    }


def _draw(
    board: Leaderboard, profile: Profile, months: list[tuple[str, int]], shown: HistoryMode
) -> dict[str, Any]:
    """Every picture as SVG."""
    figures = {
        history: {each: board.figures[history][each].metrics[board.main] for each in board.ranked(history)}
        for history in board.figures
    }
    rates = {each: board.answers[each].lists[shown].rate for each in board.answers}
    top = share_scale([estimate for by_name in figures.values() for estimate in by_name.values()])
    return {
        "ratings": draw_bars(
            [(f"{rating:g}", rows) for rating, rows in profile.ratings.items()], "Rating", "Rows"
        ),
        "lengths": draw_bars(
            [(f"{each.least:,}", each.users) for each in profile.histories],
            "Ratings of one person, from",
            "People",
        ),
        "months": draw_bars(months, "Month", "Rows"),
        "quality": {
            history: draw_intervals(estimates, board.main, top) for history, estimates in figures.items()
        },
        "differences": {
            history: draw_differences(board.tests, history, board.ranked(history)[0], board.main)
            for history in board.figures
            if len(board.answers) > 1
        },
        "fit": draw_cost(
            _costs(figures[shown], {n: a.fit_seconds for n, a in board.answers.items()}),
            "Seconds to fit",
            board.main,
        ),
        "answer": draw_cost(
            _costs(
                figures[shown],
                {each: rate and 1000 / rate for each, rate in rates.items()},
            ),
            "Milliseconds for an answer",
            board.main,
        ),
    }


def _costs(figures: dict[str, Estimate], cost: dict[str, float | None]) -> list[tuple[str, float, Estimate]]:
    """Models of known cost."""
    return [
        (name, known, estimate) for name, estimate in figures.items() if (known := cost[name]) is not None
    ]
