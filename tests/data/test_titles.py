"""Titles as people write them."""

import polars as pl
import pytest

from nextreel.data.titles import with_parsed_titles


def parse(title: str | None, genres: str | None = None) -> tuple[str | None, list[str] | None, int | None]:
    movies = pl.DataFrame(
        {"Title": [title], "Genres": [genres]}, schema={"Title": pl.String, "Genres": pl.String}
    )
    row: tuple[str | None, list[str] | None, int | None] = with_parsed_titles(movies).row(0)
    return row


@pytest.mark.parametrize(
    ("title", "shown", "year"),
    [
        ("Heat (1995)", "Heat (1995)", 1995),
        ("Net, The (1995)", "The Net (1995)", 1995),
        ("Bug's Life, A (1998)", "A Bug's Life (1998)", 1998),
        ("Affair to Remember, An (1957)", "An Affair to Remember (1957)", 1957),
        ("Avventura, L' (1960)", "L'Avventura (1960)", 1960),
        ("Misérables, Les (1995)", "Les Misérables (1995)", 1995),
        ("Postino, Il (The Postman) (1994)", "Il Postino (The Postman) (1994)", 1994),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly (1966)", 1966),
        ("Bye Bye, Love (1995)", "Bye Bye, Love (1995)", 1995),
        ("1984 (1984)", "1984 (1984)", 1984),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey (1968)", 1968),
        ("Heat  (1995) ", "Heat (1995)", 1995),
        ("(1995)", "(1995)", 1995),
        ("Babylon 5", "Babylon 5", None),
        ("Death Note (2006-2007)", "Death Note (2006-2007)", None),
        (None, None, None),
    ],
)
def test_a_title_is_shown_as_people_write_it(title: str | None, shown: str | None, year: int | None) -> None:
    assert parse(title)[::2] == (shown, year)


@pytest.mark.parametrize(
    ("genres", "listed"),
    [
        ("Drama|War", ["Drama", "War"]),
        ("Drama", ["Drama"]),
        ("Drama||War|", ["Drama", "War"]),
        ("(no genres listed)", []),
        ("", []),
        (None, None),
    ],
)
def test_genres_are_a_list(genres: str | None, listed: list[str] | None) -> None:
    assert parse("Heat (1995)", genres)[1] == listed
