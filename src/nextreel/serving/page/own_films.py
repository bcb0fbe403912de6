"""Your own films: exports of one or two people, which only the page holds, and the list that follows from them.

The server keeps nothing between two requests: what was read comes back with the form, in hidden fields, and is checked
as anything else that a visitor sends.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from nextreel.data.exports.export_dates import DayOrder
from nextreel.data.exports.export_files import ExportFile
from nextreel.data.ids import Id
from nextreel.data.schema import LARGEST_INTEGER
from nextreel.data.times import LATEST_TIMESTAMP, end_of_this_second
from nextreel.errors import DataError, QueryError
from nextreel.ranking.joint_lists import JointRule
from nextreel.serving.http.form_data import FormData
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import JointRequest, JointResult
from nextreel.serving.inference.movie_cards import MovieCard, ScoredMovie
from nextreel.serving.inference.own_histories import MatchedHistory, read_own_history
from nextreel.serving.inference.service import Service
from nextreel.serving.page.history_strip import LIST_LENGTH
from nextreel.serving.page.new_user import NEW_USER_ID
from nextreel.serving.page.posters import Poster
from nextreel.serving.page.rendering import View
from nextreel.serving.storage.store import NewInteraction

MOST_PEOPLE = 2
SHOWN_UNMATCHED = 12
"""Number of unmatched films of a person that are shown at a time; the next follow when some are settled."""
SHOWN_NEWEST = 6
"""Number of matched films that are shown, the newest."""
SHOWN_REASONS = 2
"""Number of films that are named as the reason for a movie, for each person."""
FOUND = 6
"""Number of movies that a search for an unmatched film finds at most."""
NAMES = ("You", "They")
PLACE = re.compile(r"[0-9]{1,6}")
OPTIONS = ConfigDict(extra="forbid", frozen=True)
Seconds = Annotated[int, Field(ge=0, le=LATEST_TIMESTAMP)]
HeldId = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | Annotated[str, Field(min_length=1, max_length=255)]


class OpenFilm(BaseModel):
    """A film that isn't matched yet, as the form holds it."""

    model_config = OPTIONS
    title: Annotated[str, Field(max_length=600)]
    year: Annotated[int, Field(ge=0, le=9999)] | None
    reason: Annotated[str, Field(max_length=300)]
    candidates: Annotated[list[HeldId], Field(max_length=10)]
    given: Annotated[list[tuple[FiniteFloat, Seconds]], Field(max_length=50_000)]
    """Rating and time of each viewing."""


class HeldHistory(BaseModel):
    """One person's films as the form holds them."""

    model_config = OPTIONS
    rows: Annotated[list[tuple[HeldId, FiniteFloat, Seconds]], Field(max_length=50_000)]
    """MovieID, rating and time of each viewing, in the order of time."""
    open: Annotated[list[OpenFilm], Field(max_length=50_000)]
    notes: Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=200)]

    @classmethod
    def of(cls, matched: MatchedHistory) -> "HeldHistory":
        """Return what the form holds of a history that was read."""
        return cls(
            rows=[(row.movie_id, row.rating, row.timestamp) for row in matched.rows(NEW_USER_ID)],
            open=[
                OpenFilm(
                    title=film.title,
                    year=film.year,
                    reason=film.reason,
                    candidates=[card["movie_id"] for card in candidates],
                    given=[(given.rating, given.timestamp) for given in film.viewings],
                )
                for film, candidates in matched.unmatched
            ],
            notes=matched.own.describe(),
        )

    def settle(self, index: int, movie_id: Id | None) -> "HeldHistory":
        """Return the history with an open film matched with a movie, or left out; as it is if there is no such film."""
        if not 0 <= index < len(self.open):
            return self
        film = self.open[index]
        added = [] if movie_id is None else [(movie_id, rating, second) for rating, second in film.given]
        rows = sorted([*self.rows, *added], key=lambda row: row[2])
        return self.model_copy(update={"rows": rows, "open": self.open[:index] + self.open[index + 1 :]})

    def to_rows(self, user_id: Id, engine: Engine) -> tuple[NewInteraction, ...]:
        """Return the history as rows of a user, whose ratings lie on the scale of the data."""
        scale = engine.scale
        return tuple(
            NewInteraction(user_id, movie_id, min(max(rating, scale.lowest), scale.highest), timestamp)
            for movie_id, rating, timestamp in self.rows
        )


