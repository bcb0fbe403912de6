"""A Ray cluster of several hosts, of which one is cut off in the middle of a job and joined again.

Network namespaces stand for hosts: each has an address of its own on a virtual switch, and its own processes of Ray.
The head has no cores for tasks, so all lists are made elsewhere. When some parts are written, the cable of one host is
pulled: its tasks are lost without a word, as those of a machine whose power fails. Later it is plugged in, and Ray is
started there again. The lists must be those of `--on local`.

Needs Linux, root, and the command `ip` of iproute2.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl

from benchmarks.run import Config, Result
from nextreel.data.reading.table_reader import read_dataset
from nextreel.data.schema import TIMESTAMP, USER_ID
from nextreel.models.registry import create_model
from nextreel.prediction.predictor import Predictor
from nextreel.prediction.saving import save
from nextreel.scale.ray_cluster import ENVIRONMENT

SWITCH, PORT = "nextreel-sw", 6399
OBJECT_STORE_BYTES = 200_000_000
POLL_SECONDS = 0.5
LONGEST_JOB_SECONDS = 1_800


def measure(config: Config, data: Path) -> Result:
    """Return the seconds of the job, what was cut off and when, and how many lists differ from local ones."""
    dataset = read_dataset(data)
    with tempfile.TemporaryDirectory(prefix="nextreel-hosts-") as directory, ExitStack() as stack:
        work = Path(directory)
        save(Predictor(create_model(config["model"]).fit(dataset), dataset), work / "model")
        queries = dataset.interactions().select(USER_ID, TIMESTAMP)
        queries.write_parquet(work / "queries.parquet")
        local_seconds = _recommend(work, "local")
        stack.enter_context(_switch())
        hosts = [
            stack.enter_context(_host(number, work / f"host-{number}")) for number in range(config["hosts"])
        ]
        for host in hosts:
            host.start()
        cut = _run_and_cut(hosts, work, config["cut_after_parts"], config["cut_seconds"])
        differing, parts = _compare(work)
    return {
        "data": {"sha256": dataset.fingerprint, "queries": len(queries), "parts": parts},
        "local_seconds": round(local_seconds, 1),
        **cut,
        "lists_that_differ": differing,
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
    return {**os.environ, **ENVIRONMENT}


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


def _run_and_cut(hosts: list[Host], work: Path, cut_after: int, cut_seconds: float) -> Result:
    """Run the job from the head, cut the last host off after some parts, and join it again later."""
    head, lost = hosts[0], hosts[-1]
    started = time.monotonic()
    command = _command(work, f"{head.address}:{PORT}")
    job = head.popen(*command)
    parts_at: dict[str, int] = {}
    cut_at: float | None = None
    rejoined_at: float | None = None
    while job.poll() is None:
        now = time.monotonic() - started
        parts = len(list((work / "lists-ray").glob("part-*.parquet")))
        if cut_at is None and parts >= cut_after:
            lost.plug("down")
            cut_at, parts_at["cut"] = now, parts
        elif cut_at is not None and rejoined_at is None and now - cut_at >= cut_seconds:
            parts_at["rejoined"] = parts
            lost.kill()
            lost.plug("up")
            lost.start()
            rejoined_at = time.monotonic() - started
        if now > LONGEST_JOB_SECONDS:
            job.kill()
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - started
    if job.returncode:
        raise RuntimeError(f"the job ended with {job.returncode}")
    return {
        "hosts": len(hosts),
        "ray_seconds": round(seconds, 1),
        "cut_off_after_seconds": cut_at and round(cut_at, 1),
        "joined_again_after_seconds": rejoined_at and round(rejoined_at, 1),
        "parts_written_when": parts_at,
        "nodes_alive_at_the_end": _count_nodes(head),
    }


def _count_nodes(head: Host) -> int:
    script = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False); print(sum(n['Alive'] for n in ray.nodes()))"
    return int(head.run(sys.executable, "-c", script, f"{head.address}:{PORT}").stdout.split()[-1])


def _command(work: Path, place: str) -> list[object]:
    out = work / ("lists-local" if place == "local" else "lists-ray")
    queries = ["--queries", work / "queries.parquet", "--out", out, "--on", place]
    return [sys.executable, "-m", "nextreel", "recommend", work / "model", *queries]


def _recommend(work: Path, place: str) -> float:
    started = time.monotonic()
    subprocess.run(list(map(str, _command(work, place))), check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def _compare(work: Path) -> tuple[int, int]:
    """Return the number of lists that differ from local ones, and that of the parts."""
    local, ray = (sorted((work / f"lists-{place}").glob("part-*.parquet")) for place in ("local", "ray"))
    if [file.name for file in local] != [file.name for file in ray]:
        raise RuntimeError("the parts aren't those of the local run")
    differing = 0
    for one, other in zip(local, ray, strict=True):
        lists, others = pl.read_parquet(one), pl.read_parquet(other)
        same = lists.select(pl.struct(pl.all()) == pl.Series(others.to_struct())).to_series()
        differing += int((~same.fill_null(False)).sum())
    return differing, len(local)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
