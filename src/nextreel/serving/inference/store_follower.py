"""Keeping a process's snapshot of the store current."""

import threading
from dataclasses import replace

import numpy as np
import polars as pl
import sqlalchemy as sa

from nextreel.arrays import Int64Array
from nextreel.data.schema import INTERACTIONS
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.snapshot import Rows, Snapshot, StorePosition, _fold
from nextreel.serving.storage.sql_tables import erasures, interactions, movies
from nextreel.serving.storage.store import Store


class StoreFollower:
    """Follows the store; safe to share by threads."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._turn = threading.Lock()
        mark = self._read_mark()
        if mark.movies:
            catalog = catalog.with_added(store.movies())
        last_id, frame = store.everything()
        timeline = Rows.of(frame, catalog).to_timeline()
        self._snapshot = _fold(timeline, catalog, replace(mark, interaction=last_id))

    @property
    def last_snapshot(self) -> Snapshot:
        """As of the last answer, without a look at the store."""
        return self._snapshot

    def catch_up(self) -> Snapshot:
        """What the store holds now; StoreError if it can't be asked."""
        if self._read_mark() == self._snapshot.mark:
            return self._snapshot
        with self._turn:
            mark = self._read_mark()
            if mark != self._snapshot.mark:
                self._snapshot = self._follow(self._snapshot, mark)
            return self._snapshot

    def fold_if_due(self) -> None:
        """Fold what came since into the bulk once it is much; answers go on meanwhile."""
        before = self._snapshot
        if len(before.recent) < max(FEWEST_TO_FOLD, SHARE_TO_FOLD * len(before.bulk.timeline)):
            return
        folded = before.folded()
        with self._turn:
            now = self._snapshot
            if now.bulk is before.bulk:
                self._snapshot = replace(now, bulk=folded.bulk, recent=now.recent[len(before.recent) :])

    def lag(self) -> int:
        """Interactions in the store that the last answer didn't know."""
        return max(0, self._read_mark().interaction - self._snapshot.mark.interaction)

    def _follow(self, snapshot: Snapshot, mark: StorePosition) -> Snapshot:
        catalog, last_id, rows = snapshot.catalog, snapshot.mark.interaction, Rows.none()
        if mark.movies != snapshot.mark.movies:
            catalog = catalog.with_added(self._store.movies())
        if mark.interaction > last_id:
            last_id, frame = self._store.since(last_id)
            rows = Rows.of(frame, catalog)
        mark = replace(mark, interaction=last_id)
        followed = snapshot.followed_by(rows, catalog, mark)
        if mark.erasure == snapshot.mark.erasure:
            return followed
        erased, remaining = self._read_erased(snapshot.mark, mark)
        return followed.without_users(erased).followed_by(Rows.of(remaining, catalog), catalog, mark)

    def _read_mark(self) -> StorePosition:
        with self._store.reading() as connection:
            interaction, erasure, added = connection.execute(_MARK).one()
        return StorePosition(interaction or 0, erasure or 0, added)

    def _read_erased(self, before: StorePosition, now: StorePosition) -> tuple[Int64Array, pl.DataFrame]:
        """Who was erased between two marks, and what they have rated after they came back."""
        erased = sa.select(erasures.c.user_id).where(
            erasures.c.id > before.erasure, erasures.c.id <= now.erasure
        )
        since = (
            sa.select(
                interactions.c.user_id,
                interactions.c.movie_id,
                interactions.c.rating,
                interactions.c.timestamp,
            )
            .where(interactions.c.user_id.in_(erased), interactions.c.id <= now.interaction)
            .order_by(interactions.c.id)
        )
        with self._store.reading() as connection:
            users = connection.execute(erased).scalars().all()
            rows = [tuple(row) for row in connection.execute(since)]
        return np.array(users, dtype=np.int64), pl.DataFrame(rows, schema=INTERACTIONS.schema, orient="row")


_MARK = sa.select(
    sa.select(sa.func.max(interactions.c.id)).scalar_subquery(),
    sa.select(sa.func.max(erasures.c.id)).scalar_subquery(),
    sa.select(sa.func.count()).select_from(movies).scalar_subquery(),
)


FEWEST_TO_FOLD, SHARE_TO_FOLD = 5_000, 0.01
"""Rows that came since, in number and as a share of the bulk, from which on they are folded into it."""
