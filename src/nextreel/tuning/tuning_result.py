"""The result of a search: the best options, and whether they are significantly better than the defaults.

The best of many trials looks better than it is, since it is also the luckiest. Whether it beats the defaults is
therefore tested against the luck of the whole search: the signs of the users' differences to the defaults are
flipped at random, and the largest difference among all trials is recorded, each in units of its standard deviation
(max-T: Westfall & Young, "Resampling-Based Multiple Testing", 1993).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote

import numpy as np
from pydantic import JsonValue

from nextreel.arrays import Float64Array, Int64Array
from nextreel.atomic_files import replacing, write_json
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.significance import ALPHA, PERMUTATIONS
from nextreel.models.registry import model_name
from nextreel.tuning.search_space import Search
from nextreel.wording import number_of

BEST = "best.toml"
"""Name of the file with the tuned model's name and its best options, which `nextreel fit --config` reads."""
K = 10
MAIN = f"NDCG@{K}"
"""The metric by which options are compared."""
DEFAULTS = 0
"""Number of the first trial, which measures the model's own defaults."""
PERMUTATIONS_AT_ONCE = 500
"""Number of random sign flips of the users' differences that are computed in one batch; bounds the memory."""


@dataclass(frozen=True)
class Trial:
    """One set of options that a search tried, and what came of it."""

    number: int
    """Position among the finished trials in order of time, from 0, the trial of the defaults."""
    options: dict[str, float]
    """The options drawn for this trial; all others are fixed by the user or have their defaults."""
    ndcg: float | None
    """Mean NDCG@10 on the inner split; None if the trial was pruned or failed."""
    given_up_after: int | None = None
    """Number of epochs after which the trial was pruned; None if it wasn't."""
    failure: str | None = None
    """The error that ended the trial; None if there was none."""


@dataclass(frozen=True)
class TuningResult:
    """All finished trials of a search."""

    search: Search
    identity: Mapping[str, object]
    """Facts that tell what was searched and on which data, by name, as they stand in `tuning.json`."""
    trials: list[Trial]
    """Finished, pruned and failed trials; the first is that of the defaults."""
    users: Int64Array
    """int64[n_queries]: UserID of each query by which options were compared."""
    ndcgs: dict[int, Float64Array]
    """NDCG@10 of each query, float64[n_queries], by the number of the trial; pruned and failed trials have none."""

    @cached_property
    def model(self) -> str:
        """Name of the model whose options were searched."""
        return model_name(self.search.create_model({}))

    @cached_property
    def defaults(self) -> dict[str, JsonValue]:
        """All options of the model by name, with the value that the user fixed or else the default."""
        return self.search.create_model({}).config.model_dump(mode="json")

    @cached_property
    def best(self) -> Trial:
        """The trial with the highest mean NDCG@10; of equal ones, the earliest."""
        measured = [trial for trial in self.trials if trial.ndcg is not None]
        return max(measured, key=lambda trial: (trial.ndcg or 0.0, -trial.number))

    @property
    def options(self) -> dict[str, object]:
        """The options to fit the model with: those of the best trial and those that the user fixed."""
        return {**self.search.held, **self.best.options}

    def estimate(self, number: int) -> Estimate:
        """Return the mean NDCG@10 of a trial with its 95 % interval, which doesn't account for choosing the best."""
        return self._bootstrap.estimate(self.ndcgs[number])

    @cached_property
    def gain(self) -> Estimate:
        """NDCG@10 of the best trial minus that of the defaults, with a 95 % interval from resampling users."""
        return self._bootstrap.estimate(self.ndcgs[self.best.number] - self.ndcgs[DEFAULTS])

    @cached_property
    def p(self) -> float:
        """Probability that luck alone puts the best of all trials so far ahead of the defaults; 1 if those win."""
        if self.best.number == DEFAULTS:
            return 1.0
        others = [number for number in self.ndcgs if number != DEFAULTS]
        gains = np.column_stack([self.ndcgs[number] - self.ndcgs[DEFAULTS] for number in others])
        return chance_of_best(self._bootstrap.totals(gains), others.index(self.best.number), self.search.seed)

    @property
    def significant(self) -> bool:
        """Whether the best options have a significantly higher NDCG@10 than the defaults."""
        return self.p < ALPHA

    def sentences(self) -> list[str]:
        """Return the search's result in sentences, for the terminal and for the caption of the chart of trials."""
        pruned = sum(trial.given_up_after is not None for trial in self.trials)
        failures = [trial.failure for trial in self.trials if trial.failure is not None]
        return [
            f"{MAIN} of the defaults on the inner split: {self.estimate(DEFAULTS)}.",
            *self._compare_with_defaults(),
            *([f"Pruned after a few epochs: {number_of(pruned, 'trial')}."] if pruned else []),
            *(
                [f"Failed: {number_of(len(failures), 'trial')}, the last with {failures[-1]}"]
                if failures
                else []
            ),
        ]

    def fit_command(self, directory: Path, out: Path) -> str:
        """Return the shell command that fits the model on `directory` with the best options, which are in `out`."""
        nulls = [f"--set {name}=null" for name, value in self.options.items() if value is None]
        return " ".join([f"nextreel fit {quote(str(directory))} --config {quote(str(out / BEST))}", *nulls])

    def facts(self) -> dict[str, object]:
        """Return the content of `tuning.json`: what was searched, the best options and all trials."""
        return {
            **self.identity,
            "best": {
                "trial": self.best.number,
                "options": self.options,
                MAIN: vars(self.estimate(self.best.number)),
            },
            "defaults": {MAIN: vars(self.estimate(DEFAULTS))},
            "gain": {**vars(self.gain), "p": self.p, "real": self.significant},
            "trials": [vars(trial) for trial in self.trials],
        }

    def _compare_with_defaults(self) -> list[str]:
        if self.best.number == DEFAULTS:
            others = number_of(len(self.trials) - 1, "other trial")
            return [f"None of {others} was better: keep the defaults of {self.model}."]
        n_others = len(self.ndcgs) - 1
        verdict = "significant" if self.significant else "not significant: the defaults may be as good"
        return [
            f"{MAIN} of the best of {number_of(n_others, 'other trial')}, number {self.best.number}: "
            f"{self.estimate(self.best.number)}.",
            f"The difference, {self.gain.mean:+.4f} [{self.gain.low:+.4f}, {self.gain.high:+.4f}], is {verdict} "
            f"(p {self.p:.2g} for the best of {n_others} being so far ahead by luck). "
            "As the best of a search, it is likely to be smaller on other queries.",
        ]

    @cached_property
    def _bootstrap(self) -> UserBootstrap:
        return UserBootstrap(self.users, seed=self.search.seed)


