"""What an export says: when a person watched which movies, and how they rated them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from nextreel.data.exports.export_dates import ExportTime
from nextreel.errors import DataProblem


@dataclass(frozen=True)
class Viewing:
    """One time that a person watched or rated a movie, as a row of an export says."""

    file: str
    line: int
    """Line of the file on which the row begins, counted from 1."""
    title: str | None = None
    year: int | None = None
    original_title: str | None = None
    imdb_id: int | None = None
    movie_id: str | None = None
    """MovieID as the file has it."""
    stars: float | None = None
    """The rating in stars, 0.5 to 5; None if there is none, or it is on another scale."""
    rating: float | None = None
    """The rating on the scale of the data set; None if there is none, or it is in stars."""
    time: ExportTime | None = None
    """When it was; None if the file doesn't say."""

    @property
    def is_rated(self) -> bool:
        """Whether the person rated the movie."""
        return self.stars is not None or self.rating is not None

    @property
    def film(self) -> tuple[object, ...]:
        """What is the same for all rows of one movie."""
        if self.title is None:
            return self.imdb_id, self.movie_id
        return self.title.casefold(), self.year, self.imdb_id


@dataclass(frozen=True)
class Export:
    """Everything that was read from one person's export."""

    viewings: tuple[Viewing, ...]
    """In the order of time, those of one day in the order of their file; those without a time are last."""
    forms: tuple[str, ...]
    """Names of the forms that the files have."""
    n_episodes: int = 0
    """Number of rows that were left out because they are episodes, series, or no movie otherwise."""
    problems: tuple[DataProblem, ...] = ()
    """What is wrong with rows that were left out: those with which reading stopped to list them aren't in it."""
    n_problems: int = 0
    """Number of rows that were left out because something is wrong with them."""
    notes: tuple[str, ...] = ()
    """Sentences about what was accepted or left out."""


def merge_letterboxd(
    diary: Iterable[Viewing], ratings: Iterable[Viewing], watched: Iterable[Viewing]
) -> list[Viewing]:
    """Merge the files of one Letterboxd export, in which a movie may be in several.

    What is in the diary has its dates, once for every day; a movie that was only rated or only marked as watched has
    the date of that. A viewing without a rating of its own has the rating of the movie.
    """
    rating_of = {viewing.film: viewing for viewing in ratings}
    days: dict[tuple[object, ...], dict[ExportTime | None, Viewing]] = defaultdict(dict)
    for viewing in diary:
        known = days[viewing.film].get(viewing.time)
        if known is None or not known.is_rated:
            days[viewing.film][viewing.time] = (
                viewing if known is None else replace(known, stars=viewing.stars)
            )
    merged = [
        replace(viewing, stars=rating_of[film].stars)
        if not viewing.is_rated and film in rating_of
        else viewing
        for film, of_film in days.items()
        for viewing in of_film.values()
    ]
    merged += [viewing for film, viewing in rating_of.items() if film not in days]
    marked = {viewing.film: viewing for viewing in watched}
    merged += [viewing for film, viewing in marked.items() if film not in days and film not in rating_of]
    return merged
