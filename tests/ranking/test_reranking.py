import itertools
from threading import Event

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextreel.arrays import Float32Array
from nextreel.data.dataset import Dataset
from nextreel.data.schema import MOVIE_ID
from nextreel.data.timeline import Histories
from nextreel.errors import QueryError
from nextreel.ranking import reranking
from nextreel.ranking.genres import divergence, liked_genres, share_genres, variety
from nextreel.ranking.ranker import Ranking
from nextreel.ranking.reranking import rerank
from nextreel.stopping import StoppedError, stoppable
from tests.frames import interactions

LATER = np.array([1_000])
MOVIES = pl.DataFrame(
    {
        MOVIE_ID: range(7),
        "Title": [f"Movie {i}" for i in range(7)],
        "Genres": ["Drama", "Drama", "Drama", "Comedy", "Comedy|Drama", "War", ""],
    }
)
DATASET = Dataset.from_frames(
    interactions((1, 3, 5, 10), (1, 5, 4, 11), (1, 0, 2, 12), (2, 0, 3, 10), (3, 0, 5, 10)), MOVIES
)
GENRES = share_genres(DATASET.movies)
COMEDY, DRAMA, WAR = range(3)


def history(user_id: int) -> Histories:
    return DATASET.histories(np.array([user_id]), LATER)


def candidates(*movies_and_scores: tuple[int, float]) -> Ranking:
    """One query's, best first."""
    movies, scores = zip(*movies_and_scores, strict=True)
    return Ranking(np.array([movies], dtype=np.int32), np.array([scores], dtype=np.float32), np.array([True]))


THREE_DRAMAS_FIRST = candidates((0, 9.0), (1, 8.0), (2, 7.0), (3, 6.0), (5, 1.0))


def test_a_movie_divides_one_share_among_its_genres() -> None:
    np.testing.assert_array_equal(GENRES[[0, 4, 6]], [[0, 1, 0], [0.5, 0.5, 0], [0, 0, 0]])


def test_without_either_strength_the_first_candidates_stay() -> None:
    assert rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3).movies.tolist() == [[0, 1, 2]]


def test_diversity_puts_a_movie_of_another_genre_second() -> None:
    assert rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, diversity=0.4).movies.tolist() == [[0, 3, 1]]


def test_full_diversity_starts_with_the_best_and_takes_one_of_each_genre_in_turn() -> None:
    assert rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, diversity=1).movies.tolist() == [[0, 3, 5]]


def test_full_calibration_takes_the_genres_in_the_shares_that_were_liked() -> None:
    chosen = rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 2, calibration=1).movies[0]
    assert sorted(chosen) == [3, 5]


def test_a_user_who_likes_one_genre_keeps_a_list_of_that_genre() -> None:
    assert rerank(THREE_DRAMAS_FIRST, GENRES, history(3), 3, calibration=0.5).movies.tolist() == [[0, 1, 2]]


def test_a_user_who_has_liked_nothing_is_not_calibrated() -> None:
    assert rerank(THREE_DRAMAS_FIRST, GENRES, history(2), 3, calibration=0.5).movies.tolist() == [[0, 1, 2]]


def test_the_scores_stay_those_of_the_model() -> None:
    ranking = rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, diversity=0.4)
    assert ranking.scores.tolist() == [[9.0, 6.0, 8.0]]


@pytest.mark.parametrize("strengths", [{"diversity": 1.0}, {"calibration": 1.0}, {"diversity": 0.2}])
def test_movies_that_fill_a_list_up_come_last(strengths: dict[str, float]) -> None:
    ranking = candidates((0, 2.0), (1, 1.0), (3, -np.inf), (5, -np.inf))
    assert rerank(ranking, GENRES, history(1), 4, **strengths).movies[0, :2].tolist() == [0, 1]


def test_equal_scores_keep_their_order() -> None:
    ranking = candidates((2, 1.0), (0, 1.0), (1, 1.0))
    assert rerank(ranking, GENRES, history(1), 3, diversity=0.3).movies.tolist() == [[2, 0, 1]]


@pytest.mark.parametrize(
    "strengths",
    [
        {"diversity": -0.1},
        {"calibration": 1.1},
        {"diversity": 0.6, "calibration": 0.5},
        {"diversity": np.nan},
    ],
)
def test_strengths_out_of_range_are_refused(strengths: dict[str, float]) -> None:
    with pytest.raises(QueryError, match="expected numbers from 0, together at most 1"):
        rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, **strengths)


def test_more_than_the_candidates_is_refused() -> None:
    with pytest.raises(QueryError, match="k is 6; there are 5 candidates"):
        rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 6)


def test_only_what_was_liked_counts_as_the_users_genres() -> None:
    np.testing.assert_array_equal(liked_genres(history(1), GENRES), [[0.5, 0, 0.5]])


def test_a_list_with_the_users_genres_has_no_divergence() -> None:
    liked = np.array([0.25, 0.75], dtype=np.float32)
    assert divergence(liked, np.array([1, 3], dtype=np.float32)) == pytest.approx(0, abs=1e-6)


def test_a_list_without_any_of_the_users_genres_has_the_divergence_log_100() -> None:
    liked, listed = np.array([1, 0], dtype=np.float32), np.array([0, 1], dtype=np.float32)
    assert divergence(liked, listed) == pytest.approx(np.log(100), rel=1e-5)


def test_variety_is_0_for_one_genre_and_1_for_a_different_one_of_every_movie() -> None:
    assert variety(GENRES[[[0, 1, 2], [0, 3, 5]]]).tolist() == [0, 1]