@dataclass(frozen=True)
class ShownFilm:
    """An open film as the page shows it."""

    index: int
    film: OpenFilm
    choices: list[MovieCard]
    """Movies that may be meant, or that a search found."""
    searched: str | None
    """What was searched for; None if nothing was."""


@dataclass(frozen=True)
class ShownPerson:
    """One person's films as the page shows them."""

    name: str
    held: str
    """The films as the form holds them, JSON."""
    notes: list[str]
    n_films: int
    newest: list[MovieCard]
    open: list[ShownFilm]
    n_open: int


@dataclass(frozen=True)
class JointMovie:
    """A movie of the list as the page shows it."""

    movie: ScoredMovie
    poster: Poster
    rank: int
    suits: list[tuple[str, int, list[str]]]
    """For each person: name, among how many percent of the movies, the best for them, it is, and what speaks for it."""


@dataclass(frozen=True)
class OwnFilmsView(View):
    """The people's films and their list."""

    people: list[ShownPerson]
    movies: list[JointMovie]
    rule: JointRule
    problem: str | None = None
    """What is wrong with the file that was sent; None if nothing is."""
    kept_as: Id | None = None
    """UserID under which the films were stored just now."""
    unknown: bool = False
    """Whether the model knows nobody of the people, so that the list is what is popular."""


NOTHING = OwnFilmsView([], [], "mean")


@dataclass(frozen=True)
class Sent:
    """What a visitor sent with the form."""

    people: list[HeldHistory]
    rule: JointRule
    searched: tuple[int, int, str] | None = None
    """Person and film that were searched for, and the text."""
    problem: str | None = None


def answer_form(service: Service, form: FormData) -> OwnFilmsView:
    """Do what the visitor asked for, and show the result.

    Raises QueryError if a field is none that the page has sent.
    """
    engine = service.engine
    sent = _read_form(engine, form)
    return _show(engine, sent)


def keep(service: Service, form: FormData) -> OwnFilmsView:
    """Store the films of the first person as those of a new user, and show the UserID.

    Raises QueryError if there are no films, StoreError if the store can't be written.
    """
    engine = service.engine
    sent = _read_form(engine, form)
    if not sent.people or not sent.people[0].rows:
        raise QueryError("there are no films to keep")
    user_id: Id = secrets.randbelow(2**52) + 2**52
    if engine.format.user_ids == "text":
        user_id = f"films-{secrets.token_hex(8)}"
    service.remember(sent.people[0].to_rows(user_id, engine))
    return OwnFilmsView([], [], sent.rule, kept_as=user_id)


def _read_form(engine: Engine, form: FormData) -> Sent:
    rule: JointRule = "least-misery" if form.get("rule") == "least-misery" else "mean"
    people = [_read_person(engine, text) for text in form.fields.get("person", [])[:MOST_PEOPLE]]
    if leaving := form.get("leave"):
        people = [held for number, held in enumerate(people) if str(number) != leaving]
    for action, has_movie in (("take", True), ("skip", False)):
        if place := form.get(action):
            person, film, movie_id = _read_place(engine, place, has_movie)
            if person < len(people):
                people[person] = people[person].settle(film, movie_id)
    searched = None
    if place := form.get("find") or _find_typed(form) or "":
        person, film, _ = _read_place(engine, place, has_movie=False)
        searched = person, film, form.get(f"q-{person}-{film}").strip()[:200]
    problem = None
    uploaded = form.files.get("file")
    if uploaded is not None and len(people) < MOST_PEOPLE:
        dates: DayOrder | None = None
        if form.get("dates") in ("day-first", "month-first"):
            dates = "day-first" if form.get("dates") == "day-first" else "month-first"
        try:
            file = ExportFile(uploaded.name or "your file", uploaded.data)
            people.append(HeldHistory.of(read_own_history(engine, file, dates)))
        except DataError as error:
            problem = str(error).replace("--dates ", "")
    return Sent(people, rule, searched, problem)


