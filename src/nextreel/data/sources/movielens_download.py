"""MovieLens releases fetched from GroupLens, verified and converted.

A release is NAME.zip with its md5 in NAME.zip.md5 beside it. What arrives is kept as NAME.zip.part until
it is whole, so that the next call goes on where the last one stopped (RFC 9110, sections 13.1.5 and 14:
a Range request, with If-Range so that a file that has changed meanwhile is sent from its beginning).
"""

import hashlib
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener
from zipfile import BadZipFile, ZipFile

from nextreel.data.sources.movielens import Conversion, convert, require_free
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
"""Bytes after which a download is given up; the largest release has less than 1 GiB."""
CHUNK = 1 << 16
MD5 = re.compile(r"\b[0-9a-f]{32}\b", re.IGNORECASE)

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes in all, None where the server doesn't say."""


@dataclass(frozen=True)
class Download:
    """A release on disk, verified and converted."""

    path: Path
    size: int
    """Bytes of the zip."""
    md5: str | None
    """The md5 that GroupLens publishes and the zip has; None where none is published and the zip's own
    CRC-32 sums were verified instead."""
    conversion: Conversion


def download(
    name: str,
    directory: Path,
    base_url: str = GROUPLENS_URL,
    on_progress: Progress = lambda _done, _total: None,
) -> Download:
    """Fetch NAME.zip into a directory, verify it, and convert it there; the zip is kept.

    A zip that is there already is verified and converted without being fetched again.

    Raises
    ------
    ConfigError
        The name or the address can't be used.
    DownloadError
        The network or the server failed. The message says how to do it by hand.
    DataError
        The zip is damaged, or `directory` holds converted files already.
    """
    if name not in NAMES:
        raise ConfigError(f"no MovieLens release is called {name!r}; there are {', '.join(NAMES)}")
    if urlsplit(base_url).scheme not in ("https", "http"):
        raise ConfigError(f"{base_url!r} isn't an http address")
    require_free(directory)
    path = directory / f"{name}.zip"
    url = f"{base_url.rstrip('/')}/{name}.zip"
    opener = build_opener(_NoDowngrade)
    try:
        md5 = _fetch_md5(opener, f"{url}.md5")
        if path.exists():
            if damage := _find_damage(path, md5):
                raise DataError(f"{path} is damaged: {damage}; delete it and try again")
        else:
            directory.mkdir(parents=True, exist_ok=True)
            part = directory / f"{name}.zip.part"
            _fetch(opener, url, part, on_progress)
            if damage := _find_damage(part, md5):
                part.unlink()
                raise DataError(f"{url} arrived damaged: {damage}; try again")
            part.rename(path)
    except HTTPError as error:
        error.close()
        known = f" (known names: {', '.join(NAMES)})" if error.code == 404 else ""
        raise _give_up(url, f"the server answers {error.code} {error.reason}{known}", path) from error
    except URLError as error:
        raise _give_up(url, str(error.reason), path) from error
    except (OSError, HTTPException) as error:
        raise _give_up(url, str(error) or type(error).__name__, path) from error
    return Download(path, path.stat().st_size, md5, convert(path, directory))


def _give_up(url: str, reason: str, path: Path) -> DownloadError:
    return DownloadError(
        f"{url} can't be downloaded: {reason}; try again, or fetch it with a browser and run: "
        f"nextreel convert {path.name} {path.parent}"
    )


class _NoDowngrade(HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise URLError(f"it redirects to {newurl}, which isn't https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch_md5(opener: OpenerDirector, url: str) -> str | None:
    """The md5 that is published at url, in md5sum's form or BSD's; None where there isn't one."""
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
            text = response.read(4096).decode("ascii", errors="replace")
    except HTTPError as error:
        if error.code != 404:
            raise
        error.close()
        return None
    found = MD5.search(text)
    if found is None:
        raise URLError(f"{url} holds no md5")
    return found[0].lower()


def _fetch(opener: OpenerDirector, url: str, part: Path, on_progress: Progress) -> None:
    """Fetch url to `part`, from where `part` ends."""
    # The state of the file that `part` is a part of, for If-Range: its ETag or when it was last modified.
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
        part.unlink()  # no such range: `part` isn't the beginning of this file
        _fetch(opener, url, part, on_progress)
        return
    with response:
        if response.status != 206:
            done = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            raise URLError("it sends another range than the one asked for")
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
                    raise URLError(f"it goes on after {done:,} bytes, which no release has")
    if total is not None and done < total:
        raise URLError(f"the connection broke after {done:,} of {total:,} bytes")
    state.unlink(missing_ok=True)


def _save_state(response: HTTPResponse, state: Path) -> None:
    etag = response.headers.get("ETag", "")
    # A weak ETag doesn't promise equal bytes, so If-Range may not carry one.
    known = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
    if known:
        state.write_text(known, encoding="latin-1")
    else:
        state.unlink(missing_ok=True)


def _find_damage(file: Path, md5: str | None) -> str | None:
    """What is wrong with a zip by its published md5, or else by its own CRCs; None where it is whole."""
    if md5 is not None:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        return None if found == md5 else f"its md5 is {found}, the published one is {md5}"
    try:
        with ZipFile(file) as archive:
            bad = archive.testzip()
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        return str(error)
    return None if bad is None else f"the CRC of {bad} is wrong"
