"""The engine over both databases: its lists are those of Predictor, and its results say what a client must know."""

import gc
import weakref
from pathlib import Path

import pytest

from nextreel.errors import QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.filters import Filters
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import NewInteraction, Store
from tests.serving.inference.lists import draw_queries, movie_ids, offline_lists, scored_lists, to_requests
from tests.serving.servers import LATE


def test_its_lists_are_the_offline_ones_to_the_last_digit(engine: Engine, predictor: Predictor) -> None:
    queries = draw_queries(predictor.dataset, 200)
    assert scored_lists(engine.recommend(to_requests(queries))) == offline_lists(predictor, queries)


def test_one_query_alone_gets_the_list_that_it_gets_in_a_batch(engine: Engine, predictor: Predictor) -> None:
    requests = to_requests(draw_queries(predictor.dataset, 40))
    alone = [movie_ids(engine.recommend([request]))[0] for request in requests]
    assert alone == movie_ids(engine.recommend(requests))


def test_a_new_user_gets_what_is_popular_and_is_told_why(engine: Engine) -> None:
    result = engine.recommend([RecommendationRequest(90_001, LATE)])[0]
    assert (result.fallback, result.history_length) == ("popularity", 0)
    assert result.fallback_reason == "nothing is known of user 90001 before 2024-01-01 00:00:00 UTC"


def test_three_ratings_are_enough_for_a_personal_list(service: Service) -> None:
    service.remember([NewInteraction(90_001, movie, 5.0, LATE - 9 + movie) for movie in (2, 3, 4)])
    result = service.engine.recommend([RecommendationRequest(90_001, LATE)])[0]
    assert (result.fallback, result.fallback_reason, result.history_length) == (None, None, 3)


def test_a_guests_ratings_count_and_are_not_stored(service: Service) -> None:
    engine = service.engine
    ratings = [NewInteraction(90_001, movie, 5.0, LATE - 9 + movie) for movie in (2, 3, 4)]
    as_guest = engine.recommend([RecommendationRequest(90_001, LATE, history=tuple(ratings))])
    assert service.store.histories([90_001]).is_empty()
    service.remember(ratings)
    assert scored_lists(as_guest) == scored_lists(engine.recommend([RecommendationRequest(90_001, LATE)]))


def test_a_guests_unknown_movie_is_named(engine: Engine) -> None:
    with pytest.raises(QueryError, match="movie 777 isn't in the catalog"):
        engine.recommend([RecommendationRequest(1, LATE, history=(NewInteraction(1, 777, 5.0, 1),))])


def test_a_list_that_filters_leave_too_short_says_why(engine: Engine) -> None:
    request = RecommendationRequest(1, LATE, k=10, filters=Filters(exclude=frozenset(range(4, 10_000))))
    result = engine.recommend([request])[0]
    assert 0 < len(result.movies) <= 4
    assert result.shortfall is not None
    assert result.shortfall.startswith(
        f"only {len(result.movies)} of the catalog's 150 movies were out by then"
    )


def test_more_movies_than_the_catalog_has_are_not_made_up(engine: Engine) -> None:
    result = engine.recommend([RecommendationRequest(90_001, LATE, k=1_000)])[0]
    assert len(result.movies) == 150
    assert result.shortfall is not None


def test_requests_of_one_batch_keep_their_own_filters(engine: Engine) -> None:
    genre = engine.follower.last_snapshot.catalog.genres[0]
    filtered = RecommendationRequest(1, LATE, k=5, filters=Filters(include_genres=frozenset([genre])))
    free = RecommendationRequest(1, LATE, k=5)
    alone = movie_ids(engine.recommend([filtered])) + movie_ids(engine.recommend([free]))
    assert movie_ids(engine.recommend([filtered, free])) == alone
    assert all(genre in movie["genres"] for movie in engine.recommend([filtered])[0].movies)


def test_diversity_makes_another_list_of_the_same_length(engine: Engine) -> None:
    plain, varied = engine.recommend(
        [RecommendationRequest(1, LATE), RecommendationRequest(1, LATE, diversity=0.8)]
    )
    assert len(plain.movies) == len(varied.movies) == 10
    assert scored_lists([plain]) != scored_lists([varied])


def test_reasons_are_only_found_for_the_requests_of_a_batch_that_ask_for_them(engine: Engine) -> None:
    plain, explained = engine.recommend(
        [RecommendationRequest(1, LATE), RecommendationRequest(2, LATE, explain=True)]
    )
    assert plain.reasons is None
    assert explained.reasons is not None
    assert len(explained.reasons) == len(explained.movies)
    rated = {movie["movie_id"] for movie in engine.histories.as_of(2, LATE)}
    assert all(reason["movie_id"] in rated for reasons in explained.reasons for reason in reasons)


def test_without_the_strongest_reason_the_score_falls(engine: Engine) -> None:
    result = engine.recommend([RecommendationRequest(1, LATE, explain=True)])[0]
    assert result.reasons is not None
    movie, reasons = result.movies[0], result.reasons[0]
    strongest = max(reasons, key=lambda reason: reason["contribution"])
    history = [
        NewInteraction(1, rated["movie_id"], rated["rating"], rated["timestamp"])
        for rated in engine.histories.as_of(1)[::-1]
        if rated["movie_id"] != strongest["movie_id"]
    ]
    without = engine.recommend(
        [RecommendationRequest(1, LATE, k=150, exclude_seen=False, history=tuple(history))]
    )[0]
    score = next(listed["score"] for listed in without.movies if listed["movie_id"] == movie["movie_id"])
    assert strongest["contribution"] > 0
    assert score == pytest.approx(movie["score"] - strongest["contribution"], abs=1e-5)


def test_an_engine_is_freed_without_the_garbage_collector(filled: Store, model: Path) -> None:
    engine = Engine.open(VersionDirectory.open(model).current, filled)
    engine.recommend([RecommendationRequest(1, LATE)])
    engine.histories.replay(1, 5)
    engine.movies.search("the")
    reference = weakref.ref(engine)
    gc.disable()
    try:
        del engine
        assert reference() is None
    finally:
        gc.enable()


def test_an_empty_store_is_a_store(store: Store, model: Path) -> None:
    engine = Engine.open(VersionDirectory.open(model).current, store)
    result = engine.recommend([RecommendationRequest(1, LATE)])[0]
    assert (result.fallback, len(result.movies)) == ("popularity", 10)
    assert engine.histories.sample_users() == []
    assert engine.histories.replay(1) == []