def test_a_movie_without_genres_is_unlike_every_other() -> None:
    assert variety(GENRES[[[0, 6]]]).tolist() == [1]


def worth(
    i: int,
    chosen: list[int],
    scores: Float32Array,
    genres: Float32Array,
    liked: Float32Array,
    d: float,
    c: float,
) -> float:
    """The module's formula, word for word."""
    low, high = scores.min(), scores.max()
    lengths = np.linalg.norm(genres, axis=1)
    s = (scores[i] - low) / (high - low) if high > low else 0.0
    cosines = [genres[i] @ genres[j] / max(lengths[i] * lengths[j], 1e-9) for j in chosen]
    listed = genres[[*chosen, i]].sum(axis=0)
    q = 0.99 * listed / max(listed.sum(), 1e-9) + 0.01 * liked
    kl = sum(p * np.log(p / q[genre]) for genre, p in enumerate(liked) if p > 0)
    return float((1 - d - c) * s - d * max(cosines, default=0.0) - c * kl)


@given(
    arrays(np.float32, 6, elements=st.integers(0, 40).map(float)),
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=6, max_size=6),
    st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.25, 0.25), (0.9, 0.0), (0.0, 0.9)]),
)
def test_every_movie_of_a_list_maximises_the_formula_among_those_left(
    scores: Float32Array, has_genre: list[list[bool]], strengths: tuple[float, float]
) -> None:
    genres = np.array(has_genre, dtype=np.float32)
    genres /= np.maximum(genres.sum(axis=1, keepdims=True), 1)
    scores = -np.sort(-scores)
    ranking = Ranking(np.arange(6, dtype=np.int32)[None], scores[None], np.array([True]))
    rows = interactions((1, 0, 5, 10), (1, 1, 4, 11))
    histories = Dataset.from_frames(rows, MOVIES).histories(np.array([1]), LATER)
    liked = liked_genres(histories, genres)[0]
    chosen = rerank(ranking, genres, histories, 6, *strengths).movies[0].tolist()
    for place, movie in enumerate(chosen):
        worths = [worth(i, chosen[:place], scores, genres, liked, *strengths) for i in chosen[place:]]
        assert worths[0] >= max(worths) - 1e-5, f"{movie} in place {place}"


@given(
    arrays(np.float32, (3, 7), elements=st.sampled_from([-np.inf, 0.0, 1.0, 2.5, 7.0])),
    st.integers(1, 7),
    st.floats(0, 0.5, width=32),
    st.floats(0, 0.5, width=32),
)
def test_a_batch_gives_each_query_k_of_its_candidates_as_if_it_came_alone(
    scores: Float32Array, k: int, diversity: float, calibration: float
) -> None:
    order = np.argsort(-scores, axis=1, kind="stable")
    ranking = Ranking(
        order.astype(np.int32), np.take_along_axis(scores, order, axis=1), np.ones(3, dtype=np.bool_)
    )
    histories = DATASET.histories(np.array([1, 2, 3]), np.repeat(LATER, 3))
    together = rerank(ranking, GENRES, histories, k, diversity, calibration)
    for query, movies in enumerate(together.movies):
        one = slice(query, query + 1)
        alone = Ranking(ranking.movies[one], ranking.scores[one], ranking.personal[one])
        single = rerank(alone, GENRES, histories[one], k, diversity, calibration)
        assert single.movies[0].tolist() == movies.tolist()
        assert len(set(movies.tolist())) == k
        np.testing.assert_array_equal(together.scores[query], scores[query, movies])


def test_more_calibration_brings_a_list_nearer_to_what_the_user_liked() -> None:
    divergences = [
        divergence(
            liked_genres(history(1), GENRES)[0],
            GENRES[rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, calibration=c).movies[0]].sum(axis=0),
        )
        for c in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    assert all(after <= before + 1e-6 for before, after in itertools.pairwise(divergences))
    assert divergences[-1] < divergences[0]


@given(st.data())
def test_long_lists_are_the_same_whether_candidates_or_their_genres_are_compared(data: st.DataObject) -> None:
    has_genre = data.draw(arrays(np.bool_, (130, 4)))
    genres = has_genre / np.maximum(has_genre.sum(axis=1, keepdims=True), 1)
    scores = data.draw(arrays(np.float32, (9, 120), elements=st.sampled_from([-np.inf, 0.0, 1.0, 2.5, 7.0])))
    candidates = np.stack([np.random.default_rng(query).permutation(130)[:120] for query in range(9)])
    value = -np.sort(-scores, axis=1)
    value[np.isneginf(value)] = reranking.FILLER_VALUE
    liked = np.eye(4, dtype=np.float32)[np.arange(9) % 4]
    diversity, calibration = data.draw(st.sampled_from([(0.3, 0.0), (0.0, 0.3), (0.25, 0.25), (1.0, 0.0)]))
    arguments = (
        candidates.astype(np.int32),
        value.astype(np.float32),
        genres.astype(np.float32),
        liked,
        data.draw(st.integers(1, 120)),
        diversity,
        calibration,
    )
    np.testing.assert_array_equal(reranking._choose_by_genres(*arguments), reranking._choose(*arguments))


def test_a_list_that_nobody_waits_for_any_more_is_not_finished() -> None:
    stop = Event()
    stop.set()
    with stoppable(stop), pytest.raises(StoppedError):
        rerank(THREE_DRAMAS_FIRST, GENRES, history(1), 3, diversity=0.4)
