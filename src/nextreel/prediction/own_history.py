"""A person's own history: the movies of an export, matched with a catalog, in the form in which models take histories.

Nothing of it is stored. A day is a time at last: the movies of one day are a second apart, from the first second of the
day on, in the order of their file. A question about now comes after all of them. A movie without a rating counts as
rated like the person's median movie or, if the person rated none, as liked.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from statistics import median
from typing import Self

import numpy as np
import polars as pl

from nextreel.arrays import Float32Array, Int32Array, Int64Array
from nextreel.data.data_format import ANY_FORMAT, DataFormat
from nextreel.data.dataset import Dataset
from nextreel.data.exports.chosen_movies import ChosenMovie, read_choices
from nextreel.data.exports.export_dates import DayOrder
from nextreel.data.exports.export_files import ExportFile, read_export_file
from nextreel.data.exports.export_reading import LISTED_PROBLEMS, read_export
from nextreel.data.exports.viewings import Export, Viewing
from nextreel.data.ids import IdKind, kind_of
from nextreel.data.rating_scale import WATCHED_RATING, RatingScale
from nextreel.data.schema import LARGEST_INTEGER, MOVIE_ID
from nextreel.data.timeline import Histories, Timeline
from nextreel.data.times import DAY, LATEST_TIMESTAMP, end_of_this_second
from nextreel.data.value_checks import parse_cell
from nextreel.errors import DataError, DataProblem
from nextreel.ranking.title_matching import MovieName, TitleMatch, TitleMatcher, title_key
from nextreel.stopping import stop_if_unwanted
from nextreel.wording import join_names, number_of

OWN_USER = LARGEST_INTEGER
"""UserID that stands for the person of a history of their own: no user of a data set has it."""


@dataclass(frozen=True)
class RatedAt:
    """A rating with its time."""

    rating: float
    """On the scale of the data set."""
    timestamp: int
    """POSIX seconds."""


@dataclass(frozen=True)
class UnmatchedFilm:
    """A movie of an export that couldn't be matched with the catalog for certain."""

    title: str
    """Title, or the id by which the export names it."""
    year: int | None
    reason: str
    candidates: tuple[int, ...]
    """Indices of movies of the catalog that may be meant."""
    viewings: tuple[RatedAt, ...]
    """When it was watched, and how it was rated."""


@dataclass(frozen=True)
class OwnHistory:
    """One person's own history, as movies of a catalog."""

    movies: Int32Array
    """int32[n]: index of each movie in the catalog."""
    ratings: Float32Array
    """float32[n]: ratings on the scale of the data set."""
    timestamps: Int64Array
    """int64[n]: POSIX seconds, ascending."""
    scale: RatingScale
    """What the ratings mean."""
    forms: tuple[str, ...] = ()
    """Names of the forms that the files have, such as "Letterboxd diary"."""
    matched_by: Mapping[str, int] = field(default_factory=dict)
    """Number of movies that were matched, by what they were matched by."""
    n_unrated: int = 0
    """Number of matched movies without a rating."""
    unmatched: tuple[UnmatchedFilm, ...] = ()
    """Movies that weren't matched, in the order of time."""
    n_episodes: int = 0
    """Number of rows left out as episodes, series, or no movies otherwise."""
    problems: tuple[DataProblem, ...] = ()
    """The first rows that were left out because something is wrong with them."""
    n_problems: int = 0
    """Number of rows that were left out because something is wrong with them."""
    notes: tuple[str, ...] = ()
    """Sentences about what was accepted or left out."""

    @property
    def n_matched(self) -> int:
        """Number of movies that were matched."""
        return sum(self.matched_by.values())

    @property
    def n_films(self) -> int:
        """Number of movies in the export."""
        return self.n_matched + len(self.unmatched)

    @property
    def now(self) -> int:
        """Timestamp of a question about now, POSIX seconds: it comes after everything in the history."""
        last = int(self.timestamps[-1]) + 1 if len(self.timestamps) else 0
        return min(max(end_of_this_second(), last), LATEST_TIMESTAMP)

    def __repr__(self) -> str:
        matched = f"{self.n_matched:,} of {number_of(self.n_films, 'film')} matched"
        return f"OwnHistory({', '.join([matched, *self.forms])})"

    def as_of(self, timestamps: Int64Array) -> Histories:
        """Return the history as of each timestamp, int64[n_queries], in POSIX seconds."""
        users = np.zeros(len(self.movies), dtype=np.int64)
        timeline = Timeline.from_rows(
            users, self.movies, self.ratings, self.timestamps, np.array([OWN_USER]), self.scale
        )
        return timeline.as_of(np.full(len(timestamps), OWN_USER), timestamps)

    def describe(self) -> list[str]:
        """Return sentences that say what was matched, and what wasn't."""
        by = join_names([f"{count:,} by {name}" for name, count in self.matched_by.items()])
        sentences = [
            f"{join_names(self.forms) or 'History'}: {self.n_matched:,} of {number_of(self.n_films, 'film')} matched"
            f"{f' ({by})' if by else ''}."
        ]
        if self.n_unrated:
            sentences.append(
                f"{number_of(self.n_unrated, 'film has', 'films have')} no rating and count as rated like your median "
                "film, or as liked if you rated none."
            )
        if self.n_episodes:
            sentences.append(f"{number_of(self.n_episodes, 'row')} of series and episodes left out.")
        if self.n_problems:
            sentences.append(
                f"{number_of(self.n_problems, 'row')} left out because something is wrong with them."
            )
        return [*sentences, *self.notes]


