"""The report as one HTML file: sentences, charts and tables, filled into the templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from nextreel.atomic_files import replacing
from nextreel.data.reading.data_profile import Profile, profile_tables
from nextreel.data.tables import Tables
from nextreel.errors import QueryError, require
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.leaderboard import FEWEST_QUERIES, Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.evaluation.significance import ALPHA, PERMUTATIONS
from nextreel.reporting.html_report.comparison_charts import (
    ModelCost,
    common_axis_end,
    draw_bars,
    draw_cost,
    draw_differences,
    draw_intervals,
)
from nextreel.reporting.html_report.data_summary import (
    PartSummary,
    count_months,
    join_parts,
    summarize_parts,
)
from nextreel.reporting.html_report.example_lists import Example, choose_examples
from nextreel.reporting.html_report.leaders import Leader, find_leader
from nextreel.reporting.html_report.model_cards import ModelCard, describe_model
from nextreel.reporting.html_report.sentences import (
    UNKNOWN,
    describe_cost,
    describe_fairness,
    describe_leader,
    describe_significance,
    describe_split,
    describe_weak_slices,
    format_day,
    format_seconds,
    spell_number,
    write_headline,
)
from nextreel.reporting.html_report.slice_tables import FAMILIES, SliceRow, group_slices
from nextreel.version import __version__
from nextreel.wording import join_names

TEMPLATES = Path(__file__).parent / "templates"
END_OF_TITLE = " · nextreel</title>".encode()
"""What every report has near its beginning."""


@dataclass(frozen=True)
class ReportCharts:
    """All charts of the report, each as SVG."""

    ratings: str
    """Number of ratings by number of stars."""
    history_lengths: str
    """Number of people by the number of interactions in their history."""
    months: str
    """Number of ratings in each month."""
    quality: dict[HistoryMode, str]
    """SVG chart of each model's main metric, by history mode."""
    differences: dict[HistoryMode, str]
    """Lead of the best model over each other one, one chart per history mode; empty if there is only one model."""
    fit_cost: str | None
    """Main metric of each model against the time of its fit; None if that time isn't known for any model."""
    query_cost: str | None
    """Main metric of each model against its time per query; None if that time isn't known for any model."""


@dataclass(frozen=True)
class ReportPage:
    """Everything that the HTML templates of the report use; each field is a variable in them."""

    board: Leaderboard
    version: str
    """Version of nextreel that wrote the report."""
    created_at: int
    """Time at which the report was written, POSIX seconds."""
    histories: list[HistoryMode]
    main_history: HistoryMode
    """History mode that the summary, the example lists and the model cards are about: live if it was measured."""
    k: int
    """Cutoff of the main metric: 10 if this is NDCG@10."""
    n_models: int
    n_queries: int
    n_users: int
    leaders: dict[HistoryMode, Leader]
    headline: tuple[str, str]
    """The headline in two parts: the best model or models, and the rest of the sentence."""
    lead_sentences: list[str]
    """Sentences on the best model and on whether its lead is significant."""
    summary: list[str]
    """Sentences on the other history modes, on cost, on weak slices and on fairness."""
    split: str
    """Sentences on how the data was split into a train and a test part."""
    profile: Profile
    parts: list[PartSummary]
    rates: dict[HistoryMode, dict[str, float | None]]
    """Queries that each model ranks per second, by history mode and then by model; None if unknown."""
    charts: ReportCharts
    families: dict[str, str]
    """What the slices of each family differ in, such as the number of ratings in the history, by family."""
    slice_tables: dict[HistoryMode, dict[str, list[SliceRow]]]
    """Rows of the tables of slices, by history mode and then by family of slices."""
    fewest_queries: int
    """Number of queries that a slice needs to judge a model by."""
    permutations: int
    """Random permutations in a paired test; each swaps two models' results for about half of the users."""
    alpha: float
    """Significance level of the paired tests, such as 0.05."""
    has_groups: bool
    """Whether the data has groups of people that could be compared."""
    unknown_costs: list[str]
    """Names of the models whose fit time isn't known, so that the chart of fit cost lacks them."""
    examples: list[Example]
    cards: list[ModelCard]


def require_extras() -> None:
    """Raise MissingExtraError if a library that the report needs isn't installed; call it before a long run."""
    for module in ("altair", "jinja2", "vl_convert"):
        require(module, "plots")


def refuse_other_report(file: Path, force: bool) -> None:
    """Raise QueryError if a file for the report exists and isn't such a report, unless `force` allows to replace it."""
    if file.is_file() and not force and END_OF_TITLE not in file.read_bytes()[:4000]:
        raise QueryError(
            f"{file} exists and isn't a report of nextreel's; nothing was written: name another file, or replace it "
            "with --force"
        )


