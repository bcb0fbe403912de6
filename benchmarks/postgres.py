"""A temporary PostgreSQL server, with its files in a new directory and on a free port of this machine."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

STARTING_SECONDS = 60
"""Maximum seconds that the server takes to start."""


class NoPostgresError(Exception):
    """PostgreSQL's server isn't installed or can't run here."""


def find_programs() -> Path:
    """Return the directory of initdb and postgres: from the PATH, otherwise Debian's newest version.

    Raises NoPostgresError if there is none.
    """
    if program := shutil.which("postgres"):
        return Path(program).resolve().parent
    debian = Path("/usr/lib/postgresql")
    versions = sorted(debian.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise NoPostgresError("needs PostgreSQL's server, which isn't installed: apt-get install postgresql")
    return versions[-1].parent


class Postgres:
    """A server with one superuser; if this process runs as root, the server runs as the user postgres, as it must."""

    def __init__(self, *, durable: bool) -> None:
        """Create the server's files.

        Without `durable` the server doesn't sync to disk, so a crash of the machine loses data, and it doesn't vacuum
        in the background, so that nothing happens in it at a time of its own choosing.

        Raises NoPostgresError if PostgreSQL isn't installed or can't run here.
        """
        self._programs = find_programs()
        self._user = _find_user()
        self._home = Path(tempfile.mkdtemp(prefix="nextreel-postgres-"))
        self._password = secrets.token_hex(16)
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _find_free_port()
        password_file = self._home / "password"
        password_file.write_text(self._password, encoding="utf-8")
        if self._user:
            for path in (self._home, password_file):
                shutil.chown(path, self._user, self._user)
        self._run(
            *(
                "initdb",
                "--no-sync",
                "--username=nextreel",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
            ),
            *("--encoding=UTF8", "--locale=C", f"--pgdata={self._home / 'data'}"),
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database for SQLAlchemy, with the password."""
        return f"postgresql+psycopg://nextreel:{self._password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """Return a connection for administration in which each statement is a transaction."""
        return psycopg.connect(self.url(database).replace("+psycopg", ""), autocommit=True)

    def create_database(self, name: str) -> str:
        """Create an empty database and return its URL."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def empty_database(self, name: str) -> None:
        """End all connections to a database and delete what it holds, which is quicker than to create another one."""
        with self.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        with self.connect(name) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def drop_database(self, name: str) -> None:
        """Drop a database, even if there are connections to it."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @property
    def is_running(self) -> bool:
        """Whether the server was started and neither stopped nor killed."""
        return self._process is not None

    def start(self) -> None:
        """Start the server, or start it again, and wait until it accepts connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "autovacuum": "on" if self._durable else "off",
            "log_min_messages": "fatal",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._home / "data", *options],
                stdout=log,
                stderr=log,
                cwd=self._home,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log_text = (self._home / "server.log").read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"PostgreSQL doesn't start: {log_text[-2000:]}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server as an administrator would, which ends all connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """Kill the first process with SIGKILL; the server's other processes notice that and end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def kill_backend(self, database: str) -> bool:
        """Kill a process that serves this database with SIGKILL, which makes the server recover.

        Return False if no process serves the database.
        """
        with self.connect() as connection:
            row = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid() LIMIT 1",
                [database],
            ).fetchone()
        if row is None:
            return False
        os.kill(int(str(row[0])), signal.SIGKILL)
        return True

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        completed = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._home,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        if completed.returncode != 0:
            raise RuntimeError(f"{program}: {completed.stderr.strip()}")


def _find_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise NoPostgresError("PostgreSQL doesn't run as root, and there is no user named postgres") from None


def _find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
