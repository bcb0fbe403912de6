import pytest

from nextreel.data.rating_scale import RatingScale
from nextreel.serving.page.movie_reasons import ReasonBar, tell_reasons
from nextreel.serving.page.posters import Poster


def reason(title: str, rating: float, contribution: float) -> ReasonBar:
    return {
        "movie_id": 1,
        "title": title,
        "genres": [],
        "year": None,
        "rating": rating,
        "timestamp": 0,
        "contribution": contribution,
        "share": 0.0,
        "poster": Poster.of({"movie_id": 1, "title": title, "genres": [], "year": None}),
    }


@pytest.mark.parametrize(
    ("reasons", "sentence"),
    [
        ([reason("Strictly Ballroom (1992)", 5, 0.2)], "Mostly because you liked Strictly Ballroom."),
        ([reason("Heat", 4, 0.2), reason("Big", 5, 0.1)], "Mostly because you liked Heat."),
        ([reason("Heat", 4, 0.2), reason("Big", 5, 0.15), reason("Alien", 5, 0.1)], None),
        (
            [
                reason("Heat", 4, 0.11),
                reason("Big", 3, 0.1),
                reason("Alien", 5, 0.1),
                reason("Jaws", 1, 0.09),
            ],
            "Because you liked Heat and Alien, and watched Big.",
        ),
        ([reason("Jaws", 1, 0.1)], "Mostly because you disliked Jaws."),
        (
            [reason("Heat", 4, 0.2), reason("Jaws", 2, -0.15)],
            "Mostly because you liked Heat. That you disliked Jaws speaks against it.",
        ),
        ([reason("Heat", 4, 0.2), reason("Jaws", 2, -0.01)], "Mostly because you liked Heat."),
        (
            [reason("Jaws", 2, -0.01)],
            "No single movie that you rated speaks for it; only all of them together do.",
        ),
        ([], "The list is what is popular: no rating speaks for or against it."),
    ],
)
def test_the_main_reasons_are_a_sentence(reasons: list[ReasonBar], sentence: str | None) -> None:
    expected = sentence or "Because you liked Heat, Big and Alien."
    assert tell_reasons(reasons, "you") == expected


@pytest.mark.parametrize(
    ("scale", "rating", "verdict"),
    [
        (RatingScale(liked_from=3.5), 3.5, "liked"),
        (RatingScale(liked_from=4), 3.5, "watched"),
        (RatingScale(lowest=1, highest=10, liked_from=7), 7, "liked"),
        (RatingScale(lowest=1, highest=10, liked_from=7), 6, "watched"),
        (RatingScale(lowest=1, highest=10, liked_from=7), 3, "disliked"),
        (RatingScale.without_ratings(), 5, "watched"),
    ],
)
def test_what_counts_as_liked_is_the_rule_of_the_data(
    scale: RatingScale, rating: float, verdict: str
) -> None:
    assert (
        tell_reasons([reason("Heat", rating, 0.2)], "they", scale) == f"Mostly because they {verdict} Heat."
    )