def write_report(board: Leaderboard, name: str, file: Path) -> None:
    """Write the report of a comparison as an HTML file; `name` is the data set's name in the headline.

    Raises
    ------
    MissingExtraError
        altair, jinja2 or vl-convert isn't installed.
    DataError
        The file can't be written.
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
        "day": format_day,
        "fixed": lambda value, digits: f"{value:.{digits}f}",
        "gib": lambda gib: UNKNOWN if gib is None else f"{gib:.2f} GiB",
        "names": join_names,
        "rate": lambda rate: UNKNOWN if rate is None else f"{rate:,.0f}",
        "seconds": format_seconds,
        "spelled": spell_number,
        "stars": lambda rating: "★" * int(rating) + ("½" if rating % 1 else ""),
        "thousands": lambda n: f"{n:,}",
    }
    environment.tests["endswith"] = str.endswith
    html = environment.get_template("report.html").render(vars(_fill_page(board, name)))
    with replacing(file) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _fill_page(board: Leaderboard, data_name: str) -> ReportPage:
    histories = list(board.figures)
    main_history: HistoryMode = "live" if "live" in histories else histories[0]
    interactions = join_parts(board.parts)
    profile = profile_tables(Tables(interactions))
    leaders = {history: find_leader(board, history) for history in histories}
    return ReportPage(
        board=board,
        version=__version__,
        created_at=int(datetime.now(UTC).timestamp()),
        histories=histories,
        main_history=main_history,
        k=int(board.main.partition("@")[2]),
        n_models=len(board.runs),
        n_queries=len(board.users),
        n_users=len(np.unique(board.users)),
        leaders=leaders,
        headline=write_headline(leaders, len(board.runs), data_name),
        lead_sentences=[
            describe_leader(board, main_history, leaders[main_history]),
            *describe_significance(leaders),
        ],
        summary=[
            *(describe_leader(board, other, leaders[other]) for other in histories if other != main_history),
            describe_cost(board, main_history),
            describe_weak_slices(board, main_history),
            describe_fairness(board),
        ],
        split=describe_split(board.parts.rule),
        profile=profile,
        parts=summarize_parts(board.parts),
        rates={
            history: {name: run.lists[history].rate for name, run in board.runs.items()}
            for history in histories
        },
        charts=_draw_charts(board, profile, count_months(interactions), main_history),
        families=FAMILIES,
        slice_tables={history: group_slices(board, history) for history in histories},
        fewest_queries=FEWEST_QUERIES,
        permutations=PERMUTATIONS,
        alpha=ALPHA,
        has_groups=any(board.gaps.values()),
        unknown_costs=[name for name, run in board.runs.items() if run.fit_seconds is None],
        examples=choose_examples(board, main_history),
        cards=[describe_model(board, main_history, name) for name in board.ranked(main_history)],
    )


def _draw_charts(
    board: Leaderboard, profile: Profile, months: list[tuple[str, int]], main_history: HistoryMode
) -> ReportCharts:
    quality = {
        history: {name: board.figures[history][name].metrics[board.main] for name in board.ranked(history)}
        for history in board.figures
    }
    axis_end = common_axis_end([estimate for models in quality.values() for estimate in models.values()])
    fit_seconds = {name: run.fit_seconds for name, run in board.runs.items()}
    rates = {name: run.lists[main_history].rate for name, run in board.runs.items()}
    query_milliseconds = {name: rate and 1000 / rate for name, rate in rates.items()}
    lengths = [(f"{bin_.least:,}", bin_.users) for bin_ in profile.histories]
    return ReportCharts(
        ratings=draw_bars([(f"{stars:g}", n) for stars, n in profile.ratings.items()], "Rating", "Rows"),
        history_lengths=draw_bars(lengths, "Ratings of one person, from", "People"),
        months=draw_bars(months, "Month", "Rows"),
        quality={
            history: draw_intervals(estimates, board.main, axis_end) for history, estimates in quality.items()
        },
        differences={
            history: draw_differences(board.tests, history, board.ranked(history)[0], board.main)
            for history in board.figures
            if len(board.runs) > 1
        },
        fit_cost=draw_cost(_known_costs(fit_seconds, quality[main_history]), "Seconds to fit", board.main),
        query_cost=draw_cost(
            _known_costs(query_milliseconds, quality[main_history]), "Milliseconds for an answer", board.main
        ),
    )


def _known_costs(costs: Mapping[str, float | None], quality: Mapping[str, Estimate]) -> list[ModelCost]:
    return [
        ModelCost(name, cost, estimate)
        for name, estimate in quality.items()
        if (cost := costs[name]) is not None
    ]
