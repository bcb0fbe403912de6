"""Pictures of figures, as SVG and PNG, drawn without a browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nextreel.errors import require
from nextreel.models.training.epochs import Epoch, losses_by_part
from nextreel.reporting.chart_style import write_picture

COLORS = {"train": "#0072b2", "validation": "#d55e00"}
"""Blue and vermilion of Okabe and Ito's palette, which colour-blind readers can tell apart."""
LABEL_HEIGHT = 0.06
"""Of a curve's label, as a part of the plot's height; labels that are closer are pushed apart."""


def plot_loss(epochs: Sequence[Epoch], directory: Path) -> None:
    """Write the curves of the train and the validation loss as `loss.svg` and `loss.png`.

    Raises MissingExtraError without altair and vl-convert.
    """
    chart = draw_loss(epochs).properties(width=640, height=360)
    write_picture(chart, "Loss by epoch", [describe_loss(epochs)], directory, "loss")


def draw_loss(epochs: Sequence[Epoch]) -> Any:
    """An altair chart of both curves, each with its last loss beside its end."""
    altair = require("altair", "plots")
    curves = losses_by_part(epochs)
    points = [
        {"part": part, "epoch": epoch, "loss": loss}
        for part, curve in curves.items()
        for epoch, loss in curve
    ]
    colors = altair.Scale(domain=list(COLORS), range=list(COLORS.values()))
    color = altair.Color("part:N", legend=None, scale=colors)
    x = altair.X("epoch:Q", title="Epoch").axis(values=_whole_ticks(len(epochs)), format="d", grid=False)
    y = altair.Y("loss:Q", title="Mean loss").axis(tickCount=6, ticks=False).scale(zero=False, padding=12)
    lines = altair.Chart(altair.Data(values=points)).encode(x.scale(nice=False), y, color)
    ends = altair.Chart(altair.Data(values=_label_ends(curves))).encode(x, color=color)
    return altair.layer(
        lines.mark_line(strokeWidth=2.5, strokeCap="round", strokeJoin="round"),
        ends.mark_point(filled=True, size=70, opacity=1).encode(y),
        ends.mark_text(align="left", dx=12, fontSize=13, fontWeight="bold").encode(
            y="place:Q", text="label:N"
        ),
    )


def describe_loss(epochs: Sequence[Epoch]) -> str:
    """What a reader should see in the curves."""
    validation = losses_by_part(epochs)["validation"]
    if not validation:
        return "Without validation data"
    epoch, loss = min(validation, key=lambda point: point[1])
    return f"Validation loss is lowest, {loss:.4f}, after epoch {epoch}"


def _label_ends(curves: dict[str, list[tuple[int, float]]]) -> list[dict[str, str | float]]:
    """The last point of each curve with its `label`, and the `place` of the label on the axis of the loss."""
    losses = [loss for curve in curves.values() for _, loss in curve]
    ends = sorted((curve[-1][1], curve[-1][0], part) for part, curve in curves.items() if curve)
    gap = ends[-1][0] - ends[0][0]
    push = max(0.0, LABEL_HEIGHT * (max(losses) - min(losses)) - gap) / 2 if len(ends) > 1 else 0.0
    return [
        {"part": part, "epoch": epoch, "loss": loss, "label": f"{part} {loss:.4f}", "place": loss + shift}
        for (loss, epoch, part), shift in zip(ends, (-push, push), strict=False)
    ]


def _whole_ticks(n_epochs: int) -> list[int]:
    """The first epoch and round ones, about ten in all."""
    step = next((step for step in (1, 2, 5, 10, 20, 50) if n_epochs <= 12 * step), 100)
    return sorted({1, *range(step, n_epochs + 1, step)})
