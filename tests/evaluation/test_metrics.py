import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextreel.evaluation.metrics import METRICS, ndcg, ranks_of, recall, reciprocal_rank, score_ranks
from nextreel.ranking.ranker import top_k

REFERENCE = {"NDCG": ir_measures.nDCG, "Recall": ir_measures.R, "MRR": ir_measures.RR}


@given(
    lists=st.lists(st.permutations(range(12)), min_size=1, max_size=5),
    relevant=st.lists(st.integers(0, 15), min_size=5, max_size=5),
    k=st.integers(1, 12),
)
@pytest.mark.parametrize("name", sorted(METRICS))
def test_metrics_agree_with_ir_measures(
    name: str, lists: list[list[int]], relevant: list[int], k: int
) -> None:
    recommended = np.array(lists)
    values = METRICS[name](ranks_of(recommended, np.array(relevant[: len(lists)])), k)
    judged = [ir_measures.Qrel(str(query), str(relevant[query]), 1) for query in range(len(lists))]
    run = [
        ir_measures.ScoredDoc(str(query), str(movie), float(-place))
        for query, movies in enumerate(lists)
        for place, movie in enumerate(movies)
    ]
    expected = {row.query_id: row.value for row in ir_measures.iter_calc([REFERENCE[name] @ k], judged, run)}
    assert values.tolist() == pytest.approx([expected[str(query)] for query in range(len(lists))], abs=1e-9)


@given(
    scores=st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=12), min_size=1, max_size=5),
    relevant=st.lists(st.integers(0, 15), min_size=5, max_size=5),
    k=st.integers(1, 12),
)
@pytest.mark.parametrize("name", sorted(METRICS))
def test_metrics_agree_with_ir_measures_on_tied_scores(
    name: str, scores: list[list[int]], relevant: list[int], k: int
) -> None:
    # Ties go to the lower MovieID here, to the last name in trec_eval, to the first in MS MARCO's MRR.
    def name_of(movie: int) -> str:
        return f"{10 + movie if name == 'MRR' else 99 - movie}"

    recommended, _ = top_k(np.array(scores, dtype=np.float32), 12)
    values = METRICS[name](ranks_of(recommended, np.array(relevant[: len(scores)])), k)
    judged = [ir_measures.Qrel(str(query), name_of(relevant[query]), 1) for query in range(len(scores))]
    run = [
        ir_measures.ScoredDoc(str(query), name_of(movie), float(score))
        for query, row in enumerate(scores)
        for movie, score in enumerate(row)
    ]
    expected = {row.query_id: row.value for row in ir_measures.iter_calc([REFERENCE[name] @ k], judged, run)}
    assert values.tolist() == pytest.approx([expected[str(query)] for query in range(len(scores))], abs=1e-9)


def test_every_metric_is_computed_at_every_cutoff() -> None:
    scores = score_ranks(np.array([1, 7]), [5, 10])
    assert list(scores) == ["NDCG@5", "Recall@5", "MRR@5", "NDCG@10", "Recall@10", "MRR@10"]
    assert (scores["Recall@5"].tolist(), scores["Recall@10"].tolist()) == ([1.0, 0.0], [1.0, 1.0])


def test_a_hit_at_rank_two_is_worth_one_over_log2_of_three() -> None:
    ranks = np.array([2])
    assert ndcg(ranks, 10).tolist() == pytest.approx([1 / np.log2(3)])
    assert recall(ranks, 10).tolist() == [1.0]
    assert reciprocal_rank(ranks, 10).tolist() == [0.5]


@pytest.mark.parametrize("metric", METRICS.values())
def test_a_rank_beyond_the_cutoff_and_a_missing_movie_are_worth_nothing(metric) -> None:  # type: ignore[no-untyped-def]
    assert metric(np.array([11, 0]), 10).tolist() == [0.0, 0.0]
