"""The movies that a visitor is asked about first: well-known ones, of different kinds and from different times."""

import math
from collections.abc import Sequence

from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.page.posters import MovieWithPoster, design_posters, rank_looks, title_without_year

N_STARTERS, N_CANDIDATES = 12, 120
"""Number of starters, and number of the most rated movies from which they are chosen."""
SAME_LOOK, SAME_DECADE, SAME_SERIES = 0.4, 0.25, 1.5
"""What a candidate loses for each movie chosen before with the same genre, decade or first words of the title, in
units of the natural logarithm of the number of ratings: 0.25 is a fifth of the ratings."""
WORDS_OF_A_SERIES = 2
"""Number of words that titles of one series, such as Star Wars, have in common at least."""


def choose_starters(most_rated: Sequence[tuple[MovieCard, int]]) -> list[MovieWithPoster]:
    """Choose up to N_STARTERS of the most rated movies, each given with its number of ratings, the most rated first."""
    chosen = _vary([movie for movie, _ in most_rated], [n_ratings for _, n_ratings in most_rated])
    posters = design_posters(chosen)
    return [{**movie, "poster": posters[movie["movie_id"]]} for movie in chosen]


def _vary(movies: Sequence[MovieCard], n_ratings: Sequence[int]) -> list[MovieCard]:
    """Choose movies one after the other, each the most rated one less what it has in common with those before it."""
    kinds = [_kinds(movie) for movie in movies]
    gains = [math.log1p(count) for count in n_ratings]
    chosen: list[int] = []
    while len(chosen) < min(N_STARTERS, len(movies)):
        best = max((i for i in range(len(movies)) if i not in chosen), key=gains.__getitem__)
        chosen.append(best)
        for kind, loss in kinds[best].items():
            for i, of_movie in enumerate(kinds):
                if kind in of_movie:
                    gains[i] -= loss
    return [movies[i] for i in sorted(chosen)]


def _kinds(movie: MovieCard) -> dict[str, float]:
    """Return the kinds of movies that this one belongs to, with the loss for another of the same kind."""
    year = movie["year"]
    words = title_without_year(movie).casefold().removeprefix("the ").split()
    kinds = {f"look {rank_looks(movie['genres'])[0]}": SAME_LOOK}
    if year is not None:
        kinds[f"decade {year // 10}"] = SAME_DECADE
    if movie["title"] is not None:
        kinds[f"series {' '.join(words[:WORDS_OF_A_SERIES]).rstrip(':,')}"] = SAME_SERIES
    return kinds
