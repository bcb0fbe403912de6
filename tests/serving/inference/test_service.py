"""What is written through one service counts in the next result of every server, over both databases."""

import polars as pl
import pytest

from nextreel.errors import QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference import store_follower
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.movie_cards import MovieCard
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.store import NewInteraction, Outcome
from tests.serving.inference.lists import (
    draw_queries,
    draw_ratings,
    movie_ids,
    offline_lists,
    scored_lists,
    to_requests,
    with_ratings,
)
from tests.serving.servers import LATE


def test_after_more_ratings_the_lists_are_those_of_the_longer_data_set(
    service: Service, predictor: Predictor
) -> None:
    ratings, queries = draw_ratings(predictor.dataset, 60), draw_queries(predictor.dataset, 100)
    outcomes = service.remember(ratings)
    added = [rating for rating, outcome in zip(ratings, outcomes, strict=True) if outcome is Outcome.ADDED]
    assert len(added) > 40
    results = service.engine.recommend(to_requests(queries))
    assert scored_lists(results) == offline_lists(with_ratings(predictor, added), queries)


def test_what_is_stored_later_changes_no_earlier_list(service: Service, predictor: Predictor) -> None:
    queries = draw_queries(predictor.dataset, 100)
    requests, until = to_requests(queries), max(queries["Timestamp"].to_list())
    earlier = scored_lists(service.engine.recommend(requests))
    users = [*predictor.dataset.user_ids.tolist(), 90_001]
    service.remember([NewInteraction(user, 5, 1.0, until) for user in users])
    service.remember([NewInteraction(user, 6, 5.0, until + user) for user in users])
    assert scored_lists(service.engine.recommend(requests)) == earlier


def test_merging_the_recent_interactions_changes_no_list(
    service: Service, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_follower, "MERGE_FROM_INTERACTIONS", 1)
    service.remember(draw_ratings(predictor.dataset, 60))
    engine, requests = service.engine, to_requests(draw_queries(predictor.dataset, 100))
    earlier = scored_lists(engine.recommend(requests))
    assert len(engine.follower.last_snapshot.recent) > 0
    engine.follower.merge_if_due()
    assert len(engine.follower.last_snapshot.recent) == 0
    assert scored_lists(engine.recommend(requests)) == earlier


def test_a_rating_changes_the_very_next_list_of_every_server(service: Service, other: Engine) -> None:
    first = service.engine.recommend([RecommendationRequest(1, LATE)])[0]
    service.remember([NewInteraction(1, first.movies[0]["movie_id"], 5.0, LATE - 1)])
    for engine in (service.engine, other):
        result = engine.recommend([RecommendationRequest(1, LATE)])[0]
        assert result.history_length == first.history_length + 1
        assert first.movies[0]["movie_id"] not in movie_ids([result])[0]


def test_an_added_movie_can_be_recommended_and_rated_everywhere_at_once(
    service: Service, other: Engine
) -> None:
    assert service.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
    assert not service.add_movie(9_000, "Another (2020)", [])
    card: MovieCard = {
        "movie_id": 9_000,
        "title": "The Long Reel (2020)",
        "genres": ["Drama"],
        "year": 2020,
    }
    for engine in (service.engine, other):
        assert engine.movies.find(9_000) == card
        assert 9_000 in movie_ids(engine.recommend([RecommendationRequest(1, LATE, k=150)]))[0]
        assert engine.movies.search("long reel")[0]["movie_id"] == 9_000
        assert engine.movies.similar(9_000, LATE, 3)
    service.remember([NewInteraction(1, 9_000, 5.0, LATE - 1)])
    for engine in (service.engine, other):
        assert engine.histories.as_of(1)[0] == {**card, "rating": 5.0, "timestamp": LATE - 1}
        unknown_user = engine.recommend([RecommendationRequest(90_002, LATE, k=150)])[0]
        assert unknown_user.fallback == "popularity"
        assert 9_000 not in movie_ids(engine.recommend([RecommendationRequest(1, LATE, k=150)]))[0]


def test_a_movie_that_another_server_added_can_be_rated_at_once(service: Service, other: Engine) -> None:
    assert service.engine.movies.find(9_000) is None
    service.store.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
    assert service.remember([NewInteraction(1, 9_000, 5.0, LATE - 1)]) == [Outcome.ADDED]
    assert other.histories.as_of(1)[0]["movie_id"] == 9_000


def test_a_movie_that_is_added_changes_no_score_of_the_others(service: Service, predictor: Predictor) -> None:
    queries = draw_queries(predictor.dataset, 50)
    earlier = offline_lists(predictor, queries, 150)
    service.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
    later = scored_lists(service.engine.recommend(to_requests(queries, k=151)))
    assert [[(movie, score) for movie, score in row if movie != 9_000] for row in later] == earlier


def test_a_rating_of_an_unknown_movie_stores_nothing(service: Service) -> None:
    with pytest.raises(QueryError, match=r"movie 777 isn't in the catalog: POST /v1/movies adds it"):
        service.remember([NewInteraction(90_001, 2, 4.0, 5), NewInteraction(90_001, 777, 4.0, 6)])
    assert service.store.histories([90_001]).is_empty()


def test_an_erased_user_is_unknown_to_every_server(
    service: Service, other: Engine, predictor: Predictor
) -> None:
    assert service.erase(1).removed == len(predictor.dataset.interactions().filter(pl.col("UserID") == 1))
    rows = predictor.dataset.interactions().filter(pl.col("UserID") != 1)
    without_user = Predictor(predictor.model, predictor.dataset.with_interactions(rows))
    queries = draw_queries(predictor.dataset, 100)
    for engine in (service.engine, other):
        assert engine.recommend([RecommendationRequest(1, LATE)])[0].fallback == "popularity"
        assert scored_lists(engine.recommend(to_requests(queries))) == offline_lists(without_user, queries)


def test_a_user_who_comes_back_after_an_erasure_starts_anew(service: Service, other: Engine) -> None:
    service.erase(1)
    service.remember([NewInteraction(1, 2, 4.0, 5)])
    for engine in (service.engine, other):
        card = engine.movies.find(2)
        assert card is not None
        assert engine.histories.as_of(1) == [{**card, "rating": 4.0, "timestamp": 5}]
    service.erase(1)
    assert service.engine.histories.as_of(1) == []
    assert other.histories.as_of(1) == []


def test_an_export_holds_what_was_stored_about_a_user(service: Service) -> None:
    service.remember([NewInteraction(90_001, 2, 4.5, 5)])
    assert service.export(90_001) == {
        "user_id": 90_001,
        "interactions": [{"movie_id": 2, "rating": 4.5, "timestamp": 5}],
        "recommendations": [],
    }


def test_another_process_forgets_who_was_erased_without_a_query(service: Service, other: Engine) -> None:
    before = other.follower.last_snapshot
    other.follower.forget_erased()
    assert other.follower.last_snapshot is before
    assert service.erase(1).complete
    other.follower.forget_erased()
    assert 1 in before.users
    assert 1 not in other.follower.last_snapshot.users


def test_an_erasure_names_the_version_that_holds_the_user(service: Service) -> None:
    assert service.erase(1).kept_in_versions == [service.engine.version.name]
    assert service.erase(90_001).kept_in_versions == []