def write_result(result: TuningResult, directory: Path) -> None:
    """Write the best options to `best.toml` and the whole search to `tuning.json`."""
    with replacing(directory / BEST) as temporary:
        temporary.write_text(to_toml(result), encoding="utf-8")
    write_json(result.facts(), directory / "tuning.json")


def to_toml(result: TuningResult) -> str:
    """Return the model and its best options as TOML, which has no null: an option that is None becomes a comment."""
    best, defaults = result.estimate(result.best.number), result.estimate(DEFAULTS)
    lines = [
        f"# {MAIN} {best} on the inner split, defaults {defaults};",
        f"# found by nextreel tune in {number_of(len(result.trials), 'trial')}.",
        f"model = {json.dumps(result.model)}",
        "",
        "[options]",
    ]
    # Numbers, true, false, strings and lists are written alike in JSON and TOML.
    lines += [
        f"# {name} has no value: nextreel fit --set {name}=null"
        if value is None
        else f"{name} = {json.dumps(value)}"
        for name, value in result.options.items()
    ]
    return "\n".join(lines) + "\n"


def chance_of_best(totals: Float64Array, best: int, seed: int = 0) -> float:
    """Return the probability that luck alone puts any trial as far ahead of the defaults as the best one.

    Parameters
    ----------
    totals : float64[n_users, n_trials]
        Sum of each user's differences to the defaults. A trial's total is measured in its own standard deviations,
        since unusual options differ by much without being any better.
    best : int
        Column of the best trial in `totals`.
    seed : int
        Seed of the random signs by which users' differences are flipped.
    """
    deviations = np.sqrt(np.square(totals).sum(axis=0))
    standardized = totals / np.where(deviations > 0, deviations, 1)
    # Sums in another order differ in their last digits; equal totals must count as equal.
    observed = standardized[:, best].sum() * (1 - 1e-9)
    random, n_as_far = np.random.default_rng(seed), 0
    for start in range(0, PERMUTATIONS, PERMUTATIONS_AT_ONCE):
        size = min(PERMUTATIONS_AT_ONCE, PERMUTATIONS - start), len(totals)
        signs = random.integers(2, size=size, dtype=np.int8) * 2.0 - 1
        n_as_far += int(((signs @ standardized).max(axis=1) >= observed).sum())
    return (1 + n_as_far) / (1 + PERMUTATIONS)
