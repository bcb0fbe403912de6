"""The card of each model: what it is for, how it works, what it learned from, its options, limits and ethical notes.

The parts of a card are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from nextreel.errors import MissingExtraError
from nextreel.evaluation.comparison.leaderboard import Leaderboard
from nextreel.evaluation.protocol import HistoryMode
from nextreel.models.registry import built_in_names, model_class, model_docstring, model_names
from nextreel.models.training.epochs import Epoch, best_epoch
from nextreel.reporting.html_report.comparison_charts import draw_training
from nextreel.reporting.html_report.sentences import format_day, format_seconds, list_weak_slices
from nextreel.wording import join_names


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of text, or one formula, in the explanation of how a model works."""

    text: str
    is_formula: bool = False


@dataclass(frozen=True)
class CardOption:
    """One option of a model with its value in the comparison and its description."""

    name: str
    value: str
    description: str
    is_default: bool
    """Whether the option has its default value."""


@dataclass(frozen=True)
class ModelCard:
    """The card of one model in the report: what a reader must know before using the model."""

    name: str
    """The model's name in the leaderboard."""
    model: str
    """The model's registered name, or the file that its results were read from."""
    summary: str
    """First paragraph of the explanation of how the model works."""
    cost: str
    """Sentence on how long the fit of the model took and how many queries it ranks per second."""
    explanation: list[Paragraph]
    """The paragraphs after the first one of the explanation of how the model works."""
    use: list[str]
    """Sentences on what the model is meant to be used for."""
    data: list[str]
    """Sentences on the data that the model was fitted on."""
    limits: list[str]
    """Sentences on what the model can't do or does badly."""
    ethics: list[str]
    """Ethical notes: sentences on fairness, on how popular the listed movies are, and on privacy."""
    options: list[CardOption]
    loss_chart: str | None
    """SVG of the model's train and validation loss by epoch; None for a model that doesn't learn in epochs."""
    loss_caption: str


