"""A ranking is what the rules say, computed for one query after the other."""

from dataclasses import replace
from datetime import UTC, datetime
from threading import Event

import numpy as np
import polars as pl
import pytest

from nextreel.arrays import BoolArray, Int64Array
from nextreel.data.dataset import Dataset
from nextreel.data.timeline import Histories
from nextreel.errors import NotFittedError, QueryError
from nextreel.models.item_knn import ItemKNN
from nextreel.ranking import ranker as ranker_module
from nextreel.ranking.ranker import Ranker, Ranking, find_released_at
from nextreel.stopping import StoppedError, stoppable
from nextreel.testing.conformance import tiny_dataset

DATASET = tiny_dataset()
RANKER = replace(
    Ranker.of(ItemKNN().fit(DATASET), DATASET),
    released_at=np.random.default_rng(3).integers(0, 9_000_000, size=DATASET.n_movies),
)
USERS = np.array([7, 9_999, 0, 14, 9_998, 21, 28])
TIMESTAMPS = np.array([6_000_000, 5_000_000, 4_000_000, 8_000_000, 1, 3_000_000, 7_000_000])
HISTORIES = DATASET.histories(USERS, TIMESTAMPS)
MASKS = np.random.default_rng(4).random((len(USERS), DATASET.n_movies)) < 0.7


def rank_plainly(k: int, exclude_seen: bool, allowed: BoolArray | None) -> Ranking:
    rows = []
    for query, timestamp in enumerate(TIMESTAMPS):
        history, asked = HISTORIES[np.array([query])], TIMESTAMPS[[query]]
        knows = bool(RANKER.model.knows(history)[0])
        scores = (RANKER.model if knows else RANKER.popularity).score(history, asked)[0].copy()
        seen = set(history.timeline.movies[history.starts[0] : history.stops[0]].tolist())
        for movie in range(DATASET.n_movies):
            is_out = RANKER.released_at[movie] <= timestamp
            is_allowed = allowed is None or (allowed[query, movie] if allowed.ndim == 2 else allowed[movie])
            if not is_out or not is_allowed or (exclude_seen and movie in seen):
                scores[movie] = -np.inf
        best = np.argsort(-scores, kind="stable")[:k]
        rows.append((best, scores[best], knows))
    movies, best_scores, personal = (np.array(column) for column in zip(*rows, strict=True))
    return Ranking(movies, best_scores, personal)


def assert_equal(found: Ranking, expected: Ranking) -> None:
    np.testing.assert_array_equal(found.movies, expected.movies)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    np.testing.assert_array_equal(found.personal, expected.personal)


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("allowed", [None, MASKS[0], MASKS], ids=["all", "one mask", "a mask a query"])
def test_a_ranking_is_what_the_rules_say(exclude_seen: bool, allowed: BoolArray | None) -> None:
    found = RANKER.rank(HISTORIES, TIMESTAMPS, 12, exclude_seen, allowed)
    assert_equal(found, rank_plainly(12, exclude_seen, allowed))
    assert found.personal.any()
    assert not found.personal.all()


def test_by_default_ten_movies_are_listed_and_none_that_was_seen() -> None:
    assert_equal(RANKER.rank(HISTORIES, TIMESTAMPS), rank_plainly(10, True, None))


IN_ORDER_OF_TIME = HISTORIES.lengths[np.argsort(TIMESTAMPS)].cumsum().tolist()


