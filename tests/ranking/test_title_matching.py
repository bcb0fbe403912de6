import polars as pl
import pytest

from nextreel.data.links import NO_LINKS
from nextreel.data.titles import with_parsed_titles
from nextreel.ranking.title_matching import MovieName, TitleMatch, TitleMatcher

TITLES = [
    "Matrix, The (1999)",
    "Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)",
    "Seven (a.k.a. Se7en) (1995)",
    "Rocky II (1979)",
    "Lord of the Rings: The Two Towers, The (2002)",
    "Romeo and Juliet (1968)",
    "Cinderella (1950)",
    "Cinderella (2015)",
    "Robin Hood: Prince of Thieves (1991)",
    "WALL·E (2008)",
    "Emma (1996)",
    "Emma (1996)",
    "Hyena Road",
    "Spider-Man (2002)",
    "Aftermath (2013)",
    "Aftermath (2012)",
    "Star Wars: Episode IV - A New Hope (1977)",
    "Star Wars: Episode V - The Empire Strikes Back (1980)",
    "Star Wars: Episode VII - The Force Awakens (2015)",
    "A New Hope (2015)",
]
MOVIES = with_parsed_titles(
    pl.DataFrame(
        {"MovieID": range(100, 100 + len(TITLES)), "Title": TITLES, "Genres": ["Drama"] * len(TITLES)}
    )
)
LINKS = pl.DataFrame({"MovieID": [100, 106], "ImdbID": [133_093, 42_332]})


def match(name: MovieName, links: pl.DataFrame = NO_LINKS) -> TitleMatch:
    return TitleMatcher.of(MOVIES, links).match(name)


@pytest.mark.parametrize(
    ("title", "year", "index"),
    [
        ("The Matrix", 1999, 0),
        ("Matrix", 1999, 0),
        ("the matrix", 1998, 0),
        ("Amélie", 2001, 1),
        ("Le Fabuleux Destin d’Amélie Poulain", 2001, 1),
        ("Se7en", 1995, 2),
        ("Seven", 1995, 2),
        ("Rocky 2", 1979, 3),
        ("The Lord of the Rings - The Two Towers", 2002, 4),
        ("Romeo & Juliet", 1968, 5),
        ("Cinderella", 2015, 7),
        ("Cinderella", 1951, 6),
        ("Wall-E", 2008, 9),
        ("Hyena Road", 2015, 12),
        ("Spider Man", 2002, 13),
        ("Aftermath", 2012, 15),
        ("Star Wars", 1977, 16),
        ("The Empire Strikes Back", 1980, 17),
        ("Star Wars: The Force Awakens", 2015, 18),
        ("Star Wars: Episode VII – The Force Awakens", 2015, 18),
        ("A New Hope", 1977, 16),
        ("A New Hope", 2015, 19),
    ],
)
def test_a_spelling_means_the_movie(title: str, year: int, index: int) -> None:
    assert match(MovieName(title, year)).movie == index


@pytest.mark.parametrize(
    ("title", "year", "reason"),
    [
        ("Matrix", 2003, "the catalog's movies of this title are of 1999"),
        ("Robin Hood", 1991, "the catalog has no movie of this title"),
        ("Emma", 1996, "several movies of the catalog have this title"),
        ("Cinderella", None, "several movies of the catalog have this title"),
        ("Matrixx", 1999, "the catalog has no movie of this title"),
        ("Star Wars", None, "several movies of the catalog have this title"),
        ("Star Wars", 1997, "the catalog's movies of this title are of 1977, 1980, 2015"),
    ],
)
def test_what_could_be_another_movie_is_not_guessed(title: str, year: int | None, reason: str) -> None:
    found = match(MovieName(title, year))
    assert (found.movie, found.reason) == (None, reason)


def test_movies_that_may_be_meant_are_candidates() -> None:
    assert match(MovieName("Robin Hood", 1991)).candidates == (8,)
    assert match(MovieName("Cinderella", None)).candidates == (6, 7)


def test_without_a_year_a_title_that_only_one_movie_has_is_enough() -> None:
    assert match(MovieName("The Matrix")).reason == "title alone"


def test_an_imdb_id_decides_whatever_the_title() -> None:
    found = match(MovieName("Something", 1900, imdb_id=133_093), LINKS)
    assert (found.movie, found.reason) == (0, "IMDb id")


def test_a_movie_with_another_imdb_id_is_another_movie() -> None:
    found = match(MovieName("The Matrix", 1999, imdb_id=1), LINKS)
    assert (found.movie, found.reason) == (None, "the catalog's movie of this title has another IMDb id")


def test_a_movie_without_a_known_imdb_id_is_found_by_its_title() -> None:
    assert match(MovieName("Rocky II", 1979, imdb_id=79_817), LINKS).movie == 3


def test_an_original_title_is_enough() -> None:
    name = MovieName("Die fabelhafte Welt der Amélie", 2001, "Le fabuleux destin d'Amélie Poulain")
    assert match(name).movie == 1


def test_a_movie_id_counts_only_with_the_title_of_its_movie() -> None:
    assert match(MovieName(movie_id=103)).movie == 3
    assert match(MovieName("Rocky II", 1979, movie_id=103)).reason == "MovieID"
    assert match(MovieName("Wall-E", 2008, movie_id=103)).movie == 9


def test_a_name_that_says_nothing_the_catalog_knows_is_no_movie() -> None:
    assert match(MovieName(movie_id=1)) == TitleMatch(None, "the catalog has no movie 1")
    assert match(MovieName(year=1999)) == TitleMatch(None, "it has no title")


def test_an_imdb_id_of_several_movies_means_none_of_them() -> None:
    links = pl.DataFrame({"MovieID": [100, 101, 999], "ImdbID": [133_093, 133_093, 133_093]})
    assert match(MovieName("The Matrix", 1999, imdb_id=133_093), links) == TitleMatch(
        None, "several movies of the catalog have its IMDb id", (0, 1)
    )


def test_a_movie_without_a_title_is_never_meant() -> None:
    movies = MOVIES.with_columns(Title=pl.when(pl.col("MovieID") == 103).then(None).otherwise("Title"))
    assert TitleMatcher.of(movies, NO_LINKS).match(MovieName("Rocky II", 1979)).movie is None
