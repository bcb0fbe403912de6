"""A short run of the soak test in which everything goes wrong at once."""

from pathlib import Path

import pytest

from benchmarks import hostile_soak
from nextreel.data.ids import encode_id


def test_nothing_is_lost_or_left_or_unanswered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    often = dict.fromkeys(hostile_soak.PAUSES, 1.0) | {"servers killed": 4.0}
    monkeypatch.setattr(hostile_soak, "PAUSES", often)
    result = hostile_soak.measure({"minutes": 0.15, "workers": 2, "seed": 0}, tmp_path)
    assert result["ratings acknowledged"] > 0
    assert result["ratings lost"] == 0
    assert result["files with an erased person"] == []
    assert result["health checks"]["unanswered"] == 0


def test_remains_are_found_as_text_as_digits_and_as_bytes(tmp_path: Path) -> None:
    code = encode_id("anne")
    (tmp_path / "log").write_text("GET /v1/users/anne")
    (tmp_path / "digits").write_text(f"user {code}")
    (tmp_path / "bytes").write_bytes(b"\0" + code.to_bytes(8, "big"))
    (tmp_path / "clean").write_text("ann")
    assert hostile_soak.find_remains(tmp_path, ["anne", "bert"]) == {"anne": ["bytes", "digits", "log"]}
