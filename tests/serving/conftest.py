"""Real databases: a file of SQLite, and a PostgreSQL server that starts once per test process."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.postgres import NoPostgresError, Postgres
from nextreel.serving.storage.store import Store
from tests.serving.servers import Server, serving


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    try:
        server = Postgres(durable=False)
    except NoPostgresError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nextreel.db"


@pytest.fixture(scope="session")
def used_databases() -> list[str]:
    """Names of the PostgreSQL databases that were used by earlier tests and are empty again."""
    return []


@pytest.fixture
def postgres_url(postgres: Postgres, used_databases: list[str]) -> Iterator[str]:
    """Return the URL of an empty PostgreSQL database."""
    if not used_databases:
        used_databases.append(uuid.uuid4().hex)
        postgres.create_database(used_databases[-1])
    name = used_databases.pop()
    yield postgres.url(name)
    postgres.empty_database(name)
    used_databases.append(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a module; each test uses other users."""
    with serving(model, f"sqlite:///{tmp_path_factory.mktemp('store')}/nextreel.db") as started:
        yield started
