"""What came of a search: the best options, and whether they are really better than the defaults.

The best of many trials looks better than it is, since it is also the luckiest. Whether it really beats the defaults is
tested against the luck of the whole search: users' differences to the defaults have their signs swapped, and what
counts is the largest of all trials' differences, each in its own standard deviations (max-T: Westfall & Young,
"Resampling-Based Multiple Testing", 1993).
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from nextreel.arrays import Float64Array, Int64Array
from nextreel.atomic_files import replacing, write_json
from nextreel.evaluation.bootstrap import Estimate, UserBootstrap
from nextreel.evaluation.significance import ALPHA, PERMUTATIONS
from nextreel.tuning.search_space import Search
from nextreel.wording import number_of

BEST = "best.toml"
K = 10
MAIN = f"NDCG@{K}"
DEFAULTS = 0
"""Number of the trial of the model's own defaults; it comes first."""
SWAPPED_AT_ONCE = 500


@dataclass(frozen=True)
class Trial:
    """One set of options that was tried."""

    number: int
    """In order of time; 0 is the defaults."""
    options: dict[str, object]
    """What was tried; the rest are the model's defaults and what is held."""
    ndcg: float | None
    """Mean NDCG@10 on the inner split; None where it was given up or failed."""
    given_up_after: int | None = None
    """Epochs until it was given up."""
    failure: str | None = None


@dataclass(frozen=True)
class TuningResult:
    """A search as far as it has come."""

    search: Search
    about: dict[str, Any]
    """What was searched and on what, in the form of JSON."""
    trials: list[Trial]
    users: Int64Array
    """int64[n_queries]: whose query each is."""
    ndcgs: dict[int, Float64Array]
    """NDCG@10 of each query, float64[n_queries], by number of the finished trial."""

    @cached_property
    def best(self) -> Trial:
        """The highest mean; the defaults where none is higher."""
        finished = [trial for trial in self.trials if trial.ndcg is not None]
        return max(finished, key=lambda trial: (trial.ndcg or 0.0, -trial.number))

    @property
    def options(self) -> dict[str, object]:
        """The best options and those held: what to fit the model with."""
        return {**self.search.held, **self.best.options}

    def estimate(self, number: int) -> Estimate:
        """A finished trial's figure, whose interval knows nothing of the choice among trials."""
        return self._bootstrap.estimate(self.ndcgs[number])

    @cached_property
    def gain(self) -> Estimate:
        """Best minus defaults, on the same draws of users."""
        return self._bootstrap.estimate(self.ndcgs[self.best.number] - self.ndcgs[DEFAULTS])

    @cached_property
    def p(self) -> float:
        """Chance of a best trial this far ahead if no options differed from the defaults."""
        if self.best.number == DEFAULTS:
            return 1.0
        others = [number for number in self.ndcgs if number != DEFAULTS]
        gains = np.column_stack([self.ndcgs[number] - self.ndcgs[DEFAULTS] for number in others])
        return chance_of_best(self._bootstrap.totals(gains), others.index(self.best.number), self.search.seed)

    @property
    def significant(self) -> bool:
        """Whether the best may be called better than the defaults."""
        return self.p < ALPHA

    def sentences(self) -> list[str]:
        """What came out."""
        best, name = self.best, self.about["model"]
        said = [f"{MAIN} of the defaults on the inner split: {self.estimate(DEFAULTS)}."]
        if best.number == DEFAULTS:
            others = number_of(len(self.trials) - 1, "other trial")
            said.append(f"None of {others} was better: keep the defaults of {name}.")
        else:
            n = len(self.ndcgs) - 1
            said.append(
                f"{MAIN} of the best of {number_of(n, 'other trial')}, number {best.number}: "
                f"{self.estimate(best.number)}."
            )
            gain = f"{self.gain.mean:+.4f} [{self.gain.low:+.4f}, {self.gain.high:+.4f}]"
            verdict = "real" if self.significant else "not shown to be real: the defaults may be as good"
            said.append(
                f"The difference, {gain}, is {verdict} (p {self.p:.2g} of the best of {n} being so far ahead by luck). "
                "As the best of a search it is likely to be smaller on other queries."
            )
        given_up = sum(trial.given_up_after is not None for trial in self.trials)
        failures = [trial.failure for trial in self.trials if trial.failure is not None]
        if given_up:
            said.append(f"Given up early: {number_of(given_up, 'trial')}.")
        if failures:
            said.append(f"Failed: {number_of(len(failures), 'trial')}, the last with {failures[-1]}")
        return said

    def fit_command(self, directory: Path, out: Path) -> str:
        """The command that fits the model with the best options, which were written to `out`."""
        missing = [f"--set {name}=null" for name, value in self.options.items() if value is None]
        return " ".join([f"nextreel fit {quote(str(directory))} --config {quote(str(out / BEST))}", *missing])

    def facts(self) -> dict[str, Any]:
        """In the form of JSON."""
        return {
            **self.about,
            "best": {
                "trial": self.best.number,
                "options": self.options,
                MAIN: vars(self.estimate(self.best.number)),
            },
            "defaults": {MAIN: vars(self.estimate(DEFAULTS))},
            "gain": {**vars(self.gain), "p": self.p, "real": self.significant},
            "trials": [vars(trial) for trial in self.trials],
        }

    @cached_property
    def _bootstrap(self) -> UserBootstrap:
        return UserBootstrap(self.users, seed=self.search.seed)


def write_tuned(tuned: TuningResult, directory: Path) -> None:
    """Write the best options as `best.toml` and the whole search as `tuning.json`."""
    with replacing(directory / BEST) as temporary:
        temporary.write_text(write_toml(tuned), encoding="utf-8")
    write_json(tuned.facts(), directory / "tuning.json")


def write_toml(tuned: TuningResult) -> str:
    """The model and its best options as TOML, which has no null: an option without a value is a comment."""
    lines = [
        f"# {MAIN} {tuned.estimate(tuned.best.number)} on the inner split, defaults {tuned.estimate(DEFAULTS)};",
        f"# found by nextreel tune in {number_of(len(tuned.trials), 'trial')}.",
        f"model = {json.dumps(tuned.about['model'])}",
        "",
        "[options]",
    ]
    # JSON's numbers, true, false, strings and lists are TOML's too.
    lines += [
        f"# {name} has no value: nextreel fit --set {name}=null"
        if value is None
        else f"{name} = {json.dumps(value)}"
        for name, value in tuned.options.items()
    ]
    return "\n".join(lines) + "\n"


def chance_of_best(totals: Float64Array, best: int, seed: int = 0) -> float:
    """p that luck takes any of the trials as far ahead as the best one is, float64[n_users, n_trials].

    A column has each user's summed differences to the defaults; it is measured in its own standard deviations, since
    odd options differ by much without being any better. `best` is the column of the best.
    """
    deviations = np.sqrt(np.square(totals).sum(axis=0))
    steps = totals / np.where(deviations > 0, deviations, 1)
    # Sums in another order differ in their last digits; what is equal must count as equal.
    seen = steps[:, best].sum() * (1 - 1e-9)
    random, as_far = np.random.default_rng(seed), 0
    for start in range(0, PERMUTATIONS, SWAPPED_AT_ONCE):
        size = min(SWAPPED_AT_ONCE, PERMUTATIONS - start), len(totals)
        signs = random.integers(2, size=size, dtype=np.int8) * 2.0 - 1
        as_far += int(((signs @ steps).max(axis=1) >= seen).sum())
    return (1 + as_far) / (1 + PERMUTATIONS)
