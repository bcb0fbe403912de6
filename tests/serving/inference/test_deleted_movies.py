"""A deleted movie is gone from every list and search of every server, and its ratings stay."""

import numpy as np
import pytest

from nextreel.data.ids import Id
from nextreel.data.timeline import NEVER
from nextreel.errors import QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.filters import Filters
from nextreel.serving.inference.catalog import Catalog
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.store import NewInteraction, Store
from tests.serving.servers import LATE

ADDED = 9_000
EVERYBODY = range(1, 40)


def listed(engine: Engine, k: int = 150, **options: object) -> set[Id]:
    """The movies of the lists of many users, as long as lists can be."""
    requests = [RecommendationRequest(user, LATE, k, **options) for user in EVERYBODY]  # type: ignore[arg-type]
    return {movie["movie_id"] for result in engine.recommend(requests) for movie in result.movies}


@pytest.fixture(params=["of the model", "added"])
def movie(request: pytest.FixtureRequest, service: Service, other: Engine) -> int:
    """A movie that is in the lists and the search of both servers."""
    service.add_movie(ADDED, "The Long Reel (2020)", ["Drama"])
    movie_id = 7 if request.param == "of the model" else ADDED
    for engine in (service.engine, other):
        assert movie_id in listed(engine)
        assert movie_id in {found["movie_id"] for found in engine.movies.search(title(engine, movie_id), 100)}
    return movie_id


def title(engine: Engine, movie_id: int) -> str:
    catalog = engine.follower.catch_up().catalog
    return catalog.cards[int(catalog.find(np.array([movie_id]))[0])]["title"] or ""


def test_it_is_gone_from_lists_search_and_similar_movies(service: Service, other: Engine, movie: int) -> None:
    name = title(other, movie)
    assert service.delete_movie(movie)
    for engine in (other, service.engine):
        assert movie not in listed(engine)
        assert movie not in listed(engine, exclude_seen=False)
        assert movie not in listed(engine, k=10, diversity=0.5)
        assert movie not in listed(engine, filters=Filters(year_min=1900))
        assert movie not in {found["movie_id"] for found in engine.movies.search(name, 100)}
        assert engine.movies.find(movie) is None
        assert engine.movies.similar(movie, LATE) is None
        assert movie not in {found["movie_id"] for found in engine.movies.similar(3, LATE, 100) or []}


def test_the_other_movies_keep_their_places(service: Service, movie: int) -> None:
    request = RecommendationRequest(1, LATE, 150)
    before = [found["movie_id"] for found in service.engine.recommend([request])[0].movies]
    service.delete_movie(movie)
    after = service.engine.recommend([request])[0]
    assert [found["movie_id"] for found in after.movies] == [each for each in before if each != movie]
    assert after.shortfall is not None
    assert "of the catalog's 150 movies" in after.shortfall


def test_its_ratings_stay_and_count(service: Service, other: Engine, movie: int) -> None:
    service.remember([NewInteraction(90_001, movie, 5.0, LATE - 10)])
    service.delete_movie(movie)
    assert [rated["movie_id"] for rated in other.histories.as_of(90_001)] == [movie]
    assert other.recommend([RecommendationRequest(90_001, LATE)])[0].history_length == 1
    assert [rated["rank"] for rated in other.histories.replay(90_001)] == [None]
    service.add_movie(movie, title(other, movie), card_genres(other, movie))
    assert [rated["movie_id"] for rated in other.histories.as_of(90_001)] == [movie]


def card_genres(engine: Engine, movie_id: int) -> list[str]:
    catalog = engine.follower.catch_up().catalog
    return catalog.cards[int(catalog.find(np.array([movie_id]))[0])]["genres"]


def test_adding_it_again_brings_it_back(service: Service, other: Engine, movie: int) -> None:
    name, genres, before = title(other, movie), card_genres(other, movie), listed(other)
    service.delete_movie(movie)
    assert service.add_movie(movie, name, genres)
    assert not service.add_movie(movie, name, genres)
    assert listed(other) == before
    assert listed(service.engine) == before


def test_an_added_movie_may_come_back_with_another_title(service: Service, other: Engine) -> None:
    service.add_movie(ADDED, "The Long Reel (2050)", ["Drama"])
    service.delete_movie(ADDED)
    assert service.add_movie(ADDED, "The Short Reel (2020)", ["War"])
    assert title(other, ADDED) == "The Short Reel (2020)"
    assert other.movies.search("short reel")[0]["movie_id"] == ADDED
    assert ADDED in listed(other)  # 2050 is far away, 2020 isn't


