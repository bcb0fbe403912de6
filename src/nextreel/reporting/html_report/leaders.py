"""The best model under each history mode, and how sure its lead over the other models is."""

from dataclasses import dataclass

from nextreel.evaluation.bootstrap import Estimate
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.evaluation.significance import PairedTest


@dataclass(frozen=True)
class Leader:
    """The model with the highest main metric under one history mode (frozen or live), compared with the others."""

    name: str
    metric: Estimate
    """Main metric of the best model, such as NDCG@10."""
    runner_up: str | None
    """Name of the second-best model; None if there is only one model."""
    test: PairedTest | None
    """Paired test of the best model against the second-best; None if there is only one model."""
    highest_p: float
    """Highest p-value, adjusted by Holm, among the tests of the best model against each other one; 1 if it is the only
    one."""
    rivals: tuple[str, ...]
    """Names of the models that the best one isn't significantly better than."""


def find_leader(board: Leaderboard, history: HistoryMode) -> Leader:
    """Return the best model of a leaderboard under a history mode, with the tests against the others."""
    best, *others = board.ranked(history)
    tests = {
        other: test
        for other in others
        for test in board.tests
        if test.history == history and {test.better, test.worse} == {best, other}
    }
    return Leader(
        name=best,
        metric=board.figures[history][best].metrics[board.main],
        runner_up=others[0] if others else None,
        test=tests[others[0]] if others else None,
        highest_p=max((test.adjusted_p for test in tests.values()), default=1.0),
        rivals=tuple(other for other, test in tests.items() if not test.significant),
    )
