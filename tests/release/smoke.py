"""Uses an installed nextreel as its users do: fit, recommend, evaluate, serve, on invented data.

Run it with the Python of an environment that nextreel is installed in, from any directory; it needs nothing else:
`python smoke.py`. What an extra is missing for must end in one line that names its install command.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SAMPLE = ("--users", "60", "--movies", "90", "--ratings", "2400", "--seed", "3")
CLOSED_FORMS = ("popularity", "next-choices", "item-knn", "ease", "als", "sequential-ridge")
NETWORKS = {
    "funk-svd": ("dimensions=8", "epochs=2"),
    "transformer": ("dimensions=8", "layers=1", "heads=1", "epochs=1"),
    "blend": ('transformer={"dimensions": 8, "layers": 1, "heads": 1, "epochs": 1}',),
}
DEADLINE = 120
"""Seconds after which a server that doesn't answer is ended."""


def nextreel(*arguments: object) -> str:
    """Run the command line and return what it printed."""
    done = run(*arguments)
    if done.returncode:
        raise SystemExit(f"nextreel {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nextreel", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def misses(extra: str, *arguments: object) -> None:
    """A command that needs an extra which isn't installed says so in a line, without a traceback."""
    done = run(*arguments)
    assert done.returncode != 0, f"{arguments} worked without the extra {extra}"
    assert f"[{extra}]" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def use_models(directory: Path) -> None:
    nextreel("sample", directory / "films", *SAMPLE)
    nextreel("check", directory / "films")
    nextreel("split", directory / "films", directory / "parts")
    fit = ("fit", directory / "parts", "--model")
    for model in CLOSED_FORMS:
        nextreel(*fit, model, "--out", directory / model)
    for model, options in NETWORKS.items():
        settings = [argument for option in options for argument in ("--set", option)]
        if find_spec("torch"):
            nextreel(*fit, model, "--out", directory / model, *settings)
        else:
            misses("neural", *fit, model, "--out", directory / model)
    for model in (*CLOSED_FORMS, *(NETWORKS if find_spec("torch") else ())):
        answer = json.loads(nextreel("recommend", directory / model, "--user", 7, "--json"))
        assert len({each["MovieID"] for each in answer["recommendations"]}) == 10, answer
    nextreel("evaluate", directory / "sequential-ridge", directory / "parts")
    ratings = directory / "films" / "ratings_train.csv"
    nextreel("ingest", ratings, directory / "partitioned")
    nextreel("fit", directory / "partitioned", "--model", "popularity", "--out", directory / "of-partitions")


def find_movies(answer: Any) -> set[int]:
    """Return all movie ids of an answer, whatever it looks like."""
    if isinstance(answer, dict):
        own = {answer["movie_id"]} if "movie_id" in answer else set()
        return own.union(*map(find_movies, answer.values()))
    return set().union(*map(find_movies, answer)) if isinstance(answer, list) else set()


def use_server(directory: Path) -> None:
    arguments = ("serve", directory / "sequential-ridge", "--store", f"sqlite:///{directory}/films.db")
    if not find_spec("fastapi"):
        misses("serve", *arguments)
        return
    with serving(*arguments) as url:
        before = ask(f"{url}/v1/users/7/recommendations")
        liked = sorted(find_movies(before))[0]
        ask(f"{url}/v1/interactions", {"user_id": 7, "movie_id": liked, "rating": 5})
        after = ask(f"{url}/v1/users/7/recommendations")
        assert liked not in find_movies(after), "a rating didn't change the next list"
        page = read(f"{url}/")
        assert "<html" in page, page[:500]
        for asset in re.findall(r'(?:href|src)="([^"]+\.(?:css|js|svg)[^"]*)"', page):
            assert read(f"{url}/{asset.lstrip('/')}"), asset
        for path in ("healthz", "readyz", "metrics", "time-travel", "model", "openapi.json"):
            assert read(f"{url}/{path}"), path
    nextreel("store", "check", f"sqlite:///{directory}/films.db")


@contextmanager
def serving(*arguments: object) -> Iterator[str]:
    """Start a server on a free port, give its address, and stop it."""
    command = [sys.executable, "-m", "nextreel", *map(str, arguments), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    too_long = threading.Timer(DEADLINE, server.kill)
    too_long.start()
    try:
        assert server.stdout is not None
        for line in server.stdout:
            if address := re.search(r"http://[\d.]+:\d+", line):
                yield address[0]
                break
        else:
            assert server.stderr is not None
            raise SystemExit(f"nextreel serve ended: {server.stderr.read()}")
    finally:
        server.terminate()
        server.communicate()
        too_long.cancel()
    ended = (0, -signal.SIGTERM)
    assert server.returncode in ended, f"the server ended with {server.returncode}"


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    return json.loads(read(url, body))


def read(url: str, body: dict[str, Any] | None = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        text: str = response.read().decode()
    return text


def main() -> None:
    """Use all of it, and say which extras were there."""
    import nextreel as package

    assert "site-packages" in str(package.__file__), f"{package.__file__} is not the installed one"
    installed = version("nextreel")
    assert nextreel("--version").split() == ["nextreel", installed]
    with tempfile.TemporaryDirectory() as directory:
        use_models(Path(directory))
        use_server(Path(directory))
    extras = {"neural": "torch", "plots": "altair", "scale": "ray", "serve": "fastapi", "tune": "optuna"}
    there = [extra for extra, module in extras.items() if find_spec(module)]
    print(
        f"nextreel {installed} works on Python {sys.version.split()[0]}, with {', '.join(there) or 'no extra'}"
    )


if __name__ == "__main__":
    main()