def describe_model(board: Leaderboard, history: HistoryMode, name: str) -> ModelCard:
    """Return the card of one model, with its results under a history mode (frozen or live).

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    run = board.runs[name]
    summary, *explanation = _explain(run.model)
    return ModelCard(
        name=name,
        model=run.model,
        summary=summary.text,
        cost=_describe_cost(board, history, name),
        explanation=explanation,
        use=_describe_use(board, history, name),
        data=_describe_data(board, name),
        limits=_describe_limits(board, history, name),
        ethics=_describe_ethics(board, name),
        options=_list_options(run.model, run.config),
        loss_chart=draw_training(run.epochs),
        loss_caption=_describe_training(run.epochs),
    )


def _explain(model: str) -> list[Paragraph]:
    """Return the docstring of the module that defines a registered model, by paragraph."""
    if model not in model_names():
        return [Paragraph("It isn't one of nextreel's own models: only its answers are known here.")]
    try:
        docstring = model_docstring(model)
    except MissingExtraError:
        return [
            Paragraph("A library that it needs isn't installed here, so how it works can't be shown here.")
        ]
    return [
        Paragraph(text, is_formula=True) if text.startswith("    ") else Paragraph(" ".join(text.split()))
        for text in docstring.split("\n\n")
    ]


def _list_options(model: str, config: Mapping[str, JsonValue]) -> list[CardOption]:
    fields: dict[str, FieldInfo] = {}
    if model in model_names():
        with suppress(MissingExtraError):
            fields = dict(model_class(model).Config.model_fields)
    return [
        CardOption(
            name,
            value if isinstance(value, str) else json.dumps(value),
            " ".join((fields[name].description or "").split()) if name in fields else "",
            name not in fields or fields[name].is_required() or value == _default_of(fields[name]),
        )
        for name, value in config.items()
    ]


def _default_of(field: FieldInfo) -> JsonValue:
    default = field.get_default(call_default_factory=True)
    value: JsonValue = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
    return value


def _describe_use(board: Leaderboard, history: HistoryMode, name: str) -> list[str]:
    n_queries, answered = len(board.users), board.runs[name].lists[history].personal
    if answered == n_queries:
        share = f"It answered all {n_queries:,} queries itself."
    else:
        share = (
            f"It answered {answered:,} of {n_queries:,} queries itself; popularity answered the other "
            f"{n_queries - answered:,}, of people about whom it knew nothing."
        )
    return [
        "To propose movies to a person whose earlier ratings are known, as of a moment: all that was rated before it "
        "may be used and nothing later.",
        share,
        "Not for predicting the stars that somebody will give, nor for judging people or movies.",
    ]


def _describe_data(board: Leaderboard, name: str) -> list[str]:
    train = board.parts.train
    timestamps = train.timeline.timestamps
    ratings = (
        f"{len(timestamps):,} ratings of {train.n_users:,} people and {train.n_movies:,} movies, from "
        f"{format_day(int(timestamps.min()))} to {format_day(int(timestamps.max()))} (data {train.fingerprint[:12]})"
    )
    if board.runs[name].model not in model_names():
        return [
            f"It was fitted elsewhere, so what it learned from isn't known here. The train part has {ratings}."
        ]
    return [
        f"Learned from the train part: {ratings}.",
        "Nothing of the test part was shown to the fit, not even to choose when to stop.",
    ]


def _describe_training(epochs: Sequence[Epoch]) -> str:
    if all(epoch.validation_loss is None for epoch in epochs):
        return "Loss by epoch. There is no validation loss: nothing of the test part is shown to the fit."
    kept = epochs[best_epoch(epochs) - 1]
    caption = f"Loss by epoch, and that of validation, which is lowest after epoch {kept.number}"
    if kept.validation_ndcg is None:
        return f"{caption}."
    return f"{caption}, the one that was kept; there NDCG@10 of users held out is {kept.validation_ndcg:.4f}."


def _describe_cost(board: Leaderboard, history: HistoryMode, name: str) -> str:
    seconds, rate = board.runs[name].fit_seconds, board.runs[name].lists[history].rate
    fit = "Fitted elsewhere" if seconds is None else f"Fitted in {format_seconds(seconds)}"
    speed = "" if rate is None else f"; {rate:,.0f} queries a second with {history} history"
    return f"{fit}{speed}."


def _describe_limits(board: Leaderboard, history: HistoryMode, name: str) -> list[str]:
    figures, k = board.figures[history][name], board.main.partition("@")[2]
    missed = 1 - figures.metrics[f"Recall@{k}"].mean
    limits = [
        f"In {100 * missed:.1f} of 100 cases the movie that the person liked next is not in the list.",
        f"It can list only the {board.parts.train.n_movies:,} movies of the catalog, and "
        f"{100 * figures.lists.overall['coverage']:.0f} % of these are in any of its lists here.",
        "These figures count a movie as right only if the person rated it; a good proposal that nobody followed counts "
        "as a miss. Only an experiment with people can show what they do when they see the lists.",
    ]
    if board.weakest(history, name):
        weak_slices = list_weak_slices(board, history, name)
        limits.insert(1, f"Weakest, by {board.main}, in the slices {weak_slices}.")
    return limits


def _describe_ethics(board: Leaderboard, name: str) -> list[str]:
    shares = [
        f"{100 * figures[name].lists.by_query['popularity'].mean:.0f} % ({history} history)"
        for history, figures in board.figures.items()
    ]
    notes = [
        _describe_gaps(board, name),
        f"What is listed tends to be known already: on average a listed movie had been rated by "
        f"{join_names(shares)} of all people. Lists that are followed make popular movies more so.",
        "A history of ratings is personal data and reveals more than taste: protect it accordingly.",
    ]
    if board.runs[name].model in built_in_names():
        notes.insert(
            1, "Gender, age and occupation serve only to measure this; no model of nextreel is shown them."
        )
    return notes


def _describe_gaps(board: Leaderboard, name: str) -> str:
    attributes = list(dict.fromkeys(attribute for gaps in board.gaps.values() for attribute in gaps))
    if not attributes:
        return "The data has no groups of people that are large enough to be compared."
    significant = [
        f"{attribute} with {history} history ({gap.best} best, {gap.worst} worst, a gap of {gap.gap.mean:.4f})"
        for history in board.figures
        for attribute, gap in board.significant_gaps(history, name).items()
    ]
    if significant:
        return f"Some people are served significantly better than others, by {'; by '.join(significant)}."
    return (
        f"No difference between people by {join_names(attributes)} is significant; "
        "small ones may have gone unnoticed."
    )
