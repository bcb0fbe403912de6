"""A server with small limits, so that the tests needn't wait or send much."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.servers import Server, serving


@pytest.fixture(scope="package")
def strict(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {
        "body_bytes": 100_000,
        "body_seconds": 0.4,
        "header_bytes": 10_000,
        "header_seconds": 0.5,
        "send_seconds": 0.5,
        "idle_seconds": 0.6,
    }
    with serving(model, f"sqlite:///{tmp_path_factory.mktemp('s')}/s.db", limits=limits) as started:
        yield started
