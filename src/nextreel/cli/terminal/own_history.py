"""Recommending to a person by their own export: what was matched, what wasn't, and the list or the backtest."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import JsonValue

from nextreel.atomic_files import replacing
from nextreel.cli.terminal.console import print_sentences, refuse_existing, stages, stdout, table
from nextreel.cli.terminal.fitting_table import FittingTable
from nextreel.cli.terminal.json_output import print_json
from nextreel.cli.terminal.recommendation_report import RecommendationReport
from nextreel.data.data_format import DataFormat
from nextreel.data.exports.chosen_movies import write_rows
from nextreel.data.schema import MOVIE_ID
from nextreel.data.times import format_timestamp, parse_timestamp
from nextreel.errors import QueryError
from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.own_backtest import MOST_A_DAY, OwnBacktest, backtest_history
from nextreel.prediction.own_history import OwnHistory, UnmatchedFilm
from nextreel.prediction.predictor import Predictor
from nextreel.wording import number_of

SHOWN_UNMATCHED = 10
"""Number of unmatched titles that are shown; a file has them all."""
SHOWN_PROBLEMS = 5
"""Number of rows with something wrong that are shown."""
SHOWN_HITS = 10
"""Number of hits of a backtest that are shown, the latest."""


@dataclass(frozen=True)
class OwnFiles:
    """The files of a person's own history, as the command line names them."""

    history: Path
    matches: Path | None
    unmatched: Path | None
    columns: str | None
    dates: Literal["day-first", "month-first"] | None
    force: bool


@dataclass(frozen=True)
class ListRequest:
    """What list is asked for, and how it is printed."""

    timestamp: str | None
    k: int
    exclude_seen: bool
    scores: bool
    as_json: bool


def recommend_to_history(predictor: Predictor, files: OwnFiles, request: ListRequest, backtest: bool) -> None:
    """Print what was matched, and the list, or the backtest in its place."""
    if files.unmatched is not None and not files.force:
        refuse_existing(files.unmatched)
    if backtest and (request.timestamp is not None or request.scores):
        raise QueryError("--backtest asks about every day: leave out --at and --scores")
    with stages("Reading") as show_stage:
        show_stage("matching your movies with the catalog")
        columns = DataFormat.parse(files.columns)
        own = predictor.history_reader.read_path(files.history, files.matches, columns, files.dates)
    if files.unmatched is not None:
        _write_unmatched(predictor, own, files.unmatched)
    console = stdout()
    if not request.as_json:
        print_sentences(console, own.describe())
        print_sentences(console, [f"  {problem}" for problem in own.problems[:SHOWN_PROBLEMS]])
        if own.unmatched:
            console.print(_tabulate_unmatched(predictor, own, files.unmatched))
    if backtest:
        result = backtest_history(predictor, own, request.k)
        if request.as_json:
            print_json(
                {"history": _to_json(predictor, own), "backtest": _backtest_to_json(predictor, result)}
            )
        else:
            console.print(_tabulate_backtest(predictor, result))
        return
    timestamp = own.now if request.timestamp in (None, "now") else parse_timestamp(str(request.timestamp))
    report = RecommendationReport.of_history(predictor, own, timestamp, request.k, request.exclude_seen)
    if request.as_json:
        print_json({"history": _to_json(predictor, own), **report.to_json()})
    else:
        console.print(report.to_table(request.scores))


def _write_unmatched(predictor: Predictor, own: OwnHistory, path: Path) -> None:
    rows = [
        [film.title, film.year, None, film.reason, "; ".join(_candidates(predictor, film))]
        for film in own.unmatched
    ]
    with replacing(path) as temporary:
        text = write_rows(["Title", "Year", MOVIE_ID, "Reason", "Candidates"], rows)
        temporary.write_text(text, encoding="utf-8")


def _candidates(predictor: Predictor, film: UnmatchedFilm) -> list[str]:
    movies = predictor.dataset.movies[list(film.candidates)]
    return [
        f"{title or 'untitled'} [{movie_id}]"
        for title, movie_id in movies.select("Title", MOVIE_ID).iter_rows()
    ]


def _tabulate_unmatched(predictor: Predictor, own: OwnHistory, written: Path | None) -> FittingTable:
    unmatched = table("Not matched", "Film", "Why", "Perhaps [MovieID]")
    for film in own.unmatched[:SHOWN_UNMATCHED]:
        name = film.title if film.year is None else f"{film.title} ({film.year})"
        unmatched.add_row(name, film.reason, "; ".join(_candidates(predictor, film)))
    n_hidden = len(own.unmatched) - SHOWN_UNMATCHED
    more = f"{number_of(n_hidden, 'more')} not shown. " if n_hidden > 0 else ""
    if written is None:
        unmatched.notes = [
            f"{more}--unmatched FILE writes all to a file; fill in MovieIDs and name it with --matches."
        ]
    else:
        unmatched.notes = [f"{more}All are in {written}: fill in MovieIDs and name it with --matches."]
    return unmatched


def _tabulate_backtest(predictor: Predictor, result: OwnBacktest) -> FittingTable:
    titles = predictor.dataset.movies["Title"]
    hits = [film for film in result.films if film.rank]
    report = table("What the model would have said, and you watched", "Day", "Movie", "Rank", numbers=1)
    for film in hits[-SHOWN_HITS:][::-1]:
        report.add_row(format_timestamp(film.day)[:10], titles[film.movie] or "untitled", str(film.rank))
    asked = f"{number_of(len(result.films), 'film')} watched on {number_of(result.n_days, 'day')}"
    report.notes = [
        f"Of {asked}, {len(hits):,} were among the {result.k} recommended at the beginning of the day: "
        f"{_show(result.hit_rate)}; among the {result.k} most popular: {_show(result.popularity)}.",
        "Intervals: 95 %, by resampling days. Films that were recommended but not watched count as misses, even if you "
        "would have liked them.",
    ]
    if result.n_marked:
        report.notes.append(
            f"{number_of(result.n_marked, 'film')} left out: more than {MOST_A_DAY} films have the same date, so it is "
            "probably the day on which they were entered."
        )
    if result.learned_from_later:
        report.notes.append(
            "The model was also fitted on what other people rated after some of these days, which raises these figures."
        )
    return report


def _show(estimate: Estimate) -> str:
    return f"{estimate.mean:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def _to_json(predictor: Predictor, own: OwnHistory) -> dict[str, JsonValue]:
    return {
        "forms": [*own.forms],
        "films": own.n_films,
        "matched": own.n_matched,
        "matched_by": dict(own.matched_by),
        "unrated": own.n_unrated,
        "episodes": own.n_episodes,
        "unmatched": [
            {
                "title": film.title,
                "year": film.year,
                "reason": film.reason,
                "candidates": [predictor.dataset.movies[MOVIE_ID][index] for index in film.candidates],
            }
            for film in own.unmatched
        ],
        "left_out": own.n_problems,
        "problems": [str(problem) for problem in own.problems],
        "notes": [*own.notes],
    }


def _backtest_to_json(predictor: Predictor, result: OwnBacktest) -> dict[str, JsonValue]:
    movie_ids: pl.Series = predictor.dataset.movies[MOVIE_ID]
    return {
        "k": result.k,
        "films": [
            {"MovieID": movie_ids[film.movie], "day": film.day, "rank": film.rank or None}
            for film in result.films
        ],
        "days": result.n_days,
        "marked": result.n_marked,
        "hit_rate": asdict(result.hit_rate),
        "popularity": asdict(result.popularity),
        "learned_from_later": result.learned_from_later,
    }
