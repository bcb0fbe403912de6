"""Exports over HTTP, and lists for several people."""

from base64 import b64encode

import pytest

from nextreel.prediction.predictor import Predictor
from tests.data.exports.invented import NETFLIX, pack
from tests.serving.servers import LATE, Server

HEADER = "Date,Name,Year,Letterboxd URI,Rating\n"


@pytest.fixture
def export(predictor: Predictor) -> str:
    """An export of three movies of the catalog and a film that it doesn't have."""
    rows = predictor.dataset.movies.head(3).select("Title", "Year").rows()
    lines = [f'2023-01-0{day},"{title.removesuffix(f" ({year})").replace(chr(34), chr(34) * 2)}",{year},u,4.5' for day, (title, year) in enumerate(rows, 1)]  # fmt: skip
    return HEADER + "\n".join(lines) + "\n2023-01-09,Nowhere Known,1999,u,4\n"


def test_an_export_is_matched_and_its_history_gets_a_list(
    server: Server, export: str, predictor: Predictor
) -> None:
    answer = server.ok("POST", "/v1/histories", json={"text": export})
    movie_ids = predictor.dataset.movies["MovieID"].head(3).to_list()
    assert [row["movie_id"] for row in answer["history"]] == movie_ids
    assert (answer["films"], answer["matched"]) == (4, 3)
    assert answer["unmatched"][0]["title"] == "Nowhere Known"
    listed = server.recommend(1, answer["as_of"], history=answer["history"])
    assert listed["history_length"] == 3
    assert not {movie["movie_id"] for movie in listed["movies"]} & set(movie_ids)


def test_a_zip_comes_in_base64(server: Server, export: str) -> None:
    packed = b64encode(pack({"ratings.csv": export})).decode()
    assert server.ok("POST", "/v1/histories", json={"base64": packed})["matched"] == 3


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"text": "Name,Price\nTea,3\n"}, "text, line 1: has the header 'Name, Price'; expected the header"),
        ({}, "give either text or base64"),
        ({"text": "x", "base64": "eHh4"}, "give either text or base64"),
        ({"base64": "eHh4x"}, "base64: expected base64"),
        ({"text": "Title,Date\nHeat,1/2/23\n"}, "may begin with the day or with the month"),
        ({"text": "x", "dates": "any"}, "dates: "),
    ],
)
def test_a_wrong_file_is_one_problem(server: Server, body: dict[str, str], detail: str) -> None:
    assert detail in server.problem(422, "POST", "/v1/histories", json=body)["detail"]


def test_an_export_may_be_longer_than_other_bodies_but_not_endless(server: Server) -> None:
    long = NETFLIX + "Heat,1/1/23\n" * 40_000 + " " * 1_000_000
    assert server.http.post("/v1/histories", json={"text": long}).status_code in (200, 422)
    server.problem(413, "POST", "/v1/histories", json={"text": "x" * 14_000_001})
    server.problem(413, "POST", "/v1/recommendations", json={"text": "x" * 1_000_001})


def test_nothing_of_an_export_gets_into_the_log_or_the_store(server: Server, export: str) -> None:
    server.ok("POST", "/v1/histories", json={"text": export})
    server.problem(422, "POST", "/v1/histories", json={"text": HEADER + "Secret,Heat,1995,u,4\n"})
    log = server.log.read_text()
    assert "Nowhere Known" not in log
    assert "Secret" not in log


def test_a_joint_list_suits_everybody_and_has_nothing_that_one_has_seen(server: Server) -> None:
    answer = server.ok(
        "POST", "/v1/recommendations/together", json={"user_ids": [1, 2], "timestamp": LATE, "explain": True}
    )
    assert len(answer["movies"]) == 10
    seen = {
        row["movie_id"]
        for user in (1, 2)
        for row in server.ok("GET", f"/v1/users/{user}/history?limit=1000")["history"]
    }
    assert not seen & {movie["movie_id"] for movie in answer["movies"]}
    suits = answer["movies"][0]["suits"]
    assert [one["user_id"] for one in suits] == [1, 2]
    assert all(0 < one["percentile"] <= 100 and one["reasons"] for one in suits)


def test_a_joint_list_of_one_is_their_own(server: Server) -> None:
    joint = server.ok("POST", "/v1/recommendations/together", json={"user_ids": [1], "timestamp": LATE})
    own = server.recommend(1, LATE)
    assert [m["movie_id"] for m in joint["movies"]] == [m["movie_id"] for m in own["movies"]]
    assert joint["unknown"] == []


def test_somebody_unknown_is_named(server: Server) -> None:
    answer = server.ok("POST", "/v1/recommendations/together", json={"user_ids": [1, 999_999]})
    assert answer["unknown"] == [999_999]


@pytest.mark.parametrize(
    "body", [{"user_ids": []}, {"user_ids": [1] * 11}, {"user_ids": [1], "rule": "best"}]
)
def test_a_wrong_joint_query_is_a_problem(server: Server, body: dict[str, object]) -> None:
    server.problem(422, "POST", "/v1/recommendations/together", json=body)


FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n%b\r\n--x--\r\n'
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({}, 415),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
    ],
)
def test_only_the_pages_own_form_sends_a_file(
    server: Server, export: str, headers: dict[str, str], status: int
) -> None:
    for path in ("/films",) if status == 200 else ("/films", "/films/keep"):
        response = server.http.post(path, content=FORM % export.encode(), headers=MULTIPART | headers)
        assert response.status_code == status, response.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b'--x\r\nContent-Disposition: form-data; name="person"\r\n\r\n{}\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="person"\r\n\r\n{"rows":[["a",1,1]],"open":[],"notes":[]}\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="take"\r\n\r\n0-0-99999999999999999999\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="take"\r\n\r\nnonsense\r\n--x--\r\n',
    ],
)
def test_a_form_that_the_page_never_sent_is_a_problem(server: Server, body: bytes) -> None:
    response = server.http.post(
        "/films", content=body, headers={**MULTIPART, "sec-fetch-site": "same-origin"}
    )
    assert response.status_code == 422
    assert 'role="alert"' in response.text
    assert response.headers["cache-control"] == "no-store"
