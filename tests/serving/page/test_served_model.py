import re
from pathlib import Path
from typing import Any

from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import add_evaluation, save
from tests.serving.servers import serving

FIGURES: dict[str, Any] = {
    "protocol": {"history": "frozen", "k": 10, "threshold": 4.0, "exclude_seen": True},
    "split": {"rule": "clean", "positives": 5, "threshold": 4.0},
    "test": {"file": "test.csv", "sha256": "5bd13a6c8f21" + 52 * "0"},
    "queries": 1295,
    "users": 60,
    "metrics": {"NDCG@10": {"mean": 0.1234, "low": 0.12, "high": 0.1268}},
    "notes": ["A leak: 3 rows of the test part were learned from too."],
}


def test_a_card_has_every_evaluation_that_was_noted_also_while_it_is_served(
    predictor: Predictor,
    tmp_path: Path,
) -> None:
    save(predictor, tmp_path / "model")
    add_evaluation(predictor, tmp_path / "model", FIGURES)
    with serving(tmp_path / "model", f"sqlite:///{tmp_path}/nextreel.db") as site:
        live = {**FIGURES["protocol"], "history": "live"}
        add_evaluation(predictor, tmp_path / "model", {**FIGURES, "protocol": live})
        text = " ".join(re.sub("<[^>]+>", " ", site.http.get("/model").text).split())
    assert text.count("NDCG@10 0.1234 0.1200 to 0.1268") == 2
    assert text.count("1,295 questions to 60 people") == 2
    assert "clean split. A history holds what the model learned from; seen movies excluded." in text
    assert "clean split. A history holds everything rated before the question; seen movies excluded." in text
    assert "test.csv 5bd13a6c8f21" in text
    assert predictor.dataset.fingerprint[:12] in text
    assert "A leak: 3 rows of the test part were learned from too." in text
    assert "saved without figures" not in text
