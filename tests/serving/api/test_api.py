"""The API over HTTP, with a real server and a real store."""

import time
from typing import Any

import httpx
import pytest

from tests.serving.servers import LATE, Server


@pytest.fixture
def api(server: Server) -> Server:
    return server


def ids(result: dict[str, list[dict[str, int]]]) -> list[int]:
    return [movie["movie_id"] for movie in result["movies"]]


def test_a_result_carries_what_a_client_must_know(api: Server) -> None:
    result = api.recommend(1, LATE)
    assert set(result["movies"][0]) == {"movie_id", "title", "genres", "year", "score"}
    assert len(result["movies"]) == 10
    assert (result["user_id"], result["as_of"], result["fallback"]) == (1, LATE, None)
    assert result["history_length"] > 20
    assert set(result["model"]) == {"name", "version", "trained_at", "data_until"}
    assert result["model"]["name"] == "sequential-ridge"


def test_a_timestamp_can_be_written_in_several_ways(api: Server) -> None:
    texts = ("2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01T02:00:00+02:00", "2024-01-01 00:00")
    link = "/v1/users/1/recommendations"
    for timestamp in (LATE, *texts):
        assert api.recommend(1, timestamp)["as_of"] == LATE  # type: ignore[arg-type]
        assert api.ok("GET", link, params={"at": timestamp})["as_of"] == LATE


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing(api: Server) -> None:
    assert api.recommend(1.0, float(LATE), k=3.0)["movies"] == api.recommend(1, LATE, k=3)["movies"]  # type: ignore[arg-type]


def test_without_a_timestamp_the_end_of_this_second_is_meant(api: Server) -> None:
    earliest = int(time.time())
    assert earliest < api.recommend(1)["as_of"] <= int(time.time()) + 1


def test_a_plain_link_gives_the_same_list(api: Server) -> None:
    link = api.ok("GET", f"/v1/users/1/recommendations?at={LATE}&k=7")
    assert link["movies"] == api.recommend(1, LATE, k=7)["movies"]


def test_the_results_of_a_batch_come_in_the_order_of_its_queries(api: Server) -> None:
    queries = [{"user_id": user, "timestamp": LATE, "k": 3} for user in (3, 1, 90_404, 1)]
    results = api.ok("POST", "/v1/recommendations/batch", json={"queries": queries})["answers"]
    assert [result["user_id"] for result in results] == [3, 1, 90_404, 1]
    assert [result["fallback"] for result in results] == [None, None, "popularity", None]
    assert [ids(result) for result in results] == [ids(api.recommend(**query)) for query in queries]


def test_filters_narrow_the_list(api: Server) -> None:
    genre = api.recommend(1, LATE)["movies"][0]["genres"][0]
    result = api.recommend(
        1, LATE, include_genres=[genre.upper()], year_min=1990, exclude=ids(api.recommend(1, LATE))
    )
    assert result["movies"]
    assert all(genre in movie["genres"] and movie["year"] >= 1990 for movie in result["movies"])
    assert not set(ids(result)) & set(ids(api.recommend(1, LATE)))


def test_reasons_come_on_request(api: Server) -> None:
    for result in (
        api.recommend(1, LATE, explain=True),
        api.ok("GET", "/v1/users/1/recommendations?explain=true"),
    ):
        reasons = result["movies"][0]["reasons"]
        sizes = [abs(reason["contribution"]) for reason in reasons]
        assert len(reasons) == 5
        assert sizes == sorted(sizes, reverse=True)


def test_a_guest_can_send_ratings_with_the_query(api: Server) -> None:
    history = [{"movie_id": movie, "rating": 5} for movie in (2, 3, 4)]
    result = api.recommend(90_405, LATE, history=history)
    assert (result["history_length"], result["fallback"]) == (3, None)
    assert api.recommend(90_405, LATE)["history_length"] == 0


@pytest.mark.parametrize(("way", "user"), [("query", 91_001), ("batch", 91_002), ("link", 91_003)])
def test_a_rating_changes_the_very_next_list_of_the_same_second(api: Server, way: str, user: int) -> None:
    def recommend() -> dict[str, Any]:
        if way == "query":
            return api.recommend(user)
        if way == "link":
            return api.ok("GET", f"/v1/users/{user}/recommendations")
        batch = {"queries": [{"user_id": user}]}
        result: dict[str, Any] = api.ok("POST", "/v1/recommendations/batch", json=batch)["answers"][0]
        return result

    favourites = ids(recommend())[:5]
    for count, movie in enumerate(favourites, 1):
        api.rate(user, movie, 5)
        result = recommend()
        assert (result["history_length"], result["fallback"]) == (count, None)
        assert movie not in ids(result)