def _find_typed(form: FormData) -> str | None:
    """Return the film whose search field has a text, such as "0-3": Enter in the field presses no button of its own."""
    if form.get("take") or form.get("skip"):
        return None
    typed = (name for name, values in form.fields.items() if name.startswith("q-") and values[0].strip())
    return next((name.removeprefix("q-") for name in typed), None)


def _read_person(engine: Engine, text: str) -> HeldHistory:
    try:
        held = HeldHistory.model_validate_json(text)
    except ValidationError:
        raise QueryError("the films of this page can't be read any more: choose your file again") from None
    kind = str if engine.format.movie_ids == "text" else int
    if not all(isinstance(movie_id, kind) for movie_id, _, _ in held.rows):
        raise QueryError("the films of this page can't be read any more: choose your file again")
    return held


def _read_place(engine: Engine, text: str, has_movie: bool) -> tuple[int, int, Id | None]:
    """Return the person, the film and the MovieID that a button names, such as "0-3-260"."""
    person, _, rest = text.partition("-")
    film, _, movie = rest.partition("-")
    if not (PLACE.fullmatch(person) and PLACE.fullmatch(film)):
        raise QueryError("this button isn't one of the page's")
    movie_id: Id | None = None
    if has_movie:
        if engine.format.movie_ids == "text":
            movie_id = movie
        elif movie.isascii() and movie.isdecimal() and len(movie) < 19:
            movie_id = int(movie)
        if movie_id is None or engine.movies.find(movie_id) is None:
            raise QueryError("this movie isn't in the catalog")
    return int(person), int(film), movie_id


def _show(engine: Engine, sent: Sent) -> OwnFilmsView:
    people = [
        _show_person(engine, number, held, len(sent.people), sent.searched)
        for number, held in enumerate(sent.people)
    ]
    if not people:
        return OwnFilmsView([], [], sent.rule, sent.problem)
    histories = tuple(held.to_rows(NEW_USER_ID, engine) for held in sent.people)
    last = max((row.timestamp for rows in histories for row in rows), default=0)
    timestamp = min(max(end_of_this_second(), last + 1), LATEST_TIMESTAMP)
    request = JointRequest(histories, timestamp, LIST_LENGTH, sent.rule, explain=True)
    result = engine.recommend_together(request)
    names = [person.name for person in people]
    return OwnFilmsView(
        people, _show_list(result, names), sent.rule, sent.problem, unknown=not any(result.personal)
    )


def _show_person(
    engine: Engine, number: int, held: HeldHistory, n_people: int, searched: tuple[int, int, str] | None
) -> ShownPerson:
    newest = [engine.movies.find(movie_id) for movie_id, _, _ in held.rows[-SHOWN_NEWEST:][::-1]]
    wanted = searched[1] if searched is not None and searched[0] == number else None
    text = "" if searched is None else searched[2]
    shown = list(range(min(SHOWN_UNMATCHED, len(held.open))))
    return ShownPerson(
        NAMES[number] if n_people > 1 else NAMES[0],
        held.model_dump_json(),
        held.notes,
        len({movie_id for movie_id, _, _ in held.rows}),
        [movie for movie in newest if movie is not None],
        [_show_film(engine, index, held.open[index], text if index == wanted else None) for index in shown],
        len(held.open),
    )


def _show_film(engine: Engine, index: int, film: OpenFilm, searched: str | None) -> ShownFilm:
    if searched:
        return ShownFilm(index, film, [*engine.movies.search(searched, FOUND)], searched)
    found = [engine.movies.find(movie_id) for movie_id in film.candidates]
    return ShownFilm(index, film, [movie for movie in found if movie is not None], None)


def _show_list(result: JointResult, names: Sequence[str]) -> list[JointMovie]:
    reasons = result.reasons or []
    return [
        JointMovie(
            movie,
            Poster.of(movie),
            rank,
            [
                (
                    name,
                    max(1, ceil(100 - percentile)),
                    [
                        reason["title"] or f"movie {reason['movie_id']}"
                        for reason in of_person
                        if reason["contribution"] > 0
                    ][:SHOWN_REASONS],
                )
                for name, percentile, of_person in zip(names, percentiles, of_movie, strict=True)
            ],
        )
        for rank, (movie, percentiles, of_movie) in enumerate(
            zip(result.movies, result.percentiles, reasons, strict=True), start=1
        )
    ]
