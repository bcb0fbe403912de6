"""Seconds of an answer: one query at a time by one thread, and many at once.

Weights don't matter to speed, so a network may be given a short fit.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.registry import create_model
from nextreel.ranking.ranker import Ranker


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Milliseconds of single queries whose history has `history` interactions; queries per second in batch."""
    tables = read_tables(data)
    split = split_interactions(tables.interactions, SplitRule.for_rule("clean"))
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    model = create_model(config["model"], config.get("options", {})).fit(train)
    ranker, timeline, length = Ranker.of(model, train), train.timeline, config["history"]
    long_enough = np.flatnonzero(np.diff(timeline.offsets) >= length)[: config["repeats"]]
    timestamps = timeline.timestamps[timeline.offsets[long_enough] + length - 1] + 1
    milliseconds = []
    for user, moment in zip(train.user_ids[long_enough], timestamps, strict=True):
        started = time.perf_counter()
        histories = train.histories(np.array([user]), np.array([moment])).last(length)
        ranker.rank(histories, np.array([moment]))
        milliseconds.append(1000 * (time.perf_counter() - started))
    batch = []
    for _ in range(3):
        started = time.perf_counter()
        asked = len(evaluate(model, train, split.test).queries)
        batch.append(asked / (time.perf_counter() - started))
    quantiles = np.quantile(milliseconds[10:], [0.5, 0.99])
    return {
        "data": {"sha256": train.fingerprint, "movies": train.n_movies},
        "single": {
            "queries": len(milliseconds) - 10,
            "p50_ms": round(quantiles[0], 3),
            "p99_ms": round(quantiles[1], 3),
        },
        "batch": {"queries": asked, "queries_per_second": round(float(np.median(batch)), 1)},
    }