def test_the_same_rating_again_is_known_and_another_is_a_conflict(api: Server) -> None:
    row = {"user_id": 90_002, "movie_id": 2, "rating": 4, "timestamp": LATE}
    responses = [api.http.post("/v1/interactions", json=row) for _ in range(2)]
    assert [(response.status_code, response.json()["outcome"]) for response in responses] == [
        (201, "added"),
        (200, "known"),
    ]
    problem = api.problem(409, "POST", "/v1/interactions", json={**row, "rating": 5})
    assert problem["detail"] == "this user's rating of this movie in this second is stored with other stars"


def test_a_batch_of_ratings_has_an_outcome_for_each(api: Server) -> None:
    rows = [{"user_id": 90_003, "movie_id": 2, "rating": stars, "timestamp": LATE} for stars in (4, 4, 5)]
    stored = api.ok("POST", "/v1/interactions/batch", json={"interactions": rows})
    assert stored == {
        "added": 1,
        "known": 1,
        "conflicts": 1,
        "outcomes": ["added", "known", "conflict"],
        "counts_from": [LATE + 1, LATE + 1, None],
    }


def test_an_idempotency_key_gives_the_first_response_again_and_refuses_another_body(api: Server) -> None:
    row, key = {"user_id": 90_004, "movie_id": 2, "rating": 4, "timestamp": LATE}, {"Idempotency-Key": "a-1"}
    assert [api.http.post("/v1/interactions", json=row, headers=key).status_code for _ in range(2)] == [
        201,
        201,
    ]
    assert len(api.ok("GET", "/v1/users/90004")["interactions"]) == 1
    api.problem(409, "POST", "/v1/interactions", json={**row, "rating": 5}, headers=key)
    del row["timestamp"]
    problem = api.problem(422, "POST", "/v1/interactions", json=row, headers={"Idempotency-Key": "a-2"})
    assert problem["detail"].startswith("timestamp is needed beside an Idempotency-Key")


def test_a_rating_from_too_far_ahead_is_refused_and_a_clock_that_is_a_little_fast_is_not(api: Server) -> None:
    row = {"user_id": 90_005, "movie_id": 2, "rating": 4}
    ahead = {**row, "timestamp": int(time.time()) + 2 * 86_400}
    assert "ahead of the server's clock" in api.problem(422, "POST", "/v1/interactions", json=ahead)["detail"]
    api.rate(90_005, 2, 4, int(time.time()) + 3_600)


def test_a_rating_from_ahead_of_the_clock_says_from_when_on_it_counts(api: Server) -> None:
    ahead = int(time.time()) + 3_600
    counts_from = api.rate(90_017, 2, 4, ahead)["counts_from"]
    assert counts_from > ahead
    lengths = [
        api.recommend(90_017, timestamp)["history_length"]
        for timestamp in (None, counts_from - 1, counts_from)
    ]
    assert lengths == [0, 0, 1]


def test_a_rating_of_now_counts_at_once_and_says_so(api: Server) -> None:
    stored = api.rate(90_018, 2, 4)
    result = api.recommend(90_018)
    assert result["history_length"] == 1
    assert result["as_of"] >= stored["counts_from"]


def test_a_rating_of_a_movie_outside_the_catalog_is_refused_by_name(api: Server) -> None:
    row = {"user_id": 90_006, "movie_id": 777, "rating": 4}
    problem = api.problem(422, "POST", "/v1/interactions", json=row)
    assert problem["detail"] == "movie 777 isn't in the catalog: POST /v1/movies adds it"


