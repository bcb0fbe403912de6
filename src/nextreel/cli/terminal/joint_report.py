"""One list for several people, as JSON and as a table: each movie with how well it suits whom, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.cli.terminal.console import print_sentences, stages, stdout, table
from nextreel.cli.terminal.json_output import print_json
from nextreel.data.ids import Id, encode_ids
from nextreel.data.schema import MOVIE_ID, TIMESTAMP
from nextreel.data.timeline import Histories
from nextreel.data.times import format_timestamp, parse_timestamp
from nextreel.prediction.own_history import join_histories
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.explanations import explain
from nextreel.ranking.joint_lists import JointRanking

REASONS = 2
"""Number of movies of a history that are named as the reason for a movie."""
JointOptions = tuple[int, Literal["mean", "least-misery"], bool, bool, bool]
"""k, the rule, whether seen movies are left out, whether scores are shown, and whether JSON is printed."""


def recommend_jointly(
    predictor: Predictor,
    users: Sequence[str],
    files: Sequence[Path],
    time: str | None,
    options: JointOptions,
) -> None:
    """Print one list for several users, or for several people with exports of their own."""
    k, rule, exclude_seen, scores, as_json = options
    with stages("Recommending"):
        own = [predictor.read_history(file) for file in files]
        if own:
            latest = max(history.now for history in own)
            timestamp = latest if time in (None, "now") else parse_timestamp(str(time))
            histories = join_histories(own, timestamp)
            names = [file.name for file in files]
            ranking = predictor.rank_together(own, k, exclude_seen, at=timestamp, rule=rule)
        else:
            ids: list[Id] = [predictor.dataset.parse_user_id(user, "--user") for user in users]
            timestamp = parse_timestamp(time or "now")
            histories = predictor.dataset.histories(
                encode_ids(_to_series(predictor, ids)), np.full(len(ids), timestamp)
            )
            names = [f"user {user}" for user in users]
            ranking = predictor.rank_together(ids, k, exclude_seen, at=timestamp, rule=rule)
        reasons = [_find_reasons(predictor, histories, person, ranking) for person in range(len(names))]
    if as_json:
        print_json(_to_json(predictor, names, timestamp, rule, ranking, reasons))
        return
    console = stdout()
    for name, history in zip(names, own, strict=False):
        print_sentences(console, [f"{name}: {sentence}" for sentence in history.describe()])
    title = f"What {', '.join(names)} should watch together, as of {format_timestamp(timestamp)}"
    columns = ["", "Movie", MOVIE_ID, *(f"{name}: top %, because of" for name in names)]
    report = table(title, *columns, *(["Score"] if scores else []))
    titles = predictor.dataset.movies["Title"]
    for place, movie in enumerate(ranking.movies.tolist()):
        suits = [
            f"{_top(ranking.percentiles[person, place])}  {'; '.join(reasons[person][place])}"
            for person in range(len(names))
        ]
        score = [f"{ranking.scores[place]:.3f}"] if scores else []
        movie_id = predictor.dataset.movies[MOVIE_ID][movie]
        report.add_row(str(place + 1), titles[movie] or f"movie {movie_id}", str(movie_id), *suits, *score)
    report.notes = [
        f"Rule: {rule}. 1 means: among the top 1 % of all movies that could be recommended to this person."
    ]
    unknown = [name for name, knows in zip(names, ranking.personal, strict=True) if not knows]
    if unknown:
        report.notes.append(
            f"Nothing was known of {', '.join(unknown)} then, so popular movies stand in for their taste."
        )
    console.print(report)


def _to_series(predictor: Predictor, ids: Sequence[Id]) -> pl.Series:
    return pl.Series(ids, dtype=predictor.dataset.users["UserID"].dtype)


def _top(percentile: float) -> int:
    return max(1, int(np.ceil(100 - percentile)))


def _find_reasons(
    predictor: Predictor, histories: Histories, person: int, ranking: JointRanking
) -> list[list[str]]:
    """Return, for each movie of the list, the titles of one person's history that speak most for it."""
    history = histories[person : person + 1]
    titles = predictor.dataset.movies["Title"]
    movies = ranking.movies.astype(np.int64)
    return [
        [titles[one.movie] or "untitled" for one in of_movie if one.contribution > 0][:REASONS]
        for of_movie in explain(predictor.model, history, history.as_of, movies)
    ]


def _to_json(
    predictor: Predictor,
    names: Sequence[str],
    timestamp: int,
    rule: str,
    ranking: JointRanking,
    reasons: Sequence[Sequence[Sequence[str]]],
) -> dict[str, JsonValue]:
    movies = predictor.dataset.movies
    return {
        "people": [*names],
        TIMESTAMP: timestamp,
        "rule": rule,
        "unknown": [name for name, knows in zip(names, ranking.personal.tolist(), strict=True) if not knows],
        "recommendations": [
            {
                "Rank": place + 1,
                MOVIE_ID: movies[MOVIE_ID][movie],
                "Title": movies["Title"][movie],
                "Score": float(ranking.scores[place]),
                "suits": [
                    {
                        "percentile": float(ranking.percentiles[person, place]),
                        "because": [*reasons[person][place]],
                    }
                    for person in range(len(names))
                ],
            }
            for place, movie in enumerate(ranking.movies.tolist())
        ],
    }
