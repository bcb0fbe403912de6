"""The page on data that has nothing but who watched what and when."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from nextreel.data.dataset import Dataset
from nextreel.data.rating_scale import RatingScale
from nextreel.data.sources.synthetic_data import make_sample
from nextreel.models.popularity import Popularity
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.serving.app import Settings
from nextreel.serving.inference.service import Service
from nextreel.serving.page import new_user, time_travel
from nextreel.serving.page.rendering import render
from nextreel.serving.page.url_parameters import NewUserForm
from nextreel.serving.server import prepare_store
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store

PLAYS = RatingScale.without_ratings()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("plain")
    url = f"sqlite:///{home}/nextreel.db"
    dataset = Dataset.from_frames(make_sample(users=30, movies=60, ratings=900).interactions)
    save(Predictor(Popularity().fit(dataset), dataset), home / "model")
    prepare_store(Settings(home / "model", url, keys_required=False), None, lambda done, total: None)
    with Store.open(url) as store:
        yield Service(store, VersionDirectory.open(Path(home / "model")))


def test_movies_without_titles_are_shown_and_found_by_their_ids(service: Service) -> None:
    asked = re.findall(
        r"Movie (\d+)</span>",
        render("newcomer.html", new_user.show(service, QueryParams(), True), "newcomer"),
    )
    assert len(asked) == 12
    for text in (asked[3], f"movie {asked[3]}"):
        view = new_user.show(service, QueryParams(q=text), True)
        assert [movie["movie_id"] for movie in view.found] == [int(asked[3])]
    assert new_user.show(service, QueryParams(q="9" * 18), True).found == []


def test_without_stars_the_page_says_what_was_watched(service: Service) -> None:
    user = service.engine.histories.sample_users(1)[0].user_id
    pages = [
        render("newcomer.html", new_user.show(service, QueryParams("stars-5=5"), True), "", scale=PLAYS),
        render(
            "time_travel.html", time_travel.show(service, QueryParams(user=str(user)), True), "", scale=PLAYS
        ),
        render(
            "strip.html", time_travel.show_strip(service, QueryParams(user=str(user)), True), "", scale=PLAYS
        ),
    ]
    for page in pages:
        assert "watched" in page
        assert "★" not in page
        assert not re.search(r"\bstars\b(?!-)", re.sub("<[^>]+>", "", page))


def test_ratings_on_another_scale_are_shown_as_numbers(service: Service) -> None:
    user = service.engine.histories.sample_users(1)[0].user_id
    ten = RatingScale(lowest=1, highest=10, liked_from=7)
    view = time_travel.show(service, QueryParams(user=str(user), moment="0"), True)
    page = render("time_travel.html", view, "", scale=ten)
    assert " of 10</span>" in page
    assert "★" not in page


@pytest.mark.parametrize("stars", [0.5, 1, 2.5, 3.5, 4, 4.5, 5])
@pytest.mark.parametrize("scale", [RatingScale(), RatingScale(lowest=0, highest=100, liked_from=60)])
def test_a_visitors_stars_become_ratings_on_the_scale_of_the_data(stars: float, scale: RatingScale) -> None:
    (row,) = NewUserForm({5: stars}).to_request(1, 1_000, 10, scale).history or ()
    assert scale.to_stars(np.array([row.rating], dtype=np.float32))[0] == stars
