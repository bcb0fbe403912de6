"""What a request costs is known before it is answered."""

import pytest

from nextreel.ranking.filters import Filters
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.request_cost import MAX_COST, cost_of
from nextreel.serving.storage.store import NewInteraction
from tests.serving.servers import LATE

PLAIN = RecommendationRequest(1, LATE)


def test_a_thousand_usual_lists_may_be_asked_for_at_once() -> None:
    usual = [
        PLAIN,
        RecommendationRequest(1, LATE, 100),
        RecommendationRequest(1, LATE, diversity=0.3),
        RecommendationRequest(1, LATE, 10, diversity=0.3, calibration=0.3),
    ]
    assert all(cost_of([request] * 1_000) <= MAX_COST for request in usual)


@pytest.mark.parametrize(("diversity", "calibration"), [(0.3, 0.0), (0.0, 0.3), (0.0, 0.0)])
def test_a_thousand_lists_of_a_thousand_movies_may_not(diversity: float, calibration: float) -> None:
    request = RecommendationRequest(1, LATE, 1_000, diversity=diversity, calibration=calibration)
    assert cost_of([request] * 1_000) > MAX_COST


def test_every_single_list_may_be_asked_for() -> None:
    history = tuple(NewInteraction(1, movie, 4.0, movie) for movie in range(10_000))
    filters = Filters(frozenset(map(str, range(100))), exclude=frozenset(range(10_000)))
    largest = RecommendationRequest(1, LATE, 1_000, True, filters, 0.5, 0.5, True, history)
    assert 1_000 < cost_of([largest]) <= MAX_COST


@pytest.mark.parametrize(
    "more",
    [
        RecommendationRequest(1, LATE, 20),
        RecommendationRequest(1, LATE, diversity=0.1),
        RecommendationRequest(1, LATE, calibration=0.1),
        RecommendationRequest(1, LATE, explain=True),
        RecommendationRequest(1, LATE, filters=Filters(year_min=1990)),
        RecommendationRequest(1, LATE, history=()),
    ],
)
def test_whatever_is_more_work_costs_more(more: RecommendationRequest) -> None:
    assert cost_of([more]) > cost_of([PLAIN])
