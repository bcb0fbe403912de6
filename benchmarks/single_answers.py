"""Milliseconds of single answers by a saved model, in this process: a list, similar movies, a search, an explanation.

They are of processor time; run it in one thread.

    python -m benchmarks.single_answers MODEL_DIR HOW_MANY

Requests are for users, movies and titles drawn in proportion to their ratings, at the end of the data. A title is typed
without its year and its last letters, or with two letters swapped. Each movie of a list of ten is explained.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.run import Result
from nextreel.arrays import Int64Array
from nextreel.data.timeline import Histories
from nextreel.prediction.saving import load
from nextreel.ranking.explanations import explain
from nextreel.ranking.ranker import Ranker
from nextreel.ranking.similar_movies import SimilarMovies
from nextreel.ranking.title_search import TitleSearch

WARM_UP = 10
"""Requests at the start that aren't counted."""
LIST_LENGTH = 10


def measure_single_answers(model_directory: Path, how_many: int) -> Result:
    """Return the median and the 99th percentile of each kind of request, in milliseconds."""
    predictor = load(model_directory)
    model, dataset = predictor.model, predictor.dataset
    ranker, timeline = Ranker.of(model, dataset), dataset.timeline
    similar_movies = SimilarMovies.of(dataset)
    totals = np.bincount(timeline.movies, minlength=dataset.n_movies)
    title_search = TitleSearch.of(dataset.movies, totals)
    latest = int(timeline.timestamps.max()) + 1
    now = np.array([latest])
    rows = np.random.default_rng(0).integers(len(timeline), size=WARM_UP + how_many)
    user_ids = dataset.user_ids[np.searchsorted(timeline.offsets, rows, side="right") - 1]
    movies: Int64Array = timeline.movies[rows].astype(np.int64)
    titles = [_type_title(title) for title in dataset.movies["Title"].gather(movies)]

    def histories(number: int) -> Histories:
        return dataset.histories(user_ids[number : number + 1], now)

    def rank(number: int) -> Int64Array:
        ranking = ranker.rank(histories(number), now, LIST_LENGTH)
        listed: Int64Array = ranking.movies[0].astype(np.int64)
        return listed

    lists = [rank(number) for number in range(len(rows))]
    kinds: dict[str, Callable[[int], object]] = {
        "list": rank,
        "similar movies": lambda number: similar_movies.find(int(movies[number]), latest, LIST_LENGTH),
        "search": lambda number: title_search.find(titles[number]),
        "search with a typo": lambda number: title_search.find(_swap_letters(titles[number])),
        "explanation": lambda number: explain(model, histories(number), now, lists[number]),
    }
    return {kind: _time_requests(request, len(rows)) for kind, request in kinds.items()}


def _time_requests(request: Callable[[int], object], how_many: int) -> dict[str, float]:
    milliseconds = []
    for number in range(how_many):
        started = time.process_time()
        request(number)
        milliseconds.append(1000 * (time.process_time() - started))
    p50, p99 = np.quantile(milliseconds[WARM_UP:], [0.5, 0.99])
    return {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def _type_title(title: str) -> str:
    """Return what a user has typed of a title so far: no year, and not the last fifth of the rest."""
    name = title.partition(" (")[0]
    return name[: max(3, len(name) * 4 // 5)].lower()


def _swap_letters(typed: str) -> str:
    return typed[:1] + typed[2:3] + typed[1:2] + typed[3:]


if __name__ == "__main__":
    print(json.dumps(measure_single_answers(Path(sys.argv[1]), int(sys.argv[2]))))
