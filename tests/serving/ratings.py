"""Two users, a movie and a rating for the tests of the store."""

from nextreel.serving.storage.store import NewInteraction

ANNE, BEN = 1, 2
ALIEN = 10


def rating(user: int = ANNE, movie: int = ALIEN, stars: float = 4.0, second: int = 100) -> NewInteraction:
    return NewInteraction(user, movie, stars, second)


def ignore_progress(done: int, total: int) -> None:
    pass
