"""Movies with odd titles, genres and ids harm nothing: what is stored can be listed, searched, deleted and restarted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextreel.data.schema import LARGEST_INTEGER
from nextreel.prediction.predictor import Predictor
from nextreel.serving.inference.engine import Engine
from nextreel.serving.inference.list_requests import RecommendationRequest
from nextreel.serving.inference.readiness import Readiness
from nextreel.serving.inference.service import Service
from nextreel.serving.storage.model_versions import VersionDirectory
from nextreel.serving.storage.store import Store
from tests.serving.ratings import ignore_progress
from tests.serving.servers import LATE

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="|"), min_size=1)
DIGITS = st.text(st.characters(categories=["Nd", "No", "Nl"]), min_size=1, max_size=6)
TITLES = st.one_of(
    TEXTS,
    DIGITS.map("A ({})".format),
    st.sampled_from(
        [
            "(0000)",
            "A (0000)",
            "A (9999)",
            "(1999)",
            "A (1999) (2000)",
            ", The (2000)",
            "A, The",
            "\u202e(1999)",
            "()",
        ]
    ),
    st.tuples(TEXTS, DIGITS).map(lambda parts: f"{parts[0]}, L' ({parts[1]})"),
)
GENRES = st.lists(
    st.one_of(TEXTS, st.sampled_from(["Drama", "dRAMA", "(no genres listed)", "ﬁlm", "film"])), max_size=4
)
MOVIES = 3
"""Number of movies that are added, restarted with and deleted together."""
IDS = st.one_of(st.integers(10_000, LARGEST_INTEGER), st.sampled_from([LARGEST_INTEGER, LARGEST_INTEGER - 1]))


@pytest.fixture(scope="module")
def service(model: Path, predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('odd')}/n.db") as store:
        store.import_dataset(predictor.dataset, ignore_progress)
        yield Service(store, VersionDirectory.open(model))


@given(
    st.lists(
        st.tuples(IDS, TITLES, GENRES), min_size=MOVIES, max_size=MOVIES, unique_by=lambda movie: movie[0]
    )
)
@settings(max_examples=settings().max_examples // 2 // MOVIES, suppress_health_check=list(HealthCheck))
def test_an_odd_movie_harms_neither_lists_nor_searches_nor_a_restart(
    service: Service, movies: list[tuple[int, str, list[str]]]
) -> None:
    for movie_id, title, genres in movies:
        service.add_movie(movie_id, title, genres)
    restarted = Engine.open(service.engine.version, service.store)
    for engine in (service.engine, restarted):
        for movie_id, title, _ in movies:
            found = engine.movies.find(movie_id)
            assert found is not None
            engine.movies.search(title[:200], 5)
            assert engine.movies.similar(movie_id, LATE, 5) is not None
        query = RecommendationRequest(1, LATE, 1_000, diversity=0.2, calibration=0.2)
        assert len(engine.recommend([query])[0].movies) > 50
    assert Readiness(service).check() == 0
    for movie_id, _, _ in movies:
        assert service.delete_movie(movie_id)
        assert service.engine.movies.find(movie_id) is None