@pytest.mark.parametrize(
    ("scores", "rows"),
    [
        *((size * DATASET.n_movies, 10**9) for size in (1, 2, 3)),
        (1, 10**9),
        *((10**9, rows + more) for rows in IN_ORDER_OF_TIME for more in (-1, 0, 1) if rows + more > 0),
    ],
)
def test_batches_are_bounded_hold_each_query_once_and_change_nothing(
    scores: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = RANKER.rank(HISTORIES, TIMESTAMPS, 5)
    monkeypatch.setattr(ranker_module, "SCORES_AT_ONCE", scores)
    monkeypatch.setattr(ranker_module, "ROWS_AT_ONCE", rows)
    batches = list(RANKER._batches(HISTORIES, TIMESTAMPS))
    assert np.concatenate(batches).tolist() == np.argsort(TIMESTAMPS).tolist()
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        with_next = np.append(batch, [] if following is None else following[:1]).astype(np.int64)
        for queries, fits in ((batch, True), (with_next, following is None)):
            of_limits = (
                len(queries) <= max(1, scores // DATASET.n_movies),
                HISTORIES.lengths[queries].sum() <= rows,
            )
            assert all(of_limits) == fits or (fits and len(queries) == 1), "as large as the limits allow"
    assert_equal(RANKER.rank(HISTORIES, TIMESTAMPS, 5), expected)


@pytest.mark.parametrize(
    ("threads", "fewest", "sizes"),
    [(1, 2, [7]), (2, 2, [4, 3]), (3, 2, [3, 3, 1]), (3, 5, [5, 2]), (9, 7, [7])],
)
def test_queries_are_divided_among_threads_but_not_into_small_batches(
    threads: int, fewest: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranker_module, "FEWEST_QUERIES", fewest)
    monkeypatch.setattr(ranker_module, "usable_threads", lambda: threads)
    assert [len(batch) for batch in RANKER._batches(HISTORIES, TIMESTAMPS)] == sizes


@pytest.mark.parametrize("batches", [1, 7])
def test_a_ranking_that_nobody_waits_for_is_not_made(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranker_module, "SCORES_AT_ONCE", len(USERS) // batches * DATASET.n_movies)
    stop = Event()
    stop.set()
    with stoppable(stop), pytest.raises(StoppedError):
        RANKER.rank(HISTORIES, TIMESTAMPS)


@pytest.mark.parametrize("k", [0, -1, DATASET.n_movies + 1, True, 2.0, "3", None])
def test_k_is_a_whole_number_from_one_to_the_number_of_movies(k: object) -> None:
    with pytest.raises(QueryError) as raised:
        RANKER.rank(HISTORIES, TIMESTAMPS, k)  # type: ignore[arg-type]
    n_movies = DATASET.n_movies
    expected = (
        f"k is {k!r}; the catalog has {n_movies} movies, so expected a whole number from 1 to {n_movies}"
    )
    assert str(raised.value) == expected


@pytest.mark.parametrize("k", [1, DATASET.n_movies, np.int64(3)])
def test_any_k_in_between_is_the_length_of_the_lists(k: int) -> None:
    assert RANKER.rank(HISTORIES, TIMESTAMPS, k).movies.shape == (len(USERS), k)


def test_a_model_of_another_catalog_is_refused() -> None:
    other = replace(RANKER, released_at=np.append(RANKER.released_at, 0))
    message = "the model scores 60 movies and the catalog has 61: the model was fitted on another catalog"
    with pytest.raises(QueryError, match=message):
        other.rank(HISTORIES, TIMESTAMPS)


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(NotFittedError):
        Ranker.of(ItemKNN(), DATASET)


def test_no_query_has_no_list() -> None:
    none: Int64Array = np.empty(0, dtype=np.int64)
    histories: Histories = HISTORIES[none]
    assert RANKER.rank(histories, none, 4).movies.shape == (0, 4)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_a_movie_is_out_from_its_year_on_or_from_the_second_after_its_first_rating() -> None:
    rated = seconds("1999-06-01T12:00:00")
    titles = ["Early (2000)", "Rated (2000)", "Unrated (2000)", "Yearless", "Yearless and rated"]
    dataset = Dataset.from_frames(
        pl.DataFrame(
            {
                "UserID": [1, 2, 1, 1, 1],
                "MovieID": [1, 1, 2, 5, 4],
                "Rating": [4.0] * 5,
                "Timestamp": [rated, rated + 5, seconds("2001-01-01"), rated, rated],
            }
        ),
        pl.DataFrame({"MovieID": [1, 2, 3, 4, 5], "Title": titles}),
    )
    found = find_released_at(dataset.timeline, dataset.movies).tolist()
    assert found[:3] == [rated + 1, seconds("2000-01-01"), seconds("2000-01-01")]
    assert max(found[3:]) < 0, "always"
    everybody = replace(Ranker.of(ItemKNN().fit(dataset), dataset), released_at=np.array(found))
    asked = np.array([rated, rated + 1])
    ranking = everybody.rank(dataset.histories(np.array([3, 3]), asked), asked, 5)
    assert [
        sorted(movies[np.isfinite(scores)])
        for movies, scores in zip(ranking.movies, ranking.scores, strict=True)
    ] == [
        [3, 4],
        [0, 3, 4],
    ]
