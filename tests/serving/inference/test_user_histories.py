"""What users rated, over both databases."""

from nextreel.data.timeline import NEVER
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.service import Service
from nextreel.serving.inference.user_histories import SampledUser
from nextreel.serving.storage.store import NewInteraction


def test_a_history_shows_the_later_of_two_ratings_once_it_has_happened(service: Service) -> None:
    service.remember([NewInteraction(90_001, 2, 1.0, 10), NewInteraction(90_001, 2, 5.0, 20)])
    histories = service.engine.histories
    assert [movie["rating"] for movie in histories.as_of(90_001, 20)] == [1.0]
    assert [movie["rating"] for movie in histories.as_of(90_001, 21)] == [5.0]


def test_a_replay_ranks_what_was_watched_in_the_list_of_just_before(engine: Engine) -> None:
    replayed = engine.histories.replay(1, latest=10)
    assert [movie["timestamp"] for movie in replayed] == sorted(movie["timestamp"] for movie in replayed)
    for movie in replayed:
        listed = engine.recommend([RecommendationRequest(1, movie["timestamp"], k=100)])[0].movies
        ranks = [rank for rank, other in enumerate(listed, 1) if other["movie_id"] == movie["movie_id"]]
        assert movie["rank"] == (ranks[0] if ranks else None)


def test_a_history_and_what_was_rated_next_meet_at_its_timestamp(engine: Engine) -> None:
    all_ratings = engine.histories.as_of(1)[::-1]
    timestamp = all_ratings[20]["timestamp"]
    earlier = engine.histories.as_of(1, timestamp)[::-1]
    later = engine.histories.rated_next(1, timestamp, 1_000)
    assert earlier + later == all_ratings
    assert all(movie["timestamp"] >= timestamp for movie in later)


def test_sampled_users_go_from_short_to_long_histories(engine: Engine) -> None:
    users = engine.histories.sample_users(5)
    assert [user.n_ratings for user in users] == sorted(user.n_ratings for user in users)
    ratings = engine.histories.rated_next(users[0].user_id, 0, NEVER)
    first, latest = ratings[0]["timestamp"], ratings[-1]["timestamp"]
    assert users[0] == SampledUser(users[0].user_id, len(ratings), first, latest)
    assert users[0].span == latest - first
