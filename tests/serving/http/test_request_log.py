"""The log of requests: plain lines in a terminal, JSON elsewhere."""

import json
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from nextreel.serving.http.request_log import JsonFormatter, PlainFormatter
from tests import warm_python


def make_record(
    fields: Mapping[str, object], name: str = "nextreel.access", level: int = logging.INFO
) -> logging.LogRecord:
    record = logging.LogRecord(name, level, "file", 1, "request", (), None)
    vars(record).update(fields)
    return record


REQUEST = {
    "request_id": "ab12",
    "method": "GET",
    "path": "/v1/movies/7",
    "status": 200,
    "ms": 1.9,
    "client": "::1",
}


def test_a_request_is_one_short_line() -> None:
    line = PlainFormatter().format(make_record(REQUEST))
    assert line[8:] == " GET /v1/movies/7 200 in 1.9 ms"
    assert line[2] == line[5] == ":"


def test_an_internal_error_names_the_request_that_its_traceback_belongs_to() -> None:
    line = PlainFormatter().format(make_record({**REQUEST, "status": 500}))
    assert line[8:] == " GET /v1/movies/7 500 in 1.9 ms, request_id ab12"


def test_a_refused_request_has_its_reason() -> None:
    line = PlainFormatter().format(make_record({**REQUEST, "status": 422, "error": "k is 0", "key": "shop"}))
    assert line[8:] == " GET /v1/movies/7 422 in 1.9 ms, error k is 0, key shop"


def test_a_path_cannot_forge_a_line_or_control_the_terminal() -> None:
    line = PlainFormatter().format(make_record({**REQUEST, "path": "/\n12:00:00 GET /\x1b[31m\u2028é"}))
    assert "/\\n12:00:00 GET /\\x1b[31m\\u2028é" in line
    assert line.isprintable()


NASTY = "/\n12:00:00 GET /\r\x1b[31m\x9b2J\u2028\u0085\x7f\U000e0001é"


def test_no_reader_of_the_json_log_sees_a_second_line_or_a_control_character() -> None:
    for field in ("path", "client", "request_id", "error", "key", "method"):
        line = JsonFormatter().format(make_record({**REQUEST, field: NASTY}))
        assert line.splitlines() == [line]
        assert line.isprintable()
        assert json.loads(line)[field] == NASTY


def test_half_a_character_does_not_break_the_log() -> None:
    line = JsonFormatter().format(make_record({**REQUEST, "path": "/\udcff\u2028"}))
    assert json.loads(line)["path"] == "/\udcff\u2028"
    assert line.isprintable()


@pytest.mark.parametrize("formatter", [PlainFormatter(), JsonFormatter()])
def test_the_message_of_an_error_forges_no_line(formatter: logging.Formatter) -> None:
    record = make_record({}, name="nextreel", level=logging.ERROR)
    try:
        raise ValueError(f"no such title: {NASTY}")
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *others = formatter.format(record).splitlines()
    assert "ValueError" in "".join([first, *others])
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_a_warning_has_its_level_and_fields() -> None:
    record = make_record({"version": "b"}, "nextreel", logging.WARNING)
    assert PlainFormatter().format(record)[8:] == " WARNING: request, version b"


def test_an_exception_is_followed_by_its_traceback() -> None:
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        record = logging.LogRecord(
            "nextreel", logging.ERROR, "file", 1, "a request failed", (), sys.exc_info()
        )
    lines = PlainFormatter().format(record).splitlines()
    assert lines[0].endswith("ERROR: a request failed")
    assert lines[-1] == "  ZeroDivisionError: by zero"


def test_json_has_every_field() -> None:
    line = json.loads(JsonFormatter().format(make_record(REQUEST)))
    assert line.items() >= {**REQUEST, "level": "INFO", "message": "request"}.items()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_form_of_the_log_follows_what_stderr_is(model: Path, tmp_path: Path, is_terminal: bool) -> None:
    ours, theirs = pty.openpty() if is_terminal else os.pipe()
    command = [*warm_python.python(), "-m", "nextreel", "serve", str(model), "--port", "0"]
    command += ["--store", f"sqlite:///{tmp_path}/nextreel.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        try:
            assert process.stdout is not None
            url = next(line for line in process.stdout if "http://" in line).split("http://")[1].split()[0]
            written = ask_until_logged(url, ours)
        finally:
            process.send_signal(signal.SIGTERM)
    os.close(ours)
    [line] = [line for line in written.splitlines() if "/v1/movies/1" in line][:1]
    if is_terminal:
        assert "GET /v1/movies/1 200 in " in line
    else:
        assert json.loads(line)["path"] == "/v1/movies/1"


def ask_until_logged(url: str, log: int) -> str:
    """Ask for a movie until the server has started, and return its log up to the line on that request."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://{url}/v1/movies/1").raise_for_status()
            break
        except httpx.HTTPError:
            continue
    written = ""
    while "/v1/movies/1" not in written or not written.endswith("\n"):
        written += os.read(log, 65536).decode()
    return written
