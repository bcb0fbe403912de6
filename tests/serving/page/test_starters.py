from collections import Counter

from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.page.starters import choose_starters


def movie(movie_id: int, genre: str, year: int | None = 1995, title: str | None = None) -> MovieCard:
    return {"movie_id": movie_id, "title": title, "genres": [genre], "year": year}


def choose(*rated: tuple[MovieCard, int]) -> list[int]:
    return [int(starter["movie_id"]) for starter in choose_starters(rated)]


def test_the_most_rated_movies_of_different_genres_are_asked_about() -> None:
    dramas = [(movie(i, "Drama"), 1_000 - i) for i in range(20)]
    others = [(movie(100 + i, genre), 600) for i, genre in enumerate(("Horror", "War", "Comedy", "Western"))]
    chosen = choose(*dramas, *others)
    assert len(chosen) == 12
    assert {100, 101, 102, 103} < set(chosen)
    assert set(chosen) - {100, 101, 102, 103} == set(range(8))


def test_a_series_is_asked_about_once_as_long_as_there_are_others() -> None:
    series = [(movie(i, "Sci-Fi", title=f"Star Wars: Part {i} (1995)"), 1_000) for i in range(3)]
    genres = ("Drama", "War", "Comedy", "Western", "Horror", "Crime")
    others = [(movie(10 + i, genres[i % 6], 1950 + 10 * (i % 5), f"{i} {i} {i}"), 500) for i in range(18)]
    chosen = choose(*series, *others)
    assert len([movie_id for movie_id in chosen if movie_id < 3]) == 1


def test_decades_vary_too() -> None:
    rated = [(movie(i, "Drama", 1990 + i % 10), 1_000) for i in range(12)]
    older = [(movie(50 + i, "Drama", 1950 + 10 * i), 800) for i in range(4)]
    decades = Counter(movie_id >= 50 for movie_id in choose(*rated, *older))
    assert decades == {False: 8, True: 4}


def test_a_small_catalog_has_fewer_and_movies_without_title_year_and_genre_have_posters() -> None:
    untitled: MovieCard = {"movie_id": 7, "title": None, "genres": [], "year": None}
    (starter,) = choose_starters([(untitled, 0)])
    assert starter["poster"].title == "Movie 7"