def test_a_movie_of_the_model_comes_back_only_as_it_was(service: Service, other: Engine) -> None:
    service.delete_movie(7)
    assert not service.add_movie(7, "Another title", [])
    assert other.movies.find(7) is None


def test_a_deleted_movie_cannot_be_rated_by_anybody(service: Service, movie: int) -> None:
    service.delete_movie(movie)
    with pytest.raises(QueryError, match=f"movie {movie} isn't in the catalog"):
        service.remember([NewInteraction(90_001, movie, 5.0, LATE)])
    guest = (NewInteraction(90_001, movie, 5.0, LATE - 1),)
    with pytest.raises(QueryError, match=f"movie {movie} isn't in the catalog"):
        service.engine.recommend([RecommendationRequest(90_001, LATE, history=guest)])


def test_deleting_twice_is_as_deleting_once_and_an_unknown_movie_cannot_be_deleted(
    service: Service, movie: int
) -> None:
    assert service.delete_movie(movie)
    assert service.delete_movie(movie)
    assert not service.delete_movie(987_654)


def test_a_deleted_movie_that_a_refit_left_out_can_be_deleted_again_and_restored(
    service: Service, filled: Store
) -> None:
    filled.delete_movie(ADDED)  # of an earlier model's catalog
    assert service.delete_movie(ADDED)
    assert service.add_movie(ADDED, "The Long Reel (2020)", ["Drama"])
    assert ADDED in listed(service.engine)


def test_a_server_that_starts_later_has_the_same_catalog(service: Service, filled: Store, movie: int) -> None:
    service.delete_movie(movie)
    started = Engine.open(service.engine.version, filled)
    assert movie not in listed(started)
    assert listed(started) == listed(service.engine)


def test_genres_and_years_of_deleted_movies_only_are_not_offered(service: Service, other: Engine) -> None:
    service.add_movie(ADDED, "The Long Reel (2120)", ["Opera"])
    catalog = other.follower.catch_up().catalog
    assert ("Opera" in catalog.genres, (catalog.years or (0, 0))[1]) == (True, 2120)
    service.delete_movie(ADDED)
    catalog = other.follower.catch_up().catalog
    assert ("Opera" in catalog.genres, (catalog.years or (0, 0))[1] < 2120) == (False, True)


def test_a_movie_added_later_changes_no_earlier_one(service: Service, other: Engine) -> None:
    """With a lower MovieID, too: it used to take the place of an added movie, and its ratings."""
    service.add_movie(ADDED, "The Long Reel (2020)", ["Drama"])
    service.remember([NewInteraction(90_001, ADDED, 5.0, LATE - 10)])
    for engine in (service.engine, other):
        assert [rated["title"] for rated in engine.histories.as_of(90_001)] == ["The Long Reel (2020)"]
    service.add_movie(8_000, "The First Reel (2020)", ["War"])
    for engine in (service.engine, other):
        assert [rated["title"] for rated in engine.histories.as_of(90_001)] == ["The Long Reel (2020)"]
        assert engine.movies.search("first reel")[0]["movie_id"] == 8_000


def test_an_added_movie_that_can_no_longer_be_read_keeps_its_place(
    predictor: Predictor, store: Store
) -> None:
    for movie_id in (8_000, 9_000):
        store.add_movie(movie_id, f"Reel {movie_id}", ["Drama"])
    catalog = Catalog.of(predictor.dataset).with_added(store.movies())
    later = catalog.with_added(store.movies().filter(store.movies()["MovieID"] == 9_000))
    assert later.movie_ids.tolist() == catalog.movie_ids.tolist()
    assert later.deleted == {8_000}
    assert NEVER > LATE


def test_an_added_movie_takes_the_spelling_of_the_catalogs_genres(service: Service, other: Engine) -> None:
    service.add_movie(ADDED, "The Long Reel (2020)", ["dRAMA", "Opera"])
    service.add_movie(ADDED + 1, "The Short Reel (2020)", ["opera "])
    assert card_genres(other, ADDED) == ["Drama", "Opera"]
    assert card_genres(other, ADDED + 1) == ["Opera"]
    assert ADDED not in listed(other, filters=Filters(exclude_genres=frozenset({"Drama"})))
    assert not service.add_movie(ADDED, "The Long Reel (2020)", ["Drama", "Opera"])
