from io import StringIO

import pytest

from nextreel.cli.terminal.console import PlainConsole, table
from nextreel.cli.terminal.fitting_table import FittingTable


def draw(shown: FittingTable, width: int) -> list[str]:
    console = PlainConsole(file=StringIO(), width=width)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.fixture
def figures() -> FittingTable:
    figures = table("Two models", "Model", "NDCG@10", "MRR@10", numbers=2)
    figures.add_row("sequential-ridge", "0.1662 [0.1604, 0.1719]", "0.1197 [0.1148, 0.1243]")
    return figures


def test_a_table_that_fits_has_its_intervals_beside_the_values(figures: FittingTable) -> None:
    assert any("0.1662 [0.1604, 0.1719]" in line for line in draw(figures, 80))


def test_a_narrower_table_has_its_intervals_below_the_values(figures: FittingTable) -> None:
    lines = draw(figures, 66)
    (row,) = [number for number, line in enumerate(lines) if "sequential-ridge" in line]
    assert "0.1662" in lines[row]
    assert "[0.1604, 0.1719]" in lines[row + 1]


def test_the_narrowest_form_is_a_block_for_each_row(figures: FittingTable) -> None:
    assert draw(figures, 36) == [
        "Two models",
        "sequential-ridge",
        "  NDCG@10  0.1662 [0.1604, 0.1719]",
        "  MRR@10   0.1197 [0.1148, 0.1243]",
    ]


def test_a_rank_and_the_name_beside_it_head_a_block() -> None:
    movies = table("", "", "Movie", "MovieID", numbers=1)
    movies.add_row("1", "Toy Story (1995)", "0f8fad5b-d9cb-469f-a165-70867728950e")
    assert "1 Toy Story (1995)" in draw(movies, 50)


def test_text_is_wrapped_between_words_before_anything_else_changes() -> None:
    movies = table("", "", "Movie", "Genres", "MovieID", numbers=1)
    movies.add_row("1", "The Metronome, the Sparrow and the Sea (2013)", "Drama, Romance, Thriller", "49")
    lines = draw(movies, 60)
    assert max(map(len, lines)) <= 60
    assert any("MovieID" in line and "Genres" in line for line in lines)


@pytest.mark.parametrize("width", range(20, 120, 7))
def test_no_line_is_wider_than_the_console(figures: FittingTable, width: int) -> None:
    assert all(len(line) <= width for line in draw(figures, width))


@pytest.mark.parametrize("width", [120, 66, 20])
def test_notes_are_as_wide_as_the_console_in_every_form_of_the_table(
    figures: FittingTable, width: int
) -> None:
    figures.notes = ["The data end on the last day of the year, at noon.", "Nothing else is known."]
    lines = draw(figures, width)
    assert max(map(len, lines)) <= width
    assert " ".join(lines).endswith(" ".join(figures.notes))
    assert width < 66 or lines[-2:] == figures.notes


@pytest.mark.parametrize("width", [120, 66, 20])
def test_no_form_of_the_table_prints_control_characters(width: int) -> None:
    escaped = "Red \x1b[31malert\x07"
    movies = table(escaped, "", escaped, "MovieID", numbers=1)
    movies.add_row("1", escaped, "7")
    movies.notes = [escaped]
    assert not {"\x1b", "\x07"} & set("".join(draw(movies, width)))
