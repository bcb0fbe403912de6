"""A Ray cluster of several hosts, of which one is cut off in the middle of a job and joined again.

Network namespaces stand for hosts: each has an address of its own on a virtual switch, and its own processes of Ray.
The head has no cores for tasks, so all lists are made elsewhere. When some parts are written, the cable of one host is
pulled: its tasks are lost without a word, as those of a machine whose power fails. Later it is plugged in, and Ray is
started there again. The lists must be those of one machine.

    python -m benchmarks.ray_hosts MODEL QUERIES OUT PLACE PART_ROWS

is the job, which does what `nextreel recommend --queries --out --on` does, with smaller parts. Needs Linux, root, and
the command `ip` of iproute2.
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import polars as pl

from benchmarks.list_directories import count_differing_lists, count_parts
from benchmarks.run import Config, Result
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.models.registry import create_model
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import load_mapped, save
from nextreel.scale.list_parts import BatchRequest, describe_run, write_parts
from nextreel.scale.ray_cluster import ENVIRONMENT, LOCAL, RAY
from nextreel.scale.ray_lists import answer_at

SWITCH, PORT = "nextreel-sw", 6399
TOKEN = secrets.token_hex(32)
OBJECT_STORE_BYTES = 200_000_000
POLL_SECONDS = 0.5
LONGEST_JOB_SECONDS = 1_800


def measure(config: Config, data: Path) -> Result:
    """Return the seconds of the job, what was cut off and when, and how many lists differ from local ones."""
    dataset = read_dataset(data)
    with tempfile.TemporaryDirectory(prefix="nextreel-hosts-") as directory, ExitStack() as stack:
        work = Path(directory)
        save(Predictor(create_model(config["model"]).fit(dataset), dataset), work / "model")
        rows = dataset.interactions().select(USER_ID, TIMESTAMP)
        queries = rows.gather_every(len(rows) // config["queries"]).head(config["queries"])
        queries.write_parquet(work / "queries.parquet")
        part_rows = config["part_rows"]
        local_seconds = _make_locally(work, part_rows)
        stack.enter_context(_switch())
        hosts = [
            stack.enter_context(_host(number, work / f"host-{number}")) for number in range(config["hosts"])
        ]
        for host in hosts:
            host.start()
        cut = _run_and_cut(hosts, _job(work, f"{hosts[0].address}:{PORT}", part_rows), work / RAY, config)
        return {
            "data": {
                "sha256": dataset.fingerprint,
                "queries": len(queries),
                "parts": count_parts(work / LOCAL),
            },
            "local_seconds": round(local_seconds, 1),
            **cut,
            "lists_that_differ": count_differing_lists(work / LOCAL, work / RAY),
        }


class Host:
    """A network namespace with an address on the switch, and what runs in it."""

    def __init__(self, number: int, directory: Path) -> None:
        self.number, self.directory = number, directory
        self.name, self.address = f"nextreel-{number}", f"10.77.0.{10 + number}"

    def run(self, *command: object, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a command in the namespace."""
        return subprocess.run(
            self._inside(command), check=check, capture_output=True, text=True, env=_environment()
        )

    def popen(self, *command: object) -> "subprocess.Popen[bytes]":
        """Start a command in the namespace."""
        return subprocess.Popen(self._inside(command), stderr=subprocess.DEVNULL, env=_environment())

    def start(self) -> None:
        """Start Ray: on the first host its head, on the others a node with one core."""
        ray = [Path(sys.executable).with_name("ray"), "start", "--node-ip-address", self.address]
        ray += ["--temp-dir", self.directory, "--object-store-memory", OBJECT_STORE_BYTES]
        if self.number == 0:
            self.run(*ray, "--head", "--port", PORT, "--num-cpus", 0, "--include-dashboard", "false")
        else:
            self.run(*ray, "--address", f"10.77.0.10:{PORT}", "--num-cpus", 1)

    def plug(self, state: str) -> None:
        """Set the cable `up` or `down`."""
        self.run("ip", "link", "set", "eth0", state)

    def kill(self) -> None:
        """Kill every process in the namespace."""
        for pid in _ip("netns", "pids", self.name).split():
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)

    def _inside(self, command: tuple[object, ...]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *map(str, command)]


def _environment() -> dict[str, str]:
    """Return the environment of what runs in the namespaces: all of it knows the token that the cluster requires."""
    return {**os.environ, **ENVIRONMENT, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}


@contextmanager
def _switch() -> Iterator[None]:
    _ip("link", "add", SWITCH, "type", "bridge")
    try:
        _ip("link", "set", SWITCH, "up")
        yield
    finally:
        _ip("link", "del", SWITCH)


@contextmanager
def _host(number: int, directory: Path) -> Iterator[Host]:
    host = Host(number, directory)
    directory.mkdir()
    _ip("netns", "add", host.name)
    try:
        cable = f"nextreel-c{number}"
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("link", "set", cable, "master", SWITCH, "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.plug("up")
        host.run("ip", "link", "set", "lo", "up")
        yield host
    finally:
        host.kill()
        _ip("netns", "del", host.name)


def _run_and_cut(hosts: list[Host], job: list[object], lists: Path, config: Config) -> Result:
    """Run the job from the head, cut the last host off after some parts, and join it again later."""
    head, lost = hosts[0], hosts[-1]
    started = time.monotonic()
    process = head.popen(*job)
    parts_at: dict[str, int] = {}
    cut_at: float | None = None
    joined_at: float | None = None
    while process.poll() is None:
        now = time.monotonic() - started
        parts = count_parts(lists)
        if cut_at is None and parts >= config["cut_after_parts"]:
            lost.plug("down")
            cut_at, parts_at["cut_off"] = now, parts
        elif cut_at is not None and joined_at is None and now - cut_at >= config["cut_seconds"]:
            parts_at["joined_again"] = parts
            lost.kill()
            lost.plug("up")
            lost.start()
            joined_at = time.monotonic() - started
        if now > LONGEST_JOB_SECONDS:
            process.kill()
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"the job ended with {process.returncode}")
    if cut_at is None or joined_at is None:
        raise RuntimeError("the job ended before the host was joined again: give it more queries")
    return {
        "ray_seconds": round(seconds, 1),
        "seconds_at": {"cut_off": round(cut_at, 1), "joined_again": round(joined_at, 1)},
        "parts_at": parts_at,
        "hosts_alive_at_the_end": _count_nodes(head),
    }


def _count_nodes(head: Host) -> int:
    script = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
    return int(head.run(sys.executable, "-c", script, f"{head.address}:{PORT}").stdout.split()[-1])


def _job(work: Path, place: str, part_rows: int) -> list[object]:
    files = work / "model", work / "queries.parquet", work / (LOCAL if place == LOCAL else RAY)
    return [sys.executable, "-m", __name__, *files, place, part_rows]


def _make_locally(work: Path, part_rows: int) -> float:
    started = time.monotonic()
    subprocess.run(list(map(str, _job(work, LOCAL, part_rows))), check=True)
    return time.monotonic() - started


def make_lists(model: Path, queries: Path, out: Path, place: str, part_rows: int) -> None:
    """Write the lists of a file of queries to a directory of parts, computed at a place."""
    predictor, manifest = load_mapped(model)
    request = BatchRequest()

    answer = partial(answer_at, place, predictor, request)
    about = describe_run(manifest, request)
    write_parts(pl.read_parquet(queries), about, out, answer, rows_per_part=part_rows)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    make_lists(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
