"""What tests read of a server's log."""

from pathlib import Path

import pytest

from tests.serving.servers import read_log


@pytest.mark.parametrize(
    "rest", [b"", b'{"mess', b'{"message": "\xe2'], ids=["no", "half-a", "half-a-character-of-a"]
)
def test_a_line_that_is_still_being_written_is_read_later(tmp_path: Path, rest: bytes) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"message": "one"}\n{"message": "two"}\n' + rest)
    assert [line["message"] for line in read_log(log)] == ["one", "two"]


def test_an_empty_log_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert read_log(tmp_path / "log") == []
