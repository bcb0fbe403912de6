"""People's own histories on a server: read from an export and matched with the catalog as it is now; not stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nextreel.data.exports.export_dates import DayOrder
from nextreel.data.exports.export_files import ExportFile
from nextreel.data.ids import Id
from nextreel.prediction.own_history import HistoryReader, OwnHistory, UnmatchedFilm
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.storage.store import NewInteraction

COST_OF_AN_EXPORT = 200
"""Cost (see `request_cost`) of reading an export: the largest takes some seconds on one processor."""


@dataclass(frozen=True)
class MatchedHistory:
    """A history that was read from an export, with the movies as the server shows them."""

    own: OwnHistory
    movie_ids: tuple[Id, ...]
    """MovieID of each row of the history."""
    candidates: tuple[tuple[MovieCard, ...], ...]
    """For each unmatched film, the movies that may be meant."""

    @classmethod
    def of(cls, own: OwnHistory, reader: HistoryReader, catalog: Catalog) -> Self:
        """Replace the indices of a reader's movies by MovieIDs and cards."""
        movie_ids = reader.matcher.movie_ids
        card_of = {card["movie_id"]: card for card in catalog.cards}
        return cls(
            own,
            tuple(movie_ids[index] for index in own.movies.tolist()),
            tuple(tuple(card_of[movie_ids[index]] for index in film.candidates) for film in own.unmatched),
        )

    @property
    def unmatched(self) -> Sequence[tuple[UnmatchedFilm, tuple[MovieCard, ...]]]:
        """Each unmatched film with its candidates."""
        return list(zip(self.own.unmatched, self.candidates, strict=True))

    def rows(self, user_id: Id) -> tuple[NewInteraction, ...]:
        """Return the history as rows of a user, in the order of time."""
        return tuple(
            NewInteraction(user_id, movie_id, rating, timestamp)
            for movie_id, rating, timestamp in zip(
                self.movie_ids, self.own.ratings.tolist(), self.own.timestamps.tolist(), strict=True
            )
        )


def read_own_history(engine: Engine, file: ExportFile, dates: DayOrder | None) -> MatchedHistory:
    """Read an export and match it with the movies of the catalog that aren't deleted.

    Raises
    ------
    DataError
        The file is no export, or too large.
    StoreError
        The store can't be read.
    """
    reader, catalog = engine.history_reader()
    return MatchedHistory.of(reader.read(file, dates=dates), reader, catalog)
