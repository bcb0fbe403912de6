"""Latency of recommendations: one query at a time in one thread, and many queries in a batch.

The values of the weights don't matter to the speed, so a network may be fitted for a short time only.
"""

import time
from pathlib import Path

import numpy as np

from benchmarks.run import Config, Result
from benchmarks.split_data import SplitData
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.registry import create_model
from nextreel.ranking.ranker import Ranker

WARM_UP = 10
"""Single queries at the start that aren't counted."""
BATCH_REPEATS = 3


def measure(config: Config, data: Path) -> Result:
    """Return milliseconds of single queries, each with `history` interactions, and queries per second in a batch."""
    split = SplitData.read(data, SplitRule.for_rule("clean"))
    train, length = split.train, config["history"]
    model = create_model(config["model"], config.get("options", {})).fit(train)
    ranker, timeline = Ranker.of(model, train), train.timeline
    users = np.flatnonzero(np.diff(timeline.offsets) >= length)[: config["repeats"]]
    timestamps = timeline.timestamps[timeline.offsets[users] + length - 1] + 1
    milliseconds = []
    for user_id, timestamp in zip(train.user_ids[users], timestamps, strict=True):
        started = time.perf_counter()
        histories = train.histories(np.array([user_id]), np.array([timestamp])).last(length)
        ranker.rank(histories, np.array([timestamp]))
        milliseconds.append(1000 * (time.perf_counter() - started))
    rates = []
    for _ in range(BATCH_REPEATS):
        started = time.perf_counter()
        n_queries = len(evaluate(model, train, split.test).queries)
        rates.append(n_queries / (time.perf_counter() - started))
    counted = milliseconds[WARM_UP:]
    p50, p99 = np.quantile(counted, [0.5, 0.99])
    return {
        "data": {"sha256": train.fingerprint, "movies": train.n_movies},
        "single": {"queries": len(counted), "p50_ms": round(p50, 3), "p99_ms": round(p99, 3)},
        "batch": {"queries": n_queries, "queries_per_second": round(float(np.median(rates)), 1)},
    }
