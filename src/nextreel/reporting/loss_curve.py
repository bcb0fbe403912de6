"""The chart of the train and the validation loss of a model by training epoch."""

from collections.abc import Sequence
from pathlib import Path

from nextreel.errors import require
from nextreel.models.training.epochs import Epoch, losses_by_part
from nextreel.reporting.chart_style import BLUE, VERMILION, Chart, chart_of, space_labels, write_picture

COLORS = {"train": BLUE, "validation": VERMILION}


def plot_loss(epochs: Sequence[Epoch], directory: Path) -> None:
    """Write the curves of the train and the validation loss to the directory, as `loss.svg` and `loss.png`.

    Raises MissingExtraError if altair or vl-convert isn't installed.
    """
    chart = draw_loss(epochs).properties(width=640, height=360)
    write_picture(chart, "Loss by epoch", [describe_loss(epochs)], directory, "loss")


def draw_loss(epochs: Sequence[Epoch]) -> Chart:
    """Return an altair chart of the train and the validation loss by epoch, each curve labelled with its last loss."""
    altair = require("altair", "plots")
    curves = losses_by_part(epochs)
    points = [
        {"part": part, "epoch": epoch, "loss": loss}
        for part, curve in curves.items()
        for epoch, loss in curve
    ]
    colors = altair.Scale(domain=list(COLORS), range=list(COLORS.values()))
    color = altair.Color("part:N", legend=None, scale=colors)
    x = altair.X("epoch:Q", title="Epoch").axis(values=_choose_ticks(len(epochs)), format="d", grid=False)
    y = altair.Y("loss:Q", title="Mean loss").axis(tickCount=6, ticks=False).scale(zero=False, padding=12)
    lines = chart_of(points).encode(x.scale(nice=False), y, color)
    ends = chart_of(_label_ends(curves)).encode(x, color=color)
    return altair.layer(
        lines.mark_line(strokeWidth=2.5, strokeCap="round", strokeJoin="round"),
        ends.mark_point(filled=True, size=70, opacity=1).encode(y),
        ends.mark_text(align="left", dx=12, fontSize=13, fontWeight="bold").encode(
            y="position:Q", text="label:N"
        ),
    )


def describe_loss(epochs: Sequence[Epoch]) -> str:
    """Return a sentence on what the curves of the train and the validation loss show."""
    validation = losses_by_part(epochs)["validation"]
    if not validation:
        return "Without validation data"
    epoch, loss = min(validation, key=lambda point: point[1])
    return f"Validation loss is lowest, {loss:.4f}, after epoch {epoch}"


def _label_ends(curves: dict[str, list[tuple[int, float]]]) -> list[dict[str, str | float]]:
    """Return the last point of each loss curve, with its label and the label's position on the axis of the loss."""
    losses = [loss for curve in curves.values() for _, loss in curve]
    ends = sorted((curve[-1][1], curve[-1][0], part) for part, curve in curves.items() if curve)
    positions = space_labels([loss for loss, _, _ in ends], max(losses) - min(losses))
    return [
        {"part": part, "epoch": epoch, "loss": loss, "label": f"{part} {loss:.4f}", "position": position}
        for (loss, epoch, part), position in zip(ends, positions, strict=True)
    ]


def _choose_ticks(n_epochs: int) -> list[int]:
    """Return the epochs to mark on the axis: the first one and round numbers, about ten in all."""
    step = next((step for step in (1, 2, 5, 10, 20, 50) if n_epochs <= 12 * step), 100)
    return sorted({1, *range(step, n_epochs + 1, step)})
