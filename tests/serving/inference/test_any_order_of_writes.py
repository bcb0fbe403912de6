"""Whatever is written, erased, added, deleted and restarted in any order: the store holds what it should, and no list
shows a deleted or a seen movie, over both databases."""

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from nextreel.errors import IdempotencyError, QueryError
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import NewInteraction, Outcome, Store
from tests.serving.inference.lists import scored_lists
from tests.serving.servers import LATE

USERS, OWN_MOVIES, NEW_MOVIES = range(1, 4), range(2, 6), range(9_001, 9_004)
ROWS = st.lists(
    st.builds(
        NewInteraction,
        st.sampled_from(USERS),
        st.sampled_from([*OWN_MOVIES, *NEW_MOVIES]),
        st.sampled_from([0.5, 3.0, 5.0]),
        st.integers(LATE - 3, LATE + 3),
    ),
    min_size=1,
    max_size=4,
)
KEYS = st.none() | st.sampled_from(["once", "twice"])


class Writes(RuleBasedStateMachine):
    """A service over a new store, and what its store should hold."""

    def __init__(self, model: Path, new_url: Callable[[], str]) -> None:
        super().__init__()
        self.store, self.versions = Store.open(new_url()), VersionDirectory.open(model)
        self.service = Service(self.store, self.versions)
        self.ratings: dict[tuple[int, int, int], float] = {}
        self.added: set[int] = set()
        self.deleted: set[int] = set()
        self.replies: dict[str, tuple[list[NewInteraction], list[Outcome] | None]] = {}
        """What was written under each key, and the outcomes; None once a user of it was erased."""

    def teardown(self) -> None:
        self.store.close()

    @rule(rows=ROWS, key=KEYS)
    def write(self, rows: list[NewInteraction], key: str | None) -> None:
        if any(row.movie_id not in self.listed for row in rows):
            with pytest.raises(QueryError, match="isn't in the catalog"):
                self.service.remember(rows, key)
            return
        written, outcomes = self.replies.get(key or "", ([], []))
        if outcomes is None or (written and written != rows):
            with pytest.raises(IdempotencyError):
                self.service.remember(rows, key)
            return
        if not written:
            outcomes = [self.expect(row) for row in rows]
            if key is not None:
                self.replies[key] = (rows, outcomes)
        assert self.service.remember(rows, key) == outcomes

    def expect(self, row: NewInteraction) -> Outcome:
        if row.event not in self.ratings:
            self.ratings[row.event] = row.rating
            return Outcome.ADDED
        return Outcome.KNOWN if self.ratings[row.event] == row.rating else Outcome.CONFLICT

    @property
    def listed(self) -> set[int]:
        return ({*OWN_MOVIES} | self.added) - self.deleted

    @rule(user=st.sampled_from(USERS))
    def erase(self, user: int) -> None:
        gone = [event for event in self.ratings if event[0] == user]
        assert self.service.erase(user).removed == len(gone)
        for event in gone:
            del self.ratings[event]
        for key, (rows, _) in self.replies.items():
            if any(row.user_id == user for row in rows):
                self.replies[key] = (rows, None)

    @rule(movie=st.sampled_from(NEW_MOVIES))
    def add_movie(self, movie: int) -> None:
        assert self.service.add_movie(movie, f"New {movie} (2001)", ["Drama"]) == (movie not in self.listed)
        self.added.add(movie)
        self.deleted.discard(movie)

    @rule(movie=st.sampled_from([*OWN_MOVIES, *NEW_MOVIES]))
    def delete_movie(self, movie: int) -> None:
        assert self.service.delete_movie(movie) == (movie in {*OWN_MOVIES} | self.added)
        if movie in {*OWN_MOVIES} | self.added:
            self.deleted.add(movie)

    @rule()
    def restart(self) -> None:
        queries = [RecommendationRequest(user, LATE + 9) for user in USERS]
        restarted = Engine.open(self.service.engine.version, self.store)
        assert scored_lists(restarted.recommend(queries)) == scored_lists(
            self.service.engine.recommend(queries)
        )
        self.service = Service(self.store, self.versions)

    @invariant()
    def the_store_holds_what_was_written(self) -> None:
        rows = self.store.histories(USERS).rows()
        assert {(user, movie, second): rating for user, movie, rating, second in rows} == self.ratings
        assert len(rows) == len(self.ratings)

    @invariant()
    def lists_show_neither_deleted_nor_seen_movies(self) -> None:
        for user in USERS:
            (result,) = self.service.engine.recommend([RecommendationRequest(user, LATE)])
            movies = {movie["movie_id"] for movie in result.movies}
            assert len(result.movies) == len(movies) == 10
            seen = {movie for who, movie, second in self.ratings if who == user and second < LATE}
            assert not movies & (self.deleted | seen)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Return a function that returns the URL of a new, empty store."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.db"
    postgres = request.getfixturevalue("postgres")
    return lambda: str(postgres.create_database(uuid.uuid4().hex))


@pytest.mark.hypothesis
def test_any_order_of_writes(model: Path, new_url: Callable[[], str]) -> None:
    few = settings(
        max_examples=settings().max_examples // 20,
        stateful_step_count=12,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(partial(Writes, model, new_url), settings=few)  # type: ignore[arg-type]