def join_histories(histories: Sequence[OwnHistory], timestamp: int) -> Histories:
    """Return the histories of several people, each as of one timestamp in POSIX seconds."""
    people = np.arange(len(histories))
    timeline = Timeline.from_rows(
        np.repeat(people, [len(own.movies) for own in histories]),
        np.concatenate([own.movies for own in histories]),
        np.concatenate([own.ratings for own in histories]),
        np.concatenate([own.timestamps for own in histories]),
        people,
        histories[0].scale,
    )
    return timeline.as_of(people, np.full(len(histories), timestamp))


@dataclass(frozen=True)
class HistoryReader:
    """Reads exports and matches them with one catalog."""

    matcher: TitleMatcher
    scale: RatingScale
    movie_kind: IdKind
    """Whether the catalog's MovieIDs are numbers or texts."""

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return the reader for the catalog of a data set."""
        return cls.of_catalog(dataset.movies, dataset.links, dataset.scale)

    @classmethod
    def of_catalog(cls, movies: pl.DataFrame, links: pl.DataFrame, scale: RatingScale) -> Self:
        """Return the reader for a catalog, frames as `Dataset.movies` and `Dataset.links`."""
        return cls(TitleMatcher.of(movies, links), scale, kind_of(movies[MOVIE_ID]))

    def read_path(
        self,
        path: str | PathLike[str],
        matches: str | PathLike[str] | None = None,
        columns: DataFormat = ANY_FORMAT,
        dates: DayOrder | None = None,
    ) -> OwnHistory:
        """Read an export from a file; `matches` is a file of choices. Raises DataError as `read` does."""
        choices = None if matches is None else read_export_file(Path(matches))
        return self.read(read_export_file(Path(path)), choices, columns, dates)

    def read(
        self,
        file: ExportFile,
        choices: ExportFile | None = None,
        columns: DataFormat = ANY_FORMAT,
        dates: DayOrder | None = None,
    ) -> OwnHistory:
        """Read an export and match it.

        Parameters
        ----------
        file : ExportFile
            A CSV file or a zip, in memory.
        choices : ExportFile, optional
            A file that says which movies some titles mean, see `chosen_movies`.
        columns : DataFormat
            Names of the columns of the file, if they aren't usual ones.
        dates : "day-first" or "month-first", optional
            How dates such as 3/4/21 are written, if the file doesn't show it.

        Raises
        ------
        DataError
            The file is no export, or too large; or a choice is wrong.
        """
        chosen = {} if choices is None else self._index_choices(choices, read_choices(choices))
        now = end_of_this_second()
        return self._match(read_export(file, now, columns, dates), chosen, now)

    def _match(
        self, export: Export, chosen: dict[tuple[str, int | None], int | None], now: int
    ) -> OwnHistory:
        problems = [problem for v in export.viewings if (problem := self._find_off_scale(v)) is not None]
        off_scale = {(problem.file, problem.line) for problem in problems}
        viewings = [v for v in export.viewings if (v.file, v.line) not in off_scale]
        times = set_times(viewings, now)
        usual = self._usual_rating(viewings)
        by_film: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for row, viewing in enumerate(viewings):
            by_film[viewing.film].append(row)
        matched: dict[int, tuple[str, list[int]]] = {}
        unmatched: list[UnmatchedFilm] = []
        n_skipped = 0
        for rows in by_film.values():
            stop_if_unwanted()
            match = self._find(viewings[rows[0]], chosen)
            if match is None:
                n_skipped += 1
            elif match.movie is None:
                given = tuple(RatedAt(self._rating(viewings[row], usual), times[row]) for row in rows)
                unmatched.append(_describe_unmatched(viewings[rows[0]], match, given))
            else:
                matched.setdefault(match.movie, (match.reason, []))[1].extend(rows)
        kept = sorted(
            (row, movie) for movie, (_, rows) in matched.items() for row in _one_a_day(rows, viewings, times)
        )
        order = sorted(range(len(kept)), key=lambda i: times[kept[i][0]])
        rows, movies = [kept[i][0] for i in order], [kept[i][1] for i in order]
        notes = [*export.notes]
        if n_skipped:
            notes.append(f"{number_of(n_skipped, 'film')} left out as your file of matches says.")
        return OwnHistory(
            np.array(movies, dtype=np.int32),
            np.array([self._rating(viewings[row], usual) for row in rows], dtype=np.float32),
            np.array([times[row] for row in rows], dtype=np.int64),
            self.scale,
            export.forms,
            dict(Counter(reason for reason, _ in matched.values()).most_common()),
            sum(not any(viewings[row].is_rated for row in rows) for _, rows in matched.values())
            if self.scale.rated
            else 0,
            tuple(unmatched),
            export.n_episodes,
            (*export.problems, *problems)[:LISTED_PROBLEMS],
            export.n_problems + len(problems),
            tuple(notes),
        )

    def _find(self, viewing: Viewing, chosen: dict[tuple[str, int | None], int | None]) -> TitleMatch | None:
        """Return what a viewing's movie was matched with; None if the person says that it is none of the catalog's."""
        if chosen and viewing.title is not None:
            key = title_key(viewing.title)
            for choice in ((key, viewing.year), (key, None)):
                if choice in chosen:
                    movie = chosen[choice]
                    return None if movie is None else TitleMatch(movie, "your file of matches")
        movie_id = None
        if viewing.movie_id is not None:
            try:
                movie_id = parse_cell("text id" if self.movie_kind == "text" else "id", viewing.movie_id)
            except ValueError:
                movie_id = None
        return self.matcher.match(
            MovieName(
                viewing.title,
                viewing.year,
                viewing.original_title,
                viewing.imdb_id,
                movie_id if isinstance(movie_id, int | str) else None,
            )
        )

    def _index_choices(
        self, file: ExportFile, choices: Sequence[ChosenMovie]
    ) -> dict[tuple[str, int | None], int | None]:
        """Return the index of each chosen movie by key and year of the title; DataError if the catalog lacks one."""
        index_of = {str(movie_id): index for index, movie_id in enumerate(self.matcher.movie_ids)}
        chosen: dict[tuple[str, int | None], int | None] = {}
        for choice in choices:
            if choice.movie_id is not None and choice.movie_id not in index_of:
                message = f"the catalog has no movie {choice.movie_id}"
                raise DataError([DataProblem(file.name, choice.line, MOVIE_ID, message)])
            key = title_key(choice.title), choice.year
            chosen[key] = None if choice.movie_id is None else index_of[choice.movie_id]
        return chosen

    def _find_off_scale(self, viewing: Viewing) -> DataProblem | None:
        rating, scale = viewing.rating, self.scale
        if rating is None or not scale.rated or scale.lowest <= rating <= scale.highest:
            return None
        message = (
            f"{rating:g} is not a rating from {scale.lowest:g} to {scale.highest:g}, the scale of the data"
        )
        return DataProblem(viewing.file, viewing.line, "Rating", message)

    def _usual_rating(self, viewings: Sequence[Viewing]) -> float:
        """Return what a movie without a rating counts as."""
        rated = [self._rating(viewing, 0.0) for viewing in viewings if viewing.is_rated]
        return median(rated) if rated else self.scale.liked_from

    def _rating(self, viewing: Viewing, usual: float) -> float:
        """Return the rating of a viewing on the scale of the data."""
        if not self.scale.rated:
            return WATCHED_RATING
        if viewing.stars is not None:
            return self.scale.from_stars(viewing.stars)
        return usual if viewing.rating is None else viewing.rating


def set_times(viewings: Sequence[Viewing], now: int) -> list[int]:
    """Return POSIX seconds for viewings in the order of time: those of one day are a second apart.

    Viewings without a time come last: just after the latest known time or, without any, just before `now`, so that no
    question about the past takes them for older than they are.
    """
    n_known = sum(viewing.time is not None for viewing in viewings)
    times: list[int] = []
    places: Counter[int] = Counter()
    for viewing in viewings[:n_known]:
        assert viewing.time is not None
        start = viewing.time.timestamp
        times.append(start + (places[start] if viewing.time.is_day else 0))
        places[start] += viewing.time.is_day
    n_unknown = len(viewings) - n_known
    first = max(times) + 1 if times else now - n_unknown
    return [*times, *range(first, first + n_unknown)]


def _one_a_day(rows: Sequence[int], viewings: Sequence[Viewing], times: Sequence[int]) -> list[int]:
    """Return the rows of one movie, of each day only one: the first with a rating, or else the first."""
    of_day: dict[int, int] = {}
    for row in sorted(rows, key=lambda row: (not viewings[row].is_rated, row)):
        of_day.setdefault(times[row] // DAY, row)
    return list(of_day.values())


def _describe_unmatched(viewing: Viewing, match: TitleMatch, given: tuple[RatedAt, ...]) -> UnmatchedFilm:
    name = viewing.title or viewing.movie_id or f"tt{viewing.imdb_id:07}"
    return UnmatchedFilm(name, viewing.year, match.reason, match.candidates, given)
