"""Downloading MovieLens releases from GroupLens, verifying and converting them.

A release is NAME.zip, and its md5 is in NAME.zip.md5 beside it. An incomplete download is kept as NAME.zip.part, so
that the next call resumes it with a Range request. The header If-Range makes the server send the whole file if it has
changed in the meantime (RFC 9110, sections 13.1.5 and 14).
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener
from zipfile import BadZipFile

from nextreel.atomic_files.durability import make_directories, sync_directory, sync_file
from nextreel.data.sources.movielens import Conversion, convert, require_free
from nextreel.data.sources.zip_archives import open_zip
from nextreel.errors import ConfigError, DataError, DownloadError

GROUPLENS_URL = "https://files.grouplens.org/datasets/movielens/"
NAMES = ("ml-100k", "ml-1m", "ml-10m", "ml-20m", "ml-25m", "ml-32m", "ml-latest-small", "ml-latest")
TERMS = """\
The data belong to GroupLens, University of Minnesota: for research, not for commercial use, and not to be
redistributed unless the README in the zip allows it. Please cite F. Maxwell Harper and Joseph A. Konstan.
2015. The MovieLens Datasets: History and Context. ACM Transactions on Interactive Intelligent Systems 5, 4,
Article 19. https://doi.org/10.1145/2827872"""

TIMEOUT_SECONDS = 30.0
LARGEST_ZIP = 4 * 1024**3
"""Highest accepted number of bytes of a download; the largest release has less than 1 GiB."""
CHUNK = 1 << 16
"""Number of bytes that are read from the network or a file at a time."""
MD5 = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)

Progress = Callable[[int, int | None], None]
"""A callback that gets the bytes downloaded so far and the total size, which is None if the server doesn't say."""


@dataclass(frozen=True)
class Download:
    """A release that was downloaded, verified and converted."""

    path: Path
    """Path of the downloaded zip, which is kept."""
    size: int
    """Size of the downloaded zip in bytes."""
    md5: str | None
    """The published md5, which the zip has; None if none is published, in which case the CRC-32 checksums in the zip
    were verified."""
    conversion: Conversion


def download(
    name: str,
    directory: Path,
    base_url: str = GROUPLENS_URL,
    on_progress: Progress = lambda _done, _total: None,
) -> Download:
    """Download NAME.zip to a directory, verify it, and convert it there; the zip is kept.

    A zip that the directory already has is verified and converted without another download.

    Raises
    ------
    ConfigError
        The name isn't that of a release, or the address isn't an HTTP address.
    DownloadError
        The network or the server failed. The message says how to download the file by hand.
    DataError
        The zip is damaged, or the directory already has converted files.
    """
    if name not in NAMES:
        raise ConfigError(f"no MovieLens release is called {name!r}; there are {', '.join(NAMES)}")
    if urlsplit(base_url).scheme not in ("https", "http"):
        raise ConfigError(f"{base_url!r} isn't an HTTP address")
    path = directory / f"{name}.zip"
    if not path.exists():
        require_free(directory)  # before anything is fetched
    url = f"{base_url.rstrip('/')}/{name}.zip"
    opener = build_opener(_NoDowngrade)
    try:
        md5 = _fetch_md5(opener, f"{url}.md5")
        if path.exists():
            if damage := _find_damage(path, md5):
                raise DataError(f"{path} is damaged: {damage}; delete it and try again")
        else:
            make_directories(directory)
            part = directory / f"{name}.zip.part"
            _download_rest(opener, url, part, on_progress)
            if damage := _find_damage(part, md5):
                part.unlink()
                raise DataError(f"{url} was damaged during the download: {damage}; try again")
            sync_file(part)
            part.rename(path)
            sync_directory(directory)
    except HTTPError as error:
        error.close()
        hint = f" (known names: {', '.join(NAMES)})" if error.code == 404 else ""
        raise _explain_failure(
            url, f"the server responded {error.code} {error.reason}{hint}", path
        ) from error
    except URLError as error:
        raise _explain_failure(url, str(error.reason), path) from error
    except (OSError, HTTPException) as error:
        raise _explain_failure(url, str(error) or type(error).__name__, path) from error
    return Download(path, path.stat().st_size, md5, convert(path, directory))


def _explain_failure(url: str, reason: str, path: Path) -> DownloadError:
    return DownloadError(
        f"{url} can't be downloaded: {reason}; try again, or download it with a browser and run: "
        f"nextreel convert {path.name} {path.parent}"
    )


class _NoDowngrade(HTTPRedirectHandler):
    """Follow redirects, except from https to a scheme such as http, which is less safe."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise URLError(f"the server redirects to {newurl}, which isn't https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch_md5(opener: OpenerDirector, url: str) -> str | None:
    """Return the md5 that is published at a URL, in the format of md5sum or BSD; None if there is no such file."""
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            text = response.read(4096).decode("ascii", errors="replace")
    except HTTPError as error:
        if error.code != 404:
            raise
        error.close()
        return None
    match = MD5.search(text)
    if match is None:
        raise URLError(f"{url} holds no md5")
    return match[0].lower()


def _download_rest(opener: OpenerDirector, url: str, part: Path, on_progress: Progress) -> None:
    """Download the bytes of the zip that the incomplete download `part` lacks, and append them to it."""
    # The version of the remote file that `part` belongs to, for If-Range: its ETag or the time of its last change.
    state = part.with_name(f"{part.name}.state")
    done = part.stat().st_size if part.exists() else 0
    headers = {}
    if done > 0:
        headers["Range"] = f"bytes={done}-"
        if state.exists():
            headers["If-Range"] = state.read_text(encoding="latin-1")
    try:
        response = opener.open(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != 416 or done == 0:
            raise
        error.close()
        part.unlink()  # the range doesn't exist, so `part` isn't the beginning of this file
        _download_rest(opener, url, part, on_progress)
        return
    with response:
        if response.status != 206:
            done = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            raise URLError("the server sent another range than the requested one")
        length = response.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() else None
        _save_state(response, state)
        with part.open("ab" if done else "wb") as file:
            on_progress(done, total)
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                on_progress(done, total)
                if done > LARGEST_ZIP:
                    raise URLError(f"the file has more than {done:,} bytes; no release is so large")
    if total is not None and done < total:
        raise URLError(f"the connection broke after {done:,} of {total:,} bytes")
    state.unlink(missing_ok=True)


def _save_state(response: HTTPResponse, state: Path) -> None:
    etag = response.headers.get("ETag", "")
    # A weak ETag doesn't guarantee equal bytes, so it isn't allowed in If-Range.
    validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    if validator:
        state.write_text(validator, encoding="latin-1")
    else:
        state.unlink(missing_ok=True)


def _find_damage(file: Path, md5: str | None) -> str | None:
    """Check a zip by its published md5, or else by the CRCs in it; return what is wrong, None if it is intact."""
    if md5 is not None:
        with file.open("rb") as content:
            actual = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return None if actual == md5 else f"its md5 is {actual}, the published one is {md5}"
    try:
        with open_zip(file) as archive:
            damaged_member = archive.testzip()
    except BadZipFile as error:
        return str(error)
    return None if damaged_member is None else f"the CRC of {damaged_member} is wrong"
