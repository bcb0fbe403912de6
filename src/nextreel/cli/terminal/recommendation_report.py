"""The recommendations for one query, with what a person wants to know beside them, as JSON and as a table."""

from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import polars as pl
from pydantic import JsonValue

from nextreel.cli.terminal.console import table
from nextreel.cli.terminal.fitting_table import FittingTable
from nextreel.data.dataset import Dataset
from nextreel.data.ids import Id, encode_ids
from nextreel.data.schema import MOVIE_ID, TIMESTAMP, USER_ID
from nextreel.data.timeline import Histories
from nextreel.data.times import format_timestamp
from nextreel.prediction.own_history import OwnHistory
from nextreel.prediction.predictor import Predictor
from nextreel.wording import number_of

SHOWN_RATINGS = 3
"""Number of the user's latest ratings that are shown: enough to recognise a taste at a glance."""


@dataclass(frozen=True)
class LatelyRatedMovie:
    """One of the movies that the user rated last; fields are named as in the JSON output."""

    MovieID: Id
    Title: str | None
    Rating: float


@dataclass(frozen=True)
class RecommendedMovie:
    """A recommended movie; fields are named as in the JSON output."""

    Rank: int
    MovieID: Id
    Title: str | None
    Genres: list[str] | None
    Year: int | None
    Score: float | None
    """The model's score; None for a movie that only fills up a list for which too few movies were left."""
    Fallback: str | None
    """Why the model itself didn't recommend the movie: "popularity" or "list filled up"; None if it did."""


@dataclass(frozen=True)
class RecommendationReport:
    """The recommendations for one query and what they are based on."""

    user_id: Id | None
    """UserID; None for a person's own history."""
    timestamp: int
    """Time for which the movies are recommended, POSIX seconds."""
    history_length: int
    """Number of the user's ratings strictly before the timestamp."""
    lately_rated: list[LatelyRatedMovie]
    """The user's latest ratings before the timestamp, newest first."""
    data_until: int
    """Time of the latest interaction in the data, POSIX seconds."""
    fallback: str | None
    """`Fallback` of the first recommended movie: "popularity" if the model doesn't know the user."""
    model_learned_from_later: bool
    """Whether the model's weights were also learned from interactions at or after the timestamp."""
    recommendations: list[RecommendedMovie]
    """The recommended movies, best first."""
    rated: bool = True
    """Whether the data have ratings; without them, `lately_rated` holds what the user watched last."""

    @classmethod
    def of(cls, predictor: Predictor, user_id: Id, timestamp: int, k: int, exclude_seen: bool) -> Self:
        """Recommend k movies for one query and report on them; raises QueryError as `Predictor.recommend` does."""
        query = pl.DataFrame({USER_ID: [user_id], TIMESTAMP: [timestamp]})
        history = predictor.dataset.histories(encode_ids(query[USER_ID]), query[TIMESTAMP].to_numpy())
        return cls._of_list(predictor, user_id, history, predictor.recommend(query, k, exclude_seen))

    @classmethod
    def of_history(
        cls, predictor: Predictor, own: OwnHistory, timestamp: int, k: int, exclude_seen: bool
    ) -> Self:
        """Recommend k movies for a person's own history and report on them; raises QueryError as `of` does."""
        recommended = predictor.recommend(history=own, k=k, exclude_seen=exclude_seen, at=timestamp)
        return cls._of_list(predictor, None, own.as_of(np.array([timestamp])), recommended)

    @classmethod
    def _of_list(
        cls, predictor: Predictor, user_id: Id | None, history: Histories, recommended: pl.DataFrame
    ) -> Self:
        dataset, timestamp = predictor.dataset, int(history.as_of[0])
        described = recommended.join(dataset.movies, on=MOVIE_ID, how="left", maintain_order="left")
        rows = described.select("Rank", MOVIE_ID, "Title", "Genres", "Year", "Score", "Fallback")
        data_until = int(dataset.timeline.timestamps.max())
        return cls(
            user_id=user_id,
            timestamp=timestamp,
            history_length=int(history.lengths[0]),
            lately_rated=_list_latest(dataset, history),
            data_until=data_until,
            fallback=recommended["Fallback"][0],
            model_learned_from_later=not predictor.model.uses_only_past and timestamp <= data_until,
            recommendations=[RecommendedMovie(**row) for row in rows.iter_rows(named=True)],
            rated=dataset.scale.rated,
        )

    def to_json(self) -> dict[str, JsonValue]:
        """Return the report as `nextreel recommend --json` prints it."""
        fields = asdict(self)
        del fields["rated"]  # only for the words of the table
        user_id = fields.pop("user_id")
        return {
            **({} if user_id is None else {USER_ID: user_id}),
            TIMESTAMP: fields.pop("timestamp"),
            **fields,
        }

    def to_table(self, show_scores: bool = False) -> FittingTable:
        """Return the report as a table with notes below it, on request with the scores, whose unit is the model's."""
        who = "you" if self.user_id is None else f"user {self.user_id}"
        title = f"What {who} should watch next, as of {format_timestamp(self.timestamp)}"
        columns = ["", "Movie", "Genres", MOVIE_ID, *(["Score"] if show_scores else [])]
        report = table(title, *columns, numbers=len(columns) - 3)
        for movie in self.recommendations:
            cells = [str(movie.Rank), _show_title(movie), ", ".join(movie.Genres or []), str(movie.MovieID)]
            score = "" if movie.Score is None else f"{movie.Score:.3f}"
            report.add_row(*cells, *([score] if show_scores else []))
        report.notes = self._notes()
        return report

    def _notes(self) -> list[str]:
        what = "rating" if self.rated else "event"
        notes = [
            f"Based on {number_of(self.history_length, what)} before that time; "
            f"the data end at {format_timestamp(self.data_until)}."
        ]
        if self.lately_rated and not self.rated:
            notes.append(f"Watched last, newest first: {'; '.join(map(_show_title, self.lately_rated))}.")
        elif self.lately_rated:
            ratings = "; ".join(f"{_show_title(movie)}: {movie.Rating:g}" for movie in self.lately_rated)
            notes.append(f"Latest ratings, newest first: {ratings}.")
        if self.fallback == "popularity":
            whom = "you" if self.user_id is None else "this user"
            notes.append(f"Nothing was known of {whom} then, so these are the movies that were popular.")
        elif self.model_learned_from_later:
            notes.append(f"The history ends at that time, but the model was fitted on later {what}s too.")
        fillers = sum(movie.Fallback == "list filled up" for movie in self.recommendations)
        if fillers:
            last = f"the last {fillers} only fill" if fillers > 1 else "the last one only fills"
            notes.append(f"Too few movies were left to recommend; {last} up the list.")
        return notes


def _list_latest(dataset: Dataset, history: Histories) -> list[LatelyRatedMovie]:
    """Return the latest few ratings of one history, newest first."""
    _, rows = history.last(SHOWN_RATINGS).rows()
    timeline = history.timeline
    rated = dataset.movies[timeline.movies[rows].tolist()]
    ratings = timeline.ratings[rows].tolist()
    return [
        LatelyRatedMovie(movie_id, title, rating)
        for movie_id, title, rating in zip(rated[MOVIE_ID], rated["Title"], ratings, strict=True)
    ][::-1]


def _show_title(movie: LatelyRatedMovie | RecommendedMovie) -> str:
    untitled = f"movie {movie.MovieID}" if isinstance(movie.MovieID, int) else movie.MovieID
    return movie.Title or untitled
