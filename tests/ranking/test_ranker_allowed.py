import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextreel.models.popularity import Popularity
from nextreel.ranking.ranker import Ranker, Ranking
from nextreel.testing.conformance import tiny_dataset

DATASET = tiny_dataset()
RANKER = Ranker.of(Popularity().fit(DATASET), DATASET)
USERS, TIMESTAMPS = np.array([0, 7, 14]), np.array([4_000_000, 5_000_000, 6_000_000])


def rank(k: int, allowed: npt.NDArray[np.bool_] | None = None) -> Ranking:
    return RANKER.rank(DATASET.histories(USERS, TIMESTAMPS), TIMESTAMPS, k, allowed=allowed)


def allow(*movies: int) -> npt.NDArray[np.bool_]:
    return np.isin(np.arange(DATASET.n_movies), movies)


def recommended(ranking: Ranking, query: int) -> list[int]:
    """The movies that were recommended, without those that fill the list up."""
    finite: list[int] = ranking.movies[query][np.isfinite(ranking.scores[query])].tolist()
    return finite


def test_one_mask_narrows_the_catalog_for_every_query() -> None:
    allowed = allow(*range(0, 60, 2))
    assert (rank(5, allowed).movies % 2 == 0).all()


def test_a_mask_for_one_query_narrows_the_catalog_for_that_query_alone() -> None:
    everything, nothing = np.ones(60, dtype=np.bool_), np.zeros(60, dtype=np.bool_)
    ranking, free = rank(5, np.stack([everything, nothing, everything])), rank(5)
    assert recommended(ranking, 1) == []
    np.testing.assert_array_equal(ranking.movies[[0, 2]], free.movies[[0, 2]])


def test_masks_follow_their_queries_and_not_the_order_of_time() -> None:
    masks = np.stack([allow(*range(0, 20)), allow(*range(20, 40)), allow(*range(40, 60))])
    timestamps = TIMESTAMPS[::-1].copy()
    ranking = RANKER.rank(
        DATASET.histories(USERS, timestamps), timestamps, 3, exclude_seen=False, allowed=masks
    )
    np.testing.assert_array_equal(ranking.movies // 20, [[0] * 3, [1] * 3, [2] * 3])


def test_a_list_with_too_few_allowed_movies_is_filled_up_with_others_that_are_marked() -> None:
    best = recommended(rank(2), 0)
    ranking = rank(4, allow(*best))
    assert recommended(ranking, 0) == best
    assert np.isneginf(ranking.scores[0, 2:]).all()
    assert len(set(ranking.movies[0].tolist())) == 4


def test_a_seen_movie_is_not_recommended_though_it_is_allowed() -> None:
    histories = DATASET.histories(USERS, TIMESTAMPS)
    seen = DATASET.timeline.movies[histories.starts[0]]
    assert recommended(rank(3, allow(int(seen))), 0) == []


@given(arrays(np.bool_, (3, 60)), st.integers(1, 60))
def test_the_allowed_movies_keep_the_order_of_the_whole_list(allowed: npt.NDArray[np.bool_], k: int) -> None:
    everything, narrowed = rank(60), rank(k, allowed)
    for query in range(3):
        expected = [movie for movie in recommended(everything, query) if allowed[query, movie]]
        assert recommended(narrowed, query) == expected[:k]
