"""Titles as people write them."""

import polars as pl
import pytest

from nextreel.data.titles import unify_genres, with_parsed_titles

TEXTS = {"Title": pl.String, "Genres": pl.String}


def parse(title: str | None, genres: str | None = None) -> tuple[str | None, list[str] | None, int | None]:
    movies = pl.DataFrame({"Title": [title], "Genres": [genres]}, schema=TEXTS)
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
        ("فيلم (١٩٩٥)", "فيلم (١٩٩٥)", None),
        ("映画 (１９９５)", "映画 (１９９５)", None),
        ("चलचित्र (१९९५)", "चलचित्र (१९९५)", None),
        ("Heat (199٥)", "Heat (199٥)", None),
        ("Heat (0000)", "Heat (0000)", 0),
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
        ("Drama | War", ["Drama", "War"]),
        (" Drama|\tWar\u00a0| |", ["Drama", "War"]),
        ("Drama|War|Drama", ["Drama", "War"]),
        ("Drama|drama|DRAMA", ["DRAMA"]),
        (" (no genres listed) ", []),
        ("(no genres listed)", []),
        ("", []),
        (None, None),
    ],
)
def test_genres_are_a_list(genres: str | None, listed: list[str] | None) -> None:
    assert parse("Heat (1995)", genres)[1] == listed


def genres_of(*cells: str | None) -> list[list[str] | None]:
    movies = pl.DataFrame({"Title": [None] * len(cells), "Genres": [*cells]}, schema=TEXTS)
    return with_parsed_titles(movies)["Genres"].to_list()


def test_a_genre_has_the_spelling_that_most_movies_have() -> None:
    cells = ("drama", "Drama|War", "Drama", "war", "WAR", "WAR")
    assert genres_of(*cells) == [["Drama"], ["Drama", "WAR"], ["Drama"], ["WAR"], ["WAR"], ["WAR"]]


def test_of_two_spellings_that_equally_many_have_the_first_in_the_alphabet_counts() -> None:
    assert genres_of("drama", "Drama") == [["Drama"], ["Drama"]]
    assert genres_of("Drama", "drama") == [["Drama"], ["Drama"]]


@pytest.mark.parametrize("other", ["film  noir", "FILM NOIR", " Film Noir", "Ｆｉｌｍ Ｎｏｉｒ"])
def test_case_blanks_and_wide_letters_make_no_genre_of_their_own(other: str) -> None:
    assert genres_of("Film Noir", other, "Film Noir") == [["Film Noir"]] * 3


def test_a_letter_with_an_accent_of_its_own_is_the_same_letter() -> None:
    assert genres_of("Com\u00e9die", "Come\u0301die", "Com\u00e9die") == [["Com\u00e9die"]] * 3


def test_genres_that_differ_in_letters_stay_apart() -> None:
    assert genres_of("Sci-Fi|SciFi", None, "") == [["Sci-Fi", "SciFi"], None, []]


def test_a_preferred_spelling_counts_however_few_movies_have_it() -> None:
    movies = pl.DataFrame({"Genres": [["drama"], ["drama", "WAR"]]})
    assert unify_genres(movies, ["Drama"])["Genres"].to_list() == [["Drama"], ["Drama", "WAR"]]
