"""How figures and answers look in a terminal."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.table import Table

from nextreel.cli.terminal.console import table
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID, RATING, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.times import format_timestamp
from nextreel.evaluation.model_evaluation import Evaluation
from nextreel.prediction.predictor import Predictor
from nextreel.wording import number_of

LATELY = 3
"""How many of a person's latest ratings are shown beside an answer."""


def metrics_table(results: Mapping[str, Evaluation], protocol: str) -> Table:
    """One row a model: each metric's mean with its 95 % interval."""
    first = next(iter(results.values()))
    queries, users = number_of(len(first.queries), "query", "queries"), number_of(first.n_users, "user")
    title = f"{queries} of {users}, {protocol}; 95 % intervals"
    made = table(title, "Model", *first.metrics, numbers=len(first.metrics))
    for name, result in results.items():
        made.add_row(name, *map(str, result.metrics.values()))
    return made


def answer(predictor: Predictor, user: int, moment: int, k: int, exclude_seen: bool) -> dict[str, Any]:
    """The answer to one query with what a person wants to know beside it."""
    query = pl.DataFrame({USER_ID: [user], TIMESTAMP: [moment]})
    rows = predictor.recommend(query, k, exclude_seen).join(
        predictor.dataset.movies, on=MOVIE_ID, how="left", maintain_order="left"
    )
    until = int(predictor.dataset.timeline.timestamps.max())
    history = predictor.dataset.histories(query[USER_ID].to_numpy(), query[TIMESTAMP].to_numpy())
    return {
        USER_ID: user,
        TIMESTAMP: moment,
        "history_length": int(history.lengths[0]),
        "lately_rated": _lately_rated(predictor.dataset, history),
        "data_until": until,
        "fallback": rows["Fallback"][0],
        "model_learned_from_later": not predictor.model.uses_only_past and moment <= until,
        "recommendations": rows.select(
            "Rank", MOVIE_ID, "Title", "Genres", "Year", "Score", "Fallback"
        ).to_dicts(),
    }


def _lately_rated(dataset: Dataset, history: Histories) -> list[dict[str, Any]]:
    """The latest few ratings of one history, newest first."""
    _, row = history.last(LATELY).rows()
    timeline = history.timeline
    rated = dataset.movies.select(MOVIE_ID, "Title")[timeline.movies[row].tolist()]
    lately: list[dict[str, Any]] = (
        rated.with_columns(pl.Series(RATING, timeline.ratings[row])).reverse().to_dicts()
    )
    return lately


def answer_table(found: Mapping[str, Any]) -> Table:
    """An answer for people."""
    made = table(
        f"What user {found[USER_ID]} should watch next, as of {format_timestamp(found[TIMESTAMP])}",
        "",
        "Movie",
        "Genres",
        MOVIE_ID,
        "Score",
        numbers=2,
    )
    for row in found["recommendations"]:
        made.add_row(
            str(row["Rank"]),
            _title(row),
            ", ".join(row["Genres"] or []),
            str(row[MOVIE_ID]),
            "" if row["Score"] is None else f"{row['Score']:.3f}",
        )
    made.caption = "\n".join(_notes(found))
    made.caption_justify = "left"
    return made


def _title(movie: Mapping[str, Any]) -> str:
    return movie["Title"] or f"movie {movie[MOVIE_ID]}"


def _notes(found: Mapping[str, Any]) -> list[str]:
    until = found["data_until"]
    notes = [
        f"From {number_of(found['history_length'], 'rating')} before that moment; "
        f"the data reach {format_timestamp(until)}."
    ]
    if found["lately_rated"]:
        lately = "; ".join(f"{_title(movie)}: {movie[RATING]:g}" for movie in found["lately_rated"])
        notes.append(f"Rated last, newest first: {lately}.")
    if found["fallback"] == "popularity":
        notes.append("Nothing is known of this user by then, so these are the movies that were popular.")
    elif found["model_learned_from_later"]:
        notes.append("The history stops there, but the model's weights were learned from later ratings too.")
    if any(row["Fallback"] == "list filled up" for row in found["recommendations"]):
        notes.append("Fewer movies were left than asked for; those without a score only fill the list.")
    return notes
