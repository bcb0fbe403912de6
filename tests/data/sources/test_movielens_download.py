"""Releases are downloaded from a local HTTP server, verified and converted."""

import hashlib
import io
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from typer.testing import CliRunner

from nextreel.cli import app
from nextreel.data.sources.movielens_download import NAMES, download
from nextreel.errors import ConfigError, DataError, DownloadError

MODIFIED = "Wed, 26 Sep 2018 21:08:30 GMT"


def zip_of_release(title: str = "Dangerous Minds (1995)") -> bytes:
    rows = "".join(f"{user},31,4.0,{1_260_759_144 + user}\n" for user in range(1, 9))
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        archive.writestr("ml-latest-small/ratings.csv", f"userId,movieId,rating,timestamp\n{rows}")
        archive.writestr("ml-latest-small/movies.csv", f"movieId,title,genres\n31,{title},Drama\n")
    return content.getvalue()


RELEASE = zip_of_release()
HALF = len(RELEASE) // 2


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class Mirror:
    """What the server holds, how it behaves, and which requests it got."""

    files: dict[str, bytes]
    etag: str | None = '"first"'
    modified: str | None = None
    knows_ranges: bool = True
    hang_up_after: int | None = None
    """Bytes of a body after which the connection is closed."""
    redirect_to: str | None = None
    url: str = ""
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Path, Range and If-Range of each request."""


def handler_of(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span, condition = self.headers["Range"], self.headers["If-Range"]
            mirror.requests.append((self.path, span, condition))
            if mirror.redirect_to is not None:
                self.send_response(302)
                self.send_header("Location", mirror.redirect_to)
                self.end_headers()
                return
            content = mirror.files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            start = 0
            if span and mirror.knows_ranges and condition in (None, mirror.etag, mirror.modified):
                start = int(re.fullmatch(r"bytes=(\d+)-", span)[1])  # type: ignore[index]
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            if mirror.etag is not None:
                self.send_header("ETag", mirror.etag)
            if mirror.modified is not None:
                self.send_header("Last-Modified", mirror.modified)
            self.end_headers()
            body = content[start:]
            is_zip = self.path.endswith(".zip")
            self.wfile.write(body[: mirror.hang_up_after] if is_zip else body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "*")
    name = "ml-latest-small.zip"
    mirror = Mirror({name: RELEASE, f"{name}.md5": f"MD5 ({name}) = {md5(RELEASE)}\n".encode()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(mirror)) as server:
        mirror.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()


def fetch(mirror: Mirror, directory: Path) -> None:
    download("ml-latest-small", directory, mirror.url)


def interrupt(mirror: Mirror, directory: Path) -> None:
    """Fetch the first half."""
    mirror.hang_up_after = HALF
    with pytest.raises(DownloadError, match=f"broke after {HALF:,} of {len(RELEASE):,} bytes"):
        fetch(mirror, directory)
    mirror.hang_up_after = None
    mirror.requests.clear()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


DONE = ["ml-latest-small.zip", "movies.csv", "ratings_train.csv"]


def test_a_release_is_fetched_verified_and_converted(mirror: Mirror, tmp_path: Path) -> None:
    fetched = download("ml-latest-small", tmp_path / "ml", mirror.url)
    assert names(tmp_path / "ml") == DONE
    assert fetched.path.read_bytes() == RELEASE
    assert (fetched.size, fetched.md5) == (len(RELEASE), md5(RELEASE))
    assert (fetched.conversion.interactions, fetched.conversion.movies) == (8, 1)


@pytest.mark.parametrize(
    "form",
    ["{md5}  ml-latest-small.zip\n", "MD5 (ml-latest-small.zip) = {md5}\n", "{md5} *a/b.zip\r\n", "{md5}"],
)
def test_both_forms_of_the_md5_file_are_read(mirror: Mirror, tmp_path: Path, form: str) -> None:
    mirror.files["ml-latest-small.zip.md5"] = form.format(md5=md5(RELEASE).upper()).encode()
    assert download("ml-latest-small", tmp_path, mirror.url).md5 == md5(RELEASE)


def test_progress_goes_up_to_the_size(mirror: Mirror, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    download("ml-latest-small", tmp_path, mirror.url, lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, len(RELEASE))
    assert seen[-1] == (len(RELEASE), len(RELEASE))


def test_an_interrupted_download_leaves_only_the_part(mirror: Mirror, tmp_path: Path) -> None:
    interrupt(mirror, tmp_path)
    assert (tmp_path / "ml-latest-small.zip.part").read_bytes() == RELEASE[:HALF]
    assert not {"ml-latest-small.zip", "movies.csv", "ratings_train.csv"} & set(names(tmp_path))


def test_an_interrupted_download_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path) -> None:
    interrupt(mirror, tmp_path)
    fetch(mirror, tmp_path)
    assert mirror.requests[-1] == ("/ml-latest-small.zip", f"bytes={HALF}-", '"first"')
    assert names(tmp_path) == DONE
    assert (tmp_path / "ml-latest-small.zip").read_bytes() == RELEASE


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_the_date_says_whether_the_file_changed(
    mirror: Mirror, tmp_path: Path, etag: str | None
) -> None:
    mirror.etag, mirror.modified = etag, MODIFIED
    interrupt(mirror, tmp_path)
    fetch(mirror, tmp_path)
    assert mirror.requests[-1] == ("/ml-latest-small.zip", f"bytes={HALF}-", MODIFIED)
    assert names(tmp_path) == DONE


def test_a_part_of_unknown_state_is_continued_and_verified(mirror: Mirror, tmp_path: Path) -> None:
    mirror.etag = None
    interrupt(mirror, tmp_path)
    fetch(mirror, tmp_path)
    assert mirror.requests[-1] == ("/ml-latest-small.zip", f"bytes={HALF}-", None)
    assert names(tmp_path) == DONE


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(mirror: Mirror, tmp_path: Path) -> None:
    interrupt(mirror, tmp_path)
    newer = zip_of_release("Another Title (1995)")
    mirror.files = {"ml-latest-small.zip": newer, "ml-latest-small.zip.md5": md5(newer).encode()}
    mirror.etag = '"second"'
    fetch(mirror, tmp_path)
    assert (tmp_path / "ml-latest-small.zip").read_bytes() == newer


def test_a_server_that_ignores_the_range_starts_over(mirror: Mirror, tmp_path: Path) -> None:
    interrupt(mirror, tmp_path)
    mirror.knows_ranges = False
    fetch(mirror, tmp_path)
    assert (tmp_path / "ml-latest-small.zip").read_bytes() == RELEASE


def test_a_part_as_long_as_the_file_is_fetched_anew(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "ml-latest-small.zip.part").write_bytes(b"x" * len(RELEASE))
    fetch(mirror, tmp_path)
    assert (tmp_path / "ml-latest-small.zip").read_bytes() == RELEASE


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["ml-latest-small.zip.md5"] = b"0" * 32
    with pytest.raises(DataError, match=f"its md5 is {md5(RELEASE)}, the published one is {'0' * 32}"):
        fetch(mirror, tmp_path)
    assert names(tmp_path) == []


def test_without_a_published_md5_the_zip_is_tested_by_its_own_sums(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["ml-latest-small.zip.md5"]
    assert download("ml-latest-small", tmp_path, mirror.url).md5 is None
    assert names(tmp_path) == DONE


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (RELEASE[:-100], "File is not a zip file"),
        (RELEASE.replace(b"Dangerous", b"Dangerouz"), r"the CRC of ml-latest-small/movies\.csv is wrong"),
    ],
    ids=["truncated", "altered"],
)
def test_a_damaged_zip_is_an_error_and_leaves_nothing(
    mirror: Mirror, tmp_path: Path, damaged: bytes, reason: str
) -> None:
    mirror.files = {"ml-latest-small.zip": damaged}
    with pytest.raises(DataError, match=reason):
        fetch(mirror, tmp_path)
    assert names(tmp_path) == []


def test_an_md5_file_without_an_md5_is_an_error(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["ml-latest-small.zip.md5"] = b"<html>Please log in</html>"
    with pytest.raises(DownloadError, match="holds no md5"):
        fetch(mirror, tmp_path)


def test_a_zip_that_is_there_already_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "ml-latest-small.zip").write_bytes(RELEASE)
    fetch(mirror, tmp_path)
    assert [path for path, _, _ in mirror.requests] == ["/ml-latest-small.zip.md5"]
    assert names(tmp_path) == DONE


def test_a_damaged_zip_that_was_there_already_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "ml-latest-small.zip").write_bytes(RELEASE[:-1])
    with pytest.raises(DataError, match=r"is damaged: its md5 is .*; delete it and try again"):
        fetch(mirror, tmp_path)
    assert names(tmp_path) == ["ml-latest-small.zip"]


def test_nothing_is_fetched_where_converted_files_would_be_overwritten(
    mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "movies.csv").write_text("mine")
    with pytest.raises(DataError, match=r"already holds movies\.csv"):
        fetch(mirror, tmp_path)
    assert mirror.requests == []


def test_a_missing_file_names_the_known_releases(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"ml-1m\.zip .*404 Not Found \(known names: ml-100k, ml-1m, "):
        download("ml-1m", tmp_path, mirror.url)
    assert names(tmp_path) == []


def test_an_unknown_name_asks_nobody_and_names_the_known_ones(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'\.\./ml-2m'; there are ml-100k, ml-1m, "):
        download("../ml-2m", tmp_path, mirror.url)
    assert mirror.requests == []


def test_without_a_server_one_line_says_what_to_do_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound_but_deaf.getsockname()[1]}"
        with pytest.raises(DownloadError) as caught:
            download("ml-1m", tmp_path / "ml", url)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{url}/ml-1m.zip can't be downloaded" in message
    assert "Connection refused" in message
    assert f"nextreel convert ml-1m.zip {tmp_path / 'ml'}" in message
    assert not (tmp_path / "ml").exists()


@pytest.mark.parametrize("url", ["file:///etc/", "ftp://127.0.0.1/"])
def test_other_protocols_than_http_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="isn't an HTTP address"):
        download("ml-1m", tmp_path, url)


def test_a_redirect_to_a_local_file_is_not_followed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.redirect_to = "file:///etc/passwd"
    with pytest.raises(DownloadError, match="302"):
        fetch(mirror, tmp_path)
    assert names(tmp_path) == []


def test_the_command_says_what_it_did_and_states_the_terms_once(mirror: Mirror, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["download", "ml-latest-small", str(tmp_path)], env={"NEXTREEL_GROUPLENS_URL": mirror.url}
    )
    assert result.exit_code == 0
    assert "md5 as published" in result.stdout
    assert "8 ratings of 8 users, 1 movie." in result.stdout
    assert result.stdout.count("for research") == 1
    assert result.stdout.count("Harper") == 1


def test_the_command_says_when_no_md5_is_published(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["ml-latest-small.zip.md5"]
    result = CliRunner().invoke(
        app, ["download", "ml-latest-small", str(tmp_path)], env={"NEXTREEL_GROUPLENS_URL": mirror.url}
    )
    assert "no md5 is published" in result.stdout


def test_the_help_names_every_release() -> None:
    result = CliRunner().invoke(app, ["download", "--help"], env={"COLUMNS": "200"})
    assert [name for name in NAMES if name not in result.stdout] == []
