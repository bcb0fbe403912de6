"""Ranking quality: fit one model on the train part of a split and evaluate it on the test part, by several protocols.

With `inner` in the config, the train part is split once more by the same rule; options are chosen on such an inner
split. The members of a blend are evaluated too. The fitted model is kept for the leaderboard benchmark.
"""

import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.run import OUTPUTS, Config, Result, config_hash
from benchmarks.split_data import SplitData
from nextreel.data.splitting.split_rules import SplitRule
from nextreel.evaluation.model_evaluation import evaluate
from nextreel.models.registry import create_model
from nextreel.models.training.epochs import Epoch, Training, write_epochs
from nextreel.prediction.fitting import measure_peak_memory
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save


def measure(config: Config, data: Path) -> Result:
    """Return the epochs of the fit, its seconds, the peak memory in GiB, and the metrics by protocol."""
    split = SplitData.read(data, SplitRule.for_rule(**config["split"]), config.get("inner", False))
    model = create_model(config["model"], config.get("options", {}))
    epochs: list[Epoch] = []

    def on_epoch(epoch: Epoch) -> None:
        epochs.append(epoch)
        print(epoch, flush=True)

    started = time.perf_counter()
    validation = split.train.with_interactions(split.test)
    model.fit(split.train, Training(validation=validation, on_epoch=on_epoch))
    fit_seconds = time.perf_counter() - started
    peak_memory = measure_peak_memory()
    save(
        Predictor(model, split.train),
        OUTPUTS / config_hash(config),
        {"fit": {"fit_seconds": fit_seconds}},
        partial(write_epochs, epochs),
    )
    evaluations = []
    for name, evaluated in {"": model, **model.children}.items():
        for protocol in config["protocols"]:
            started = time.perf_counter()
            evaluation = evaluate(
                evaluated, split.train, split.test, threshold=split.rule.threshold, **protocol
            )
            facts = {**evaluation.facts(), "seconds": round(time.perf_counter() - started, 3)}
            evaluations.append({**facts, "member": name} if name else facts)
    return {
        "data": split.facts(),
        "fit_seconds": round(fit_seconds, 3),
        "peak_memory_gib": peak_memory and round(peak_memory, 3),
        "epochs": [asdict(epoch) for epoch in epochs],
        "evaluations": evaluations,
    }