def test_an_added_movie_can_be_found_rated_and_recommended(api: Server) -> None:
    movie = {"movie_id": 9_001, "title": "The Longest Reel", "year": 2020, "genres": ["Drama"]}
    first, again = (api.http.post("/v1/movies", json=movie) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == "/v1/movies/9001"
    assert api.ok("GET", "/v1/movies/9001") == first.json() == {**movie, "title": "The Longest Reel (2020)"}
    assert ids(api.ok("GET", "/v1/movies", params={"query": "longst reel"}))[0] == 9_001
    assert 9_001 in ids(api.recommend(90_007, k=1_000))
    api.rate(90_007, 9_001, 5, LATE)
    api.problem(409, "POST", "/v1/movies", json={**movie, "title": "Another"})


@pytest.mark.parametrize(
    ("title", "year", "shown"),
    [
        ("Reel, The", 2020, "The Reel (2020)"),
        ("The Reel (2020)", 2020, "The Reel (2020)"),
        ("Reel, The  (2020) ", None, "The Reel (2020)"),
        ("Reel", None, "Reel"),
    ],
)
def test_a_movie_added_again_in_the_same_words_is_known(
    api: Server, title: str, year: int | None, shown: str
) -> None:
    movie = {"movie_id": 9_100 + len(title), "title": title, "year": year, "genres": ["War", "Drama", "War"]}
    first, again = (api.http.post("/v1/movies", json=movie) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert (again.json()["title"], again.json()["genres"]) == (shown, ["War", "Drama"])
    problem = api.problem(409, "POST", "/v1/movies", json={**movie, "genres": ["Drama"]})
    assert problem["detail"] == f"the catalog has a movie {movie['movie_id']} already: {shown}, War|Drama"


def test_similar_movies_do_not_hold_the_movie_itself(api: Server) -> None:
    similar = ids(api.ok("GET", "/v1/movies/5/similar?k=8"))
    assert len(similar) == 8
    assert 5 not in similar


def test_a_movie_that_is_not_there_is_not_found(api: Server) -> None:
    for path in ("/v1/movies/777", "/v1/movies/777/similar"):
        assert api.problem(404, "GET", path)["detail"] == "movie 777 isn't in the catalog"


def test_a_history_is_cut_strictly_before_a_timestamp_and_comes_in_pages(api: Server) -> None:
    for second, movie in enumerate(ids(api.recommend(1, k=5))):
        api.rate(90_008, movie, 4, LATE + second)
    page = api.ok("GET", f"/v1/users/90008/history?before={LATE + 4}&limit=2&offset=1")
    assert (page["length"], page["before"]) == (4, LATE + 4)
    assert [row["timestamp"] for row in page["history"]] == [LATE + 2, LATE + 1]


def test_a_user_can_be_exported_and_erased(api: Server) -> None:
    api.rate(90_009, 2, 4.5, LATE)
    rows = [{"movie_id": 2, "rating": 4.5, "timestamp": LATE}]
    assert api.ok("GET", "/v1/users/90009") == {
        "user_id": 90_009,
        "interactions": rows,
        "recommendations": [],
    }
    erased = {"user_id": 90_009, "removed": 1, "complete": True, "kept_in_versions": []}
    assert api.ok("DELETE", "/v1/users/90009") == erased
    api.problem(404, "GET", "/v1/users/90009")
    assert api.recommend(90_009, LATE + 1)["fallback"] == "popularity"
    assert api.ok("DELETE", "/v1/users/90009")["removed"] == 0


def test_one_server_has_one_version_to_promote_and_none_to_go_back_to(api: Server) -> None:
    versions = api.ok("GET", "/v1/admin/models")["versions"]
    assert [version["current"] for version in versions] == [True]
    name = versions[0]["name"]
    assert api.ok("POST", f"/v1/admin/models/{name}/promote") == api.ok("GET", "/v1/model")
    api.problem(404, "POST", "/v1/admin/models/other/promote")
    api.problem(409, "POST", "/v1/admin/rollback")


def test_responses_are_compressed_for_clients_that_accept_it(api: Server) -> None:
    plain, packed = (
        httpx.get(f"{api.url}/v1/users/1/recommendations?k=100", headers={"Accept-Encoding": coding})
        for coding in ("identity", "gzip")
    )
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.json()["movies"] == plain.json()["movies"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023", 1_672_531_200),
        ("20230131", 1_675_123_200),
        ("2023-01-31T02:00:00+02:00", 1_675_123_200),
        ("2023-01-31T02:00 02:00", 1_675_123_200),
        ("1675123200", 1_675_123_200),
    ],
)
def test_a_time_in_an_address_is_read_as_people_write_it(api: Server, text: str, seconds: int) -> None:
    url = f"/v1/users/1/recommendations?k=1&at={text}"  # the plus isn't escaped
    assert api.ok("GET", url)["as_of"] == seconds
    assert api.ok("GET", f"/v1/users/1/history?before={text}")["before"] == seconds


def test_a_time_in_a_body_may_be_a_year_or_a_day(api: Server) -> None:
    for timestamp, seconds in (("2023", 1_672_531_200), ("20230131", 1_675_123_200), (2023, 2023)):
        assert api.recommend(1, timestamp)["as_of"] == seconds  # type: ignore[arg-type]


def test_milliseconds_are_refused_with_the_seconds_that_they_are(api: Server) -> None:
    problem = api.problem(422, "GET", "/v1/users/1/recommendations?at=1675123200000")
    assert "that looks like milliseconds (of 1675123200)" in problem["detail"]
