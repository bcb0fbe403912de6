"""What a request for recommendations costs, as a number that is known before any of the work is done.

A plain, short list costs about 1: a fraction of a millisecond on one processor. The other terms were measured on
MovieLens 1M and are rounded:

| | costs |
|---|---|
| each list | 1 + k / 50 |
| diversity | + k / 20 |
| calibration | + k / 5 |
| reasons (`explain`) | + 10 + k |
| filters or a guest's history | + 2 + entries / 500 |
"""

from collections.abc import Sequence

from nextreel.serving.inference.list_requests import NO_FILTERS, RecommendationRequest

MAX_COST = 10_000
"""Highest cost of one request: a few seconds on one processor."""
LARGEST_QUICK_COST = 50
"""Highest cost of work that is quick: it takes a processor some 10 milliseconds."""
COST_OF_A_STORED_ROW = 0.1
"""Cost of each rating in a request that stores ratings."""


def cost_of(requests: Sequence[RecommendationRequest]) -> float:
    """Return the cost of answering all of these requests."""
    return sum(_cost_of_one(request) for request in requests)


def cost_of_joint(n_people: int, explains: bool) -> float:
    """Return the cost of one list for several people: all movies are ranked for each of them."""
    return n_people * (10 + (60 if explains else 0))


def _cost_of_one(request: RecommendationRequest) -> float:
    k = request.k
    cost = 1 + k / 50
    if request.diversity:
        cost += k / 20
    if request.calibration:
        cost += k / 5
    if request.explain:
        cost += 10 + k
    if request.filters is not NO_FILTERS:
        filters = request.filters
        entries = len(filters.exclude) + len(filters.include_genres) + len(filters.exclude_genres)
        cost += 2 + entries / 500
    if request.history is not None:
        cost += 2 + len(request.history) / 500
    return cost
