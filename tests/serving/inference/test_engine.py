"""The engine over both databases: its answers are the offline ones, and follow what the store learns."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nextreel.data.dataset import Dataset
from nextreel.data.schema import INTERACTIONS, MOVIE_ID
from nextreel.errors import QueryError
from nextreel.prediction.predictor import Predictor
from nextreel.ranking.filters import Filters
from nextreel.serving.inference import store_follower
from nextreel.serving.inference.engine import Engine, RecommendationRequest, RecommendationResult
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import NewInteraction, Outcome, Store
from tests.serving.servers import LATE

Lists = list[list[tuple[int, float]]]


@pytest.fixture
def filled(store: Store, predictor: Predictor) -> Store:
    store.import_dataset(predictor.dataset, lambda done, total: None)
    return store


@pytest.fixture
def engine(filled: Store, model: Path) -> Engine:
    return Engine.open(VersionDirectory.open(model).current, filled)


def queries(dataset: Dataset, count: int, seed: int = 0) -> pl.DataFrame:
    """People at the moments of their ratings, a second later, and long after; two whom nobody knows."""
    random = np.random.default_rng(seed)
    row = random.integers(0, len(dataset.timeline), count)
    users = dataset.user_ids[dataset.timeline.users[row]]
    at = dataset.timeline.timestamps[row] + random.choice([0, 1, 10**7], count)
    return pl.DataFrame({"UserID": [*users, 90_001, 90_002], "Timestamp": [*at, LATE, 0]})


def lists(answers: list[RecommendationResult]) -> Lists:
    return [[(movie["movie_id"], movie["score"]) for movie in answer.movies] for answer in answers]


def movies(answers: list[RecommendationResult]) -> list[list[int]]:
    return [[movie["movie_id"] for movie in answer.movies] for answer in answers]


def offline(predictor: Predictor, asked: pl.DataFrame, k: int = 10) -> Lists:
    """The same lists by Predictor, without movies that only fill one up."""
    found = predictor.recommend(asked, k)
    rows = [list(zip(part[MOVIE_ID], part["Score"], strict=True)) for part in found.iter_slices(k)]
    return [[(movie, score) for movie, score in row if score is not None] for row in rows]


def requests(asked: pl.DataFrame, **more: object) -> list[RecommendationRequest]:
    return [RecommendationRequest(user, at, **more) for user, at in asked.iter_rows()]  # type: ignore[arg-type]


def extended(predictor: Predictor, *rows: NewInteraction) -> Predictor:
    """As if these ratings had been in the data set, as the last ones of its file."""
    more = pl.DataFrame([vars(row) for row in rows]).rename(
        {"user_id": "UserID", "movie_id": "MovieID", "rating": "Rating", "timestamp": "Timestamp"}
    )
    whole = pl.concat([predictor.dataset.interactions(), more.cast(INTERACTIONS.schema)])
    return Predictor(predictor.model, predictor.dataset.with_interactions(whole))


def draw_ratings(dataset: Dataset, count: int, seed: int = 1) -> list[NewInteraction]:
    """By people who are known and others, in the past and later; some movies rated again."""
    random = np.random.default_rng(seed)
    drawn = zip(
        random.choice([*dataset.user_ids[:8], 90_001], count).tolist(),
        random.choice(dataset.movie_ids[:40], count).tolist(),
        random.integers(1, 6, count).tolist(),
        random.choice([*dataset.timeline.timestamps[:200], *range(LATE, LATE + 50)], count).tolist(),
        strict=True,
    )
    return [NewInteraction(*row) for row in drawn]


def test_its_lists_are_the_offline_ones_to_the_last_digit(engine: Engine, predictor: Predictor) -> None:
    asked = queries(predictor.dataset, 200)
    assert lists(engine.recommend(requests(asked))) == offline(predictor, asked)


def test_one_query_alone_gets_the_list_that_it_gets_in_a_batch(engine: Engine, predictor: Predictor) -> None:
    asked = requests(queries(predictor.dataset, 40))
    alone = [movies(engine.recommend([request]))[0] for request in asked]
    assert alone == movies(engine.recommend(asked))


def test_after_more_ratings_its_lists_are_those_of_the_longer_data_set(
    engine: Engine,
    predictor: Predictor,
) -> None:
    rows, asked = draw_ratings(predictor.dataset, 60), queries(predictor.dataset, 100)
    added = [
        row for row, outcome in zip(rows, engine.remember(rows), strict=True) if outcome is Outcome.ADDED
    ]
    assert len(added) > 40
    assert lists(engine.recommend(requests(asked))) == offline(extended(predictor, *added), asked)


def test_what_is_stored_later_changes_no_earlier_list(engine: Engine, predictor: Predictor) -> None:
    asked = queries(predictor.dataset, 100)
    until = int(asked["Timestamp"].max())  # type: ignore[arg-type]
    before = lists(engine.recommend(requests(asked)))
    users = [*predictor.dataset.user_ids.tolist(), 90_001]
    engine.remember([NewInteraction(user, 5, 1.0, until) for user in users])
    engine.remember([NewInteraction(user, 6, 5.0, until + user) for user in users])
    assert lists(engine.recommend(requests(asked))) == before


def test_folding_what_came_into_the_bulk_changes_no_list(
    engine: Engine,
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_follower, "FEWEST_TO_FOLD", 1)
    engine.remember(draw_ratings(predictor.dataset, 60))
    asked = requests(queries(predictor.dataset, 100))
    before = lists(engine.recommend(asked))
    assert len(engine.log.last_snapshot.recent) > 0
    engine.log.fold_if_due()
    assert len(engine.log.last_snapshot.recent) == 0
    assert lists(engine.recommend(asked)) == before


def test_a_rating_changes_the_very_next_answer_of_every_server(engine: Engine, filled: Store) -> None:
    other = Engine.open(engine.version, filled)
    first = engine.recommend([RecommendationRequest(1, LATE)])[0]
    engine.remember([NewInteraction(1, first.movies[0]["movie_id"], 5.0, LATE - 1)])
    for each in (engine, other):
        answer = each.recommend([RecommendationRequest(1, LATE)])[0]
        assert answer.history_length == first.history_length + 1
        assert first.movies[0]["movie_id"] not in movies([answer])[0]


def test_a_newcomer_gets_what_is_popular_and_is_told_so(engine: Engine) -> None:
    answer = engine.recommend([RecommendationRequest(90_001, LATE)])[0]
    assert (answer.fallback, answer.history_length) == ("popularity", 0)
    assert answer.fallback_reason == "nothing is known of user 90001 before 2024-01-01 00:00:00 UTC"


def test_three_ratings_are_enough_for_a_personal_answer(engine: Engine) -> None:
    engine.remember([NewInteraction(90_001, movie, 5.0, LATE - 9 + movie) for movie in (2, 3, 4)])
    answer = engine.recommend([RecommendationRequest(90_001, LATE)])[0]
    assert (answer.fallback, answer.fallback_reason, answer.history_length) == (None, None, 3)


def test_a_guests_ratings_count_and_are_not_stored(engine: Engine, filled: Store) -> None:
    rows = tuple(NewInteraction(90_001, movie, 5.0, LATE - 9 + movie) for movie in (2, 3, 4))
    guest = engine.recommend([RecommendationRequest(90_001, LATE, history=rows)])
    assert filled.histories([90_001]).is_empty()
    engine.remember(rows)
    assert lists(guest) == lists(engine.recommend([RecommendationRequest(90_001, LATE)]))


def test_a_guests_unknown_movie_is_named(engine: Engine) -> None:
    with pytest.raises(QueryError, match="movie 777 isn't in the catalog"):
        engine.recommend([RecommendationRequest(1, LATE, history=(NewInteraction(1, 777, 5.0, 1),))])


def test_a_list_that_filters_leave_too_short_says_why(engine: Engine) -> None:
    asked = RecommendationRequest(1, LATE, k=10, filters=Filters(exclude=frozenset(range(4, 10_000))))
    answer = engine.recommend([asked])[0]
    assert 0 < len(answer.movies) <= 4
    assert answer.shortfall is not None
    assert answer.shortfall.startswith(
        f"only {len(answer.movies)} of the catalog's 150 movies were out by then"
    )


def test_more_movies_than_the_catalog_has_are_not_made_up(engine: Engine) -> None:
    answer = engine.recommend([RecommendationRequest(90_001, LATE, k=1_000)])[0]
    assert len(answer.movies) == 150
    assert answer.shortfall is not None


def test_requests_of_one_batch_keep_their_own_filters(engine: Engine) -> None:
    genre = engine.catalog.genres[0]
    only = RecommendationRequest(1, LATE, k=5, filters=Filters(include_genres=frozenset([genre])))
    free = RecommendationRequest(1, LATE, k=5)
    alone = movies(engine.recommend([only])) + movies(engine.recommend([free]))
    assert movies(engine.recommend([only, free])) == alone
    assert all(genre in movie["genres"] for movie in engine.recommend([only])[0].movies)


def test_diversity_makes_another_list_of_the_same_length(engine: Engine) -> None:
    plain, varied = engine.recommend(
        [RecommendationRequest(1, LATE), RecommendationRequest(1, LATE, diversity=0.8)]
    )
    assert len(plain.movies) == len(varied.movies) == 10
    assert lists([plain]) != lists([varied])


def test_without_the_strongest_reason_the_score_falls(engine: Engine) -> None:
    movie = engine.recommend([RecommendationRequest(1, LATE, explain=True)])[0].movies[0]
    strongest = max(movie["reasons"], key=lambda reason: reason["contribution"])
    rows = [
        NewInteraction(1, row["movie_id"], row["rating"], row["timestamp"])
        for row in engine.history(1)[::-1]
        if row["movie_id"] != strongest["movie_id"]
    ]
    without = engine.recommend(
        [RecommendationRequest(1, LATE, k=150, exclude_seen=False, history=tuple(rows))]
    )[0]
    score = next(each["score"] for each in without.movies if each["movie_id"] == movie["movie_id"])
    assert strongest["contribution"] > 0
    assert score == pytest.approx(movie["score"] - strongest["contribution"], abs=1e-5)


def test_an_added_movie_can_be_recommended_and_rated_everywhere_at_once(
    engine: Engine, filled: Store
) -> None:
    other = Engine.open(engine.version, filled)
    assert engine.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
    assert not engine.add_movie(9_000, "Another (2020)", [])
    card = {"movie_id": 9_000, "title": "The Long Reel (2020)", "genres": ["Drama"], "year": 2020}
    for each in (engine, other):
        assert each.movie(9_000) == card
        assert 9_000 in movies(each.recommend([RecommendationRequest(1, LATE, k=150)]))[0]
        assert each.search("long reel")[0]["movie_id"] == 9_000
        assert each.similar(9_000, LATE, 3)
    other.remember([NewInteraction(1, 9_000, 5.0, LATE - 1)])
    assert engine.history(1)[0] == {**card, "rating": 5.0, "timestamp": LATE - 1}
    assert engine.recommend([RecommendationRequest(90_002, LATE, k=150)])[0].fallback == "popularity"
    assert 9_000 not in movies(engine.recommend([RecommendationRequest(1, LATE, k=150)]))[0]


def test_a_movie_that_is_added_changes_no_score_of_the_others(engine: Engine, predictor: Predictor) -> None:
    asked = queries(predictor.dataset, 50)
    before = offline(predictor, asked, 150)
    engine.add_movie(9_000, "The Long Reel (2020)", ["Drama"])
    after = lists(engine.recommend(requests(asked, k=151)))
    assert [[each for each in row if each[0] != 9_000] for row in after] == before


def test_who_was_erased_is_unknown_to_every_server(
    engine: Engine,
    filled: Store,
    predictor: Predictor,
) -> None:
    other = Engine.open(engine.version, filled)
    assert engine.erase(1) == len(predictor.dataset.interactions().filter(pl.col("UserID") == 1))
    rows = predictor.dataset.interactions().filter(pl.col("UserID") != 1)
    left = Predictor(predictor.model, predictor.dataset.with_interactions(rows))
    asked = queries(predictor.dataset, 100)
    for each in (engine, other):
        assert each.recommend([RecommendationRequest(1, LATE)])[0].fallback == "popularity"
        assert lists(each.recommend(requests(asked))) == offline(left, asked)


def test_who_comes_back_after_an_erasure_starts_anew(engine: Engine, filled: Store) -> None:
    other = Engine.open(engine.version, filled)
    engine.erase(1)
    engine.remember([NewInteraction(1, 2, 4.0, 5)])
    assert [each.span(1) for each in (engine, other)] == [
        {"user_id": 1, "ratings": 1, "first": 5, "latest": 5}
    ] * 2
    engine.erase(1)
    assert engine.span(1) is None
    assert other.span(1) is None


def test_a_rating_of_an_unknown_movie_stores_nothing(engine: Engine, filled: Store) -> None:
    with pytest.raises(QueryError, match=r"movie 777 isn't in the catalog: POST /v1/movies adds it"):
        engine.remember([NewInteraction(90_001, 2, 4.0, 5), NewInteraction(90_001, 777, 4.0, 6)])
    assert filled.histories([90_001]).is_empty()


def test_a_history_shows_the_later_of_two_ratings_once_it_has_happened(engine: Engine) -> None:
    engine.remember([NewInteraction(90_001, 2, 1.0, 10), NewInteraction(90_001, 2, 5.0, 20)])
    assert [row["rating"] for row in engine.history(90_001, 20)] == [1.0]
    assert [row["rating"] for row in engine.history(90_001, 21)] == [5.0]


def test_a_replay_ranks_what_was_watched_in_the_list_of_just_before(engine: Engine) -> None:
    replayed = engine.replay(1, latest=10)
    assert [row["timestamp"] for row in replayed] == sorted(row["timestamp"] for row in replayed)
    for row in replayed:
        listed = engine.recommend([RecommendationRequest(1, row["timestamp"], k=100)])[0].movies
        found = [place for place, each in enumerate(listed, 1) if each["movie_id"] == row["movie_id"]]
        assert row["rank"] == (found[0] if found else None)


def test_history_and_what_came_next_meet_at_the_moment(engine: Engine) -> None:
    everything = engine.history(1)[::-1]
    moment = everything[20]["timestamp"]
    before, after = engine.history(1, moment)[::-1], engine.rated_next(1, moment, 1_000)
    assert before + after == everything
    assert all(row["timestamp"] >= moment for row in after)


def test_people_to_look_at_go_from_short_to_long_histories(engine: Engine) -> None:
    found = engine.find_people(5)
    assert [each["ratings"] for each in found] == sorted(each["ratings"] for each in found)
    assert found[0] == engine.span(found[0]["user_id"])


def test_an_empty_store_is_a_store(store: Store, model: Path) -> None:
    engine = Engine.open(VersionDirectory.open(model).current, store)
    answer = engine.recommend([RecommendationRequest(1, LATE)])[0]
    assert (answer.fallback, len(answer.movies)) == ("popularity", 10)
    assert engine.find_people() == []
    assert engine.replay(1) == []
