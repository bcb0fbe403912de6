"""The forms in which sites export a person's history, each recognised by the header of its file, never by its name.

IMDb changed its header in 2017 and once more in 2024, and all three are read. A file of any other header is read if it
names movies, by the names of columns that data sets are read by, or by those that `--columns` gives.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nextreel.data.data_format import DataFormat
from nextreel.data.frames import find_columns
from nextreel.data.schema import HISTORY, IMDB_ID, MOVIE_ID, RATING, TIMESTAMP, USER_ID, YEAR

NOT_LETTERS = re.compile(r"[\W_]+")
NOT_A_MOVIE = re.compile(r"ser|epis|folge|podcast|game|musicvideo", re.IGNORECASE)
"""What the types of IMDb have in common that are no movies: series and episodes of all kinds, in several languages."""
SEASON = re.compile(
    r":\s*(?:(?:season|series|staffel|saison|temporada|stagione|seizoen|säsong|sæson|sesong|sezon|kausi|part|teil|"
    r"partie|parte|chapter|volume|book|collection|episode|episodio|épisode|folge|シーズン|시즌|сезон)\s*\d+|"
    r"limited series|miniseries|mini-series|miniserie)\s*(?::|$)",
    re.IGNORECASE,
)
"""What stands between the title of a series and that of its episode in Netflix' history, such as ": Season 1:"."""


@dataclass(frozen=True, eq=False)
class ExportForm:
    """A form of export: which columns hold what."""

    name: str
    """Name of the form, for people."""
    roles: Mapping[str, tuple[str, ...]]
    """For each thing that is read, the columns that may hold it, the first that isn't empty: names without all but
    letters and digits, in lower case."""
    needs: frozenset[str] = frozenset()
    """Columns by which the form is recognised."""
    has_only: bool = False
    """Whether a header with more columns is of another form."""
    per_star: float | None = 1.0
    """What a star is worth in its ratings; None for ratings on the scale of the data set."""
    rated_only: bool = False
    """Whether a row without a rating is a movie that wasn't watched."""

    def fits(self, header: Sequence[str]) -> bool:
        """Return whether a file with this header, as `plain_names` returns it, has the form."""
        return self.needs <= set(header) and (len(header) == len(self.needs) or not self.has_only)


def _letterboxd(name: str, needs: Sequence[str], *times: str) -> ExportForm:
    roles = {"title": ("name",), "year": ("year",), "rating": ("rating",), "time": times}
    return ExportForm(f"Letterboxd {name}", roles, frozenset({"letterboxduri", "name", *needs}))


def _imdb(name: str, rating: str, time: str) -> ExportForm:
    roles = {
        "imdb": ("const",),
        "title": ("title",),
        "original title": ("originaltitle",),
        "year": ("year",),
        "rating": (rating,),
        "time": (time,),
        "type": ("titletype",),
    }
    return ExportForm(name, roles, frozenset({"const", rating}), per_star=2.0, rated_only=True)


DIARY = _letterboxd("diary", ["watcheddate"], "watcheddate", "date")
RATINGS = _letterboxd("ratings", ["rating"], "date")
WATCHED = _letterboxd("watched films", [], "date")
LETTERBOXD = (DIARY, RATINGS, WATCHED)
IMDB = _imdb("IMDb ratings", "yourrating", "daterated")
OLD_IMDB = _imdb("IMDb ratings, as until 2017", "yourated", "created")
IMDB_FORMS = (IMDB, OLD_IMDB)
NETFLIX = ExportForm(
    "Netflix viewing history",
    {"title": ("title",), "time": ("date",)},
    frozenset({"title", "date"}),
    has_only=True,
)
MOVIELENS = ExportForm(
    "MovieLens ratings",
    {"movie": ("movieid",), "imdb": ("imdbid",), "title": ("title",), "rating": ("rating",)},
    frozenset({"movieid", "imdbid", "rating", "averagerating"}),
)
FORMS = (*LETTERBOXD, *IMDB_FORMS, NETFLIX, MOVIELENS)
"""The known forms, each before those with fewer columns."""
EXPECTED = (
    "expected the header of an export of Letterboxd, IMDb, Netflix or MovieLens, or columns that name movies "
    "(MovieID, ImdbID, or Title and Year)"
)
ROLE_OF_COLUMN = {
    USER_ID: "user",
    MOVIE_ID: "movie",
    "Title": "title",
    YEAR.name: "year",
    IMDB_ID.name: "imdb",
    RATING: "rating",
    TIMESTAMP: "time",
}


@dataclass(frozen=True, eq=False)
class FoundForm:
    """The form of a file, and where its columns are."""

    form: ExportForm
    positions: Mapping[str, tuple[int, ...]]
    """For each role, the positions of the columns that may hold it."""
    header: tuple[str, ...] = field(repr=False, default=())

    def cell(self, cells: Sequence[str], role: str) -> str:
        """Return what a row says of a role, without blanks around it; empty if it says nothing."""
        return next((text for i in self.positions.get(role, ()) if (text := cells[i].strip())), "")

    def column(self, role: str) -> str | None:
        """Return the file's name for the first column of a role, None if it has none."""
        positions = self.positions.get(role, ())
        return self.header[positions[0]] if positions else None


def plain_names(header: Sequence[str]) -> list[str]:
    """Return the names of columns as forms are recognised by them."""
    return [NOT_LETTERS.sub("", name).lower() for name in header]


def find_known_form(header: Sequence[str]) -> FoundForm | None:
    """Return the form of a known site that a header has, None if it has another."""
    names = plain_names(header)
    form = next((form for form in FORMS if form.fits(names)), None)
    if form is None:
        return None
    positions = {
        role: tuple(names.index(name) for name in columns if name in names)
        for role, columns in form.roles.items()
    }
    return FoundForm(form, positions, tuple(header))


def find_any_form(header: Sequence[str], format_: DataFormat) -> FoundForm | None:
    """Return the form of any other header that names movies; None if it doesn't.

    Raises DataError if two columns may be meant by one name, or a column that the caller names isn't there.
    """
    found = find_columns(header, HISTORY, format_)
    roles = {ROLE_OF_COLUMN[ours]: (list(header).index(name),) for ours, name in found.sources.items()}
    names_movies = roles.keys() & {"movie", "imdb"} or "title" in format_.columns
    if not (names_movies or ("title" in roles and roles.keys() & {"year", "rating", "time"})):
        return None
    name = "MovieLens ratings" if {"user", "movie", "rating", "time"} <= roles.keys() else "CSV"
    return FoundForm(ExportForm(name, {}, per_star=None), roles, tuple(header))
