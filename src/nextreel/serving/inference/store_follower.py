"""Keeping the snapshot of one server process current with the store.

Before every query, one small SQL query tells whether the store has anything new: the greatest ids of interactions, of
erasures and of deletions of movies, and the number of added movies. Several processes on one store therefore agree: an
interaction that was acknowledged by any of them counts in the next query of every other.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import sqlalchemy as sa

from nextreel.arrays import Int64Array
from nextreel.data.ids import Id
from nextreel.data.rating_scale import STARS, RatingScale
from nextreel.data.schema import INTERACTIONS
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.known_rows import KnownRows
from nextreel.serving.inference.snapshot import Snapshot, StorePosition, UnsortedInteractions
from nextreel.serving.storage.interaction_rows import read_users_until
from nextreel.serving.storage.people.erasure_log import match_hidden, read_log
from nextreel.serving.storage.sql_tables import erasures, interactions, movie_changes, movies
from nextreel.serving.storage.store import Store
from nextreel.serving.storage.text_ids import read_texts

MERGE_FROM_INTERACTIONS, MERGE_FROM_SHARE = 5_000, 0.01
"""The recent interactions are merged into the sorted base of the snapshot once both limits are reached.

The limits are their number and their share of the base. A merge sorts everything: with a share of 1 %, the work per
arriving interaction stays constant as the store grows.
"""

_POSITION = sa.select(
    sa.select(sa.func.max(interactions.c.id)).scalar_subquery(),
    sa.select(sa.func.max(erasures.c.id)).scalar_subquery(),
    sa.select(sa.func.count()).select_from(movies).scalar_subquery(),
    sa.select(sa.func.max(movie_changes.c.id)).scalar_subquery(),
)
_NO_ROWS = pl.DataFrame(schema=INTERACTIONS.schema)


class StoreFollower:
    """Holds the latest snapshot of a store and updates it on request; safe to share between threads."""

    def __init__(
        self, store: Store, catalog: Catalog, scale: RatingScale = STARS, known: KnownRows | None = None
    ) -> None:
        """Read the store, or only what it has beyond the `known` rows."""
        self._store = store
        self._update_lock = threading.Lock()
        position = self._read_position()
        if known is None:
            last_id, frame = store.everything()
            catalog = self._read_movies(catalog)
            timeline = UnsortedInteractions.of(frame, catalog).to_timeline(scale)
            self._snapshot = Snapshot.of(timeline, catalog, replace(position, interaction=last_id))
            return
        catalog = self._read_movies(catalog)
        known_position = replace(position, interaction=known.last_id, erasure=known.last_erasure)
        snapshot = Snapshot.of(known.timeline, catalog, known_position)
        if known.before is not None:
            later = UnsortedInteractions.of(store.later(known.before, known.last_id), catalog)
            snapshot = snapshot.extended_by(later, catalog, known_position)
        self._snapshot = self._read_changes(snapshot, position)
        self.merge_if_due()

    @property
    def last_snapshot(self) -> Snapshot:
        """The snapshot of the last `catch_up`; getting it doesn't read the store."""
        return self._snapshot

    def decode_users(self, codes: Sequence[int]) -> dict[int, Id]:
        """Return the UserID of each of these codes, without users who were erased; numbers stand for themselves.

        Raises StoreError if the store can't be read.
        """
        if self._store.data_format.user_ids != "text":
            return {code: code for code in codes}
        with self._store.reading() as connection:
            return {**read_texts(connection, "user", codes)}

    def catch_up(self) -> Snapshot:
        """Return a snapshot of what the store holds now. Raises StoreError if the store can't be read."""
        if self._read_position() == self._snapshot.position:
            return self._snapshot
        with self._update_lock:
            position = self._read_position()
            if position != self._snapshot.position:
                self._snapshot = self._read_changes(self._snapshot, position)
            return self._snapshot

    def forget_erased(self) -> None:
        """Catch up if somebody was erased, so that no process holds them until its next query.

        Raises StoreError if the store can't be read.
        """
        if self._read_position().erasure != self._snapshot.position.erasure:
            self.catch_up()

    def merge_if_due(self) -> None:
        """Merge the recent interactions into the sorted base if they are many (see MERGE_FROM_SHARE).

        Queries are served meanwhile.
        """
        snapshot = self._snapshot
        if len(snapshot.recent) < max(
            MERGE_FROM_INTERACTIONS, MERGE_FROM_SHARE * len(snapshot.base.timeline)
        ):
            return
        merged = snapshot.merged()
        with self._update_lock:
            current = self._snapshot
            if current.base is snapshot.base:
                recent = current.recent[len(snapshot.recent) :]
                self._snapshot = replace(current, base=merged.base, recent=recent)

    def lag(self) -> int:
        """Return how many interactions arrived in the store since the last snapshot, by the difference of ids.

        Raises StoreError if the store can't be read.
        """
        return max(0, self._read_position().interaction - self._snapshot.position.interaction)

    def _read_changes(self, snapshot: Snapshot, position: StorePosition) -> Snapshot:
        catalog, last_id, frame = snapshot.catalog, snapshot.position.interaction, _NO_ROWS
        if position.interaction > last_id:
            last_id, frame = self._store.since(last_id)
        changed = (position.movies, position.movie_change)
        # Movies are read after the interactions, which may be of a movie that was added since the position was read.
        if changed != (snapshot.position.movies, snapshot.position.movie_change) or not catalog.has_all(
            frame
        ):
            catalog = self._read_movies(catalog)
        new = UnsortedInteractions.of(frame, catalog)
        position = replace(position, interaction=last_id)
        extended = snapshot.extended_by(new, catalog, position)
        if position.erasure == snapshot.position.erasure:
            return extended
        erased, remaining = self._read_erasures(extended.users, snapshot.position, position)
        rated_since = UnsortedInteractions.of(remaining, catalog)
        return extended.without_users(erased).extended_by(rated_since, catalog, position)

    def _read_position(self) -> StorePosition:
        with self._store.reading() as connection:
            interaction, erasure, n_movies, movie_change = connection.execute(_POSITION).one()
        return StorePosition(interaction or 0, erasure or 0, n_movies, movie_change or 0)

    def _read_movies(self, catalog: Catalog) -> Catalog:
        """Return the catalog with the movies that are added and deleted now, the same one if nothing has changed."""
        changed = catalog.with_added(self._store.movies(), self._store.deleted_movies())
        return catalog if changed.equals(catalog) else changed

    def _read_erasures(
        self, users: Int64Array, start: StorePosition, stop: StorePosition
    ) -> tuple[Int64Array, pl.DataFrame]:
        """Return who of `users` was erased between two positions, and their interactions since their erasure."""
        with self._store.reading() as connection:
            log = read_log(connection, start.erasure, stop.erasure)
        erased = match_hidden(self._store.id_hider, users, [entry.hidden_id for entry in log])
        with self._store.reading() as connection:
            rows = read_users_until(connection, erased.tolist(), stop.interaction)
        return erased, rows
