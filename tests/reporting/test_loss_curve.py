"""Tests of the chart of the loss."""

from pathlib import Path
from xml.etree import ElementTree

from nextreel.models.training.epochs import Epoch
from nextreel.reporting.loss_curve import plot_loss

EPOCHS = [Epoch(1, 0.4, 0.39, 1.0), Epoch(2, 0.3, 0.25, 1.0), Epoch(3, 0.1234, 0.26789, 1.0)]


def texts_of(file: Path) -> list[str]:
    return [text for element in ElementTree.parse(file).iter() if (text := (element.text or "").strip())]


def height_of(label: str, file: Path) -> float:
    """Return the vertical position of a text, in pixels from the top of the plot."""
    element = next(node for node in ElementTree.parse(file).iter() if node.text == label)
    return float(element.attrib["transform"].removesuffix(")").split(",")[-1])


def test_curves_are_labelled_with_their_last_loss(tmp_path: Path) -> None:
    plot_loss(EPOCHS, tmp_path)
    assert {"train 0.1234", "validation 0.2679"} <= set(texts_of(tmp_path / "loss.svg"))


def test_the_lowest_validation_loss_is_named(tmp_path: Path) -> None:
    plot_loss(EPOCHS, tmp_path)
    assert "Validation loss is lowest, 0.2500, after epoch 2" in texts_of(tmp_path / "loss.svg")


def test_axes_have_titles_and_whole_epochs(tmp_path: Path) -> None:
    plot_loss(EPOCHS, tmp_path)
    texts = texts_of(tmp_path / "loss.svg")
    assert {"Epoch", "Mean loss", "1", "2", "3"} <= set(texts)
    assert "1.5" not in texts


def test_labels_of_close_curves_are_pushed_apart(tmp_path: Path) -> None:
    plot_loss([Epoch(1, 0.4, 0.3, 1.0), Epoch(2, 0.2001, 0.2, 1.0)], tmp_path)
    file = tmp_path / "loss.svg"
    assert height_of("validation 0.2000", file) - height_of("train 0.2001", file) > 13


def test_a_fit_without_validation_has_one_curve(tmp_path: Path) -> None:
    plot_loss([Epoch(1, 0.4, None, 1.0), Epoch(2, 0.3, None, 1.0)], tmp_path)
    texts = texts_of(tmp_path / "loss.svg")
    assert "train 0.3000" in texts
    assert not any(text.startswith("validation") for text in texts)


def test_a_single_epoch_has_a_chart_too(tmp_path: Path) -> None:
    plot_loss(EPOCHS[:1], tmp_path)
    assert "train 0.4000" in texts_of(tmp_path / "loss.svg")


def test_the_png_is_valid_and_twice_as_wide_as_the_svg(tmp_path: Path) -> None:
    plot_loss(EPOCHS, tmp_path)
    png = (tmp_path / "loss.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width = float(ElementTree.parse(tmp_path / "loss.svg").getroot().attrib["width"])
    assert abs(int.from_bytes(png[16:20], "big") - 2 * width) <= 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["loss.png", "loss.svg"]
