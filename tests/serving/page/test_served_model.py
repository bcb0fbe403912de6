import re
from pathlib import Path
from typing import Any

import pytest

from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import add_evaluation, save
from nextreel.serving.page.served_model import tell_quality
from tests.serving.servers import serving

FIGURES: dict[str, Any] = {
    "protocol": {"history": "frozen", "k": 10, "threshold": 4.0, "exclude_seen": True},
    "split": {"rule": "clean", "positives": 5, "threshold": 4.0},
    "test": {"file": "test.csv", "sha256": "5bd13a6c8f21" + 52 * "0"},
    "queries": 1295,
    "users": 60,
    "metrics": {"NDCG@10": {"mean": 0.1234, "low": 0.12, "high": 0.1268}},
    "notes": ["A leak: 3 rows of the test part are in the train part too."],
}


def test_a_card_has_every_evaluation_that_was_noted_also_while_it_is_served(
    predictor: Predictor,
    tmp_path: Path,
) -> None:
    save(predictor, tmp_path / "model")
    add_evaluation(predictor, tmp_path / "model", FIGURES)
    with serving(tmp_path / "model", f"sqlite:///{tmp_path}/nextreel.db") as site:
        live = {**FIGURES["protocol"], "history": "live", "ties": "strict"}
        add_evaluation(predictor, tmp_path / "model", {**FIGURES, "protocol": live})
        text = " ".join(re.sub("<[^>]+>", " ", site.http.get("/model").text).split())
    assert text.count("NDCG@10 0.1234 0.1200 to 0.1268") == 2
    assert text.count("1,295 questions to 60 people") == 2
    assert "clean split. A history holds what the model learned from; seen movies excluded." in text
    assert (
        "clean split. A history holds everything rated before the question, without rows of the same second; "
        "seen movies excluded." in text
    )
    assert "test.csv 5bd13a6c8f21" in text
    assert predictor.dataset.fingerprint[:12] in text
    assert "A leak: 3 rows of the test part are in the train part too." in text
    assert "measured yet" not in text


def figures(history: str, recall: float, popularity: float | None) -> dict[str, Any]:
    """Figures with a recall, and that of popularity, both give or take 0.01."""
    of = {"Recall@10": {"mean": recall, "low": recall - 0.01, "high": recall + 0.01}}
    beside = (
        {"Recall@10": {"mean": popularity, "low": popularity - 0.01, "high": popularity + 0.01}}
        if popularity
        else {}
    )
    protocol = {**FIGURES["protocol"], "history": history}
    return {**FIGURES, "protocol": protocol, "metrics": of} | ({"popularity": beside} if beside else {})


@pytest.mark.parametrize(
    ("recall", "popularity", "compared"),
    [
        (0.2, 0.08, "20.0% of the time: 2.5 times as often as a list of what is popular (8.0%)."),
        (0.2, 0.19, "20.0% of the time: about as often as a list of what is popular (19.0%)."),
        (0.1, 0.2, "10.0% of the time: less often than a list of what is popular (20.0%)."),
        (0.2, None, "20.0% of the time."),
    ],
)
def test_a_sentence_says_how_good_a_model_is_beside_popularity(
    recall: float, popularity: float | None, compared: str
) -> None:
    told = tell_quality([figures("frozen", recall, popularity)])
    beginning = (
        "Asked 1,295 times what somebody would like next, it had that movie among its 10 recommendations "
    )
    assert told == beginning + compared


def test_the_sentence_is_about_histories_as_they_are_served() -> None:
    told = tell_quality([figures("frozen", 0.1, 0.05), figures("live", 0.2, 0.05)])
    assert told is not None
    assert "20.0% of the time" in told


def test_without_figures_there_is_no_sentence() -> None:
    assert tell_quality([]) is None
    assert tell_quality([FIGURES]) is None
