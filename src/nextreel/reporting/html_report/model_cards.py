"""The card of each model: what it is and is for, what it learned from, its options, limits and ethical notes.

Its parts are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nextreel.errors import MissingExtraError
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.models.registry import built_in_names, model_class, model_docstring, model_names
from nextreel.models.training.epochs import Epoch, best_epoch
from nextreel.reporting.html_report.comparison_charts import draw_training
from nextreel.reporting.html_report.sentences import show_day, show_seconds
from nextreel.wording import join_names


@dataclass(frozen=True)
class Option:
    """One option as it was set."""

    name: str
    value: str
    meaning: str
    usual: bool
    """Whether it has its default."""


@dataclass(frozen=True)
class Card:
    """What a reader must know before using a model."""

    name: str
    model: str
    what: str
    """Its first sentence."""
    cost: str
    explained: list[tuple[bool, str]]
    """Further paragraphs on how it works, each with whether it is a formula."""
    use: list[str]
    data: list[str]
    limits: list[str]
    ethics: list[str]
    options: list[Option]
    training: str | None
    """Picture of its loss by epoch, as SVG, of a model that learns in epochs."""
    training_said: str
    """What it shows."""


def describe_model(board: Leaderboard, history: HistoryMode, name: str) -> Card:
    """The card of one model; what is measured is measured under this history."""
    answers = board.answers[name]
    what, *explained = _explain(answers.model)
    return Card(
        name,
        answers.model,
        what[1],
        _say_cost(board, history, name),
        explained,
        _say_use(board, history, name),
        _say_data(board, name),
        _say_limits(board, history, name),
        _say_ethics(board, name),
        _list_options(answers.model, answers.config),
        draw_training(answers.epochs),
        _say_training(answers.epochs),
    )


def _explain(model: str) -> list[tuple[bool, str]]:
    """What a model's own file says of it, by paragraph."""
    if model not in model_names():
        return [(False, "It isn't one of nextreel's own models: only its answers are known here.")]
    try:
        said = model_docstring(model)
    except MissingExtraError:
        return [(False, "What it needs isn't installed here, so nothing is told of how it works.")]
    return [
        (
            paragraph.startswith("    "),
            paragraph if paragraph.startswith("    ") else " ".join(paragraph.split()),
        )
        for paragraph in said.split("\n\n")
    ]


def _list_options(model: str, config: dict[str, Any]) -> list[Option]:
    fields: dict[str, Any] = {}
    if model in model_names():
        with suppress(MissingExtraError):
            fields = dict(model_class(model).Config.model_fields)
    return [
        Option(
            name,
            value if isinstance(value, str) else json.dumps(value),
            " ".join((fields[name].description or "").split()) if name in fields else "",
            name not in fields or fields[name].is_required() or value == _default(fields[name]),
        )
        for name, value in config.items()
    ]


def _default(field: Any) -> Any:
    default = field.get_default(call_default_factory=True)
    return default.model_dump(mode="json") if hasattr(default, "model_dump") else default


def _say_use(board: Leaderboard, history: HistoryMode, name: str) -> list[str]:
    lists, asked = board.answers[name].lists[history], len(board.users)
    alone = asked - lists.personal
    who = (
        f"It answered all {asked:,} queries itself."
        if not alone
        else f"It answered {lists.personal:,} of {asked:,} queries itself; popularity answered the other {alone:,}, "
        "of people it has nothing personal to say about."
    )
    return [
        "To propose movies to a person whose earlier ratings are known, as of a moment: all that was rated before it "
        "may be used and nothing later.",
        who,
        "Not for predicting the stars that somebody will give, nor for judging people or movies.",
    ]


def _say_data(board: Leaderboard, name: str) -> list[str]:
    train = board.parts.train
    seconds = train.timeline.timestamps
    learned = (
        f"{len(seconds):,} ratings of {train.n_users:,} people and {train.n_movies:,} movies, from "
        f"{show_day(int(seconds.min()))} to {show_day(int(seconds.max()))} (data {train.fingerprint[:12]})"
    )
    if board.answers[name].model not in model_names():
        return [
            f"It was fitted elsewhere, so what it learned from isn't known here. The train part has {learned}."
        ]
    return [
        f"Learned from the train part: {learned}.",
        "Nothing of the test part was shown to the fit, not even to choose when to stop.",
    ]


def _say_training(epochs: Sequence[Epoch]) -> str:
    validated = [epoch for epoch in epochs if epoch.validation_loss is not None]
    if not validated:
        return "Loss by epoch. There is no validation loss: nothing of the test part is shown to the fit."
    kept = epochs[best_epoch(epochs) - 1]
    said = f"Loss by epoch, and that of validation, which is lowest after epoch {kept.number}"
    if kept.validation_ndcg is None:
        return f"{said}."
    return f"{said}, the one that was kept; there NDCG@10 of users held out is {kept.validation_ndcg:.4f}."


def _say_cost(board: Leaderboard, history: HistoryMode, name: str) -> str:
    seconds, rate = board.answers[name].fit_seconds, board.answers[name].lists[history].rate
    fitted = "Fitted elsewhere" if seconds is None else f"Fitted in {show_seconds(seconds)}"
    answered = "" if rate is None else f"; {rate:,.0f} queries a second with {history} history"
    return f"{fitted}{answered}."


def _say_limits(board: Leaderboard, history: HistoryMode, name: str) -> list[str]:
    figures, lists = board.figures[history][name], board.figures[history][name].lists
    weakest = [f"“{part}” ({figures.slices[part].mean:.4f})" for part in board.weakest(history, name)]
    missed = 1 - figures.metrics[f"Recall@{board.main.partition('@')[2]}"].mean
    said = [
        f"In {100 * missed:.1f} of 100 cases the movie that the person liked next is not in the list.",
        f"It can list only the {board.parts.train.n_movies:,} movies of the catalog, and "
        f"{100 * lists.overall['coverage']:.0f} % of these are in any of its lists here.",
        "These figures count a movie as right only if the person rated it; a good proposal that nobody followed counts "
        "as a miss. What people do when they see the lists, only an experiment with people tells.",
    ]
    if weakest:
        said.insert(1, f"Weakest, by {board.main}, in the slices {join_names(weakest)}.")
    return said


def _say_ethics(board: Leaderboard, name: str) -> list[str]:
    real = [
        f"{attribute} with {history} history ({gap.best} best, {gap.worst} worst, a gap of {gap.gap.mean:.4f})"
        for history in board.figures
        for attribute, gap in board.significant_gaps(history, name).items()
    ]
    looked_at = list(dict.fromkeys(attribute for gaps in board.gaps.values() for attribute in gaps))
    if not looked_at:
        fair = "The data has no groups of people large enough to ask whether all are served alike."
    elif real:
        fair = f"Some people are served better than others, beyond chance, by {'; by '.join(real)}."
    else:
        fair = (
            f"No difference between people by {join_names(looked_at)} is larger than chance makes it; "
            "small ones may be unseen."
        )
    shares = [
        f"{100 * board.figures[history][name].lists.by_query['popularity'].mean:.0f} % ({history} history)"
        for history in board.figures
    ]
    said = [
        fair,
        f"What is listed tends to be known already: on average a listed movie had been rated by "
        f"{join_names(shares)} of all people. Lists that are followed make popular movies more so.",
        "A history of ratings is personal data and tells more than taste; keep it as such.",
    ]
    if board.answers[name].model in built_in_names():
        said.insert(
            1, "Gender, age and occupation serve only to measure this; no model of nextreel is shown them."
        )
    return said
