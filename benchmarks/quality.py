"""Ranking quality: fit one model on a split's train part and ask it about the test part, by several protocols.

With `inner`, the split's rule is applied to the train part again: what options are chosen and compared on. The members
of a blend are asked too. The fitted model is left behind for a leaderboard.
"""

import resource
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.run import ANSWERS, config_hash
from nextreel.data.dataset import Dataset
from nextreel.data.reading.table_reader import read_tables
from nextreel.data.splitting.split_rules import SplitRule, split_interactions
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Epoch, Training, write_epochs
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save


def measure(config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Losses of the last epoch if there are epochs, fit seconds, peak memory, and metrics by protocol."""
    tables = read_tables(data)
    rule = SplitRule.for_rule(**config["split"])
    split = split_interactions(tables.interactions, rule)
    if config.get("inner"):
        split = split_interactions(split.train, rule)
    train = Dataset.from_frames(split.train, tables.movies, tables.users)
    model = create_model(config["model"], config.get("options", {}))
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        print(epoch, flush=True)

    started = time.perf_counter()
    model.fit(train, Training(validation=train.with_interactions(split.test), on_epoch=on_epoch))
    fit_seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    facts: dict[str, object] = {"fit": {"fit_seconds": fit_seconds}}
    save(Predictor(model, train), ANSWERS / config_hash(config), facts, partial(write_epochs, epochs))
    evaluations = []
    for name, asked in {"": model, **getattr(model, "members", {})}.items():
        for protocol in config["protocols"]:
            started = time.perf_counter()
            result = evaluate(asked, train, split.test, threshold=rule.threshold, **protocol)
            seconds = round(time.perf_counter() - started, 3)
            evaluations.append({**result.facts(), "seconds": seconds} | ({"member": name} if name else {}))
    return {
        "data": {
            "sha256": train.fingerprint,
            "train_rows": len(split.train),
            "test_rows": len(split.test),
        },
        "fit_seconds": round(fit_seconds, 3),
        "peak_memory_gib": round(peak, 3),
        "epochs": [asdict(epoch) for epoch in epochs],
        "evaluations": evaluations,
    }
