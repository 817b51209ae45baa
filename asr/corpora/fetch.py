"""Fetch a file from its publisher: in as many goes as it takes, checked, and whole or not there at all."""

import fcntl
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, Any, BinaryIO

from asr.corpora.candidate import CorpusError, Progress

TIMEOUT_S = 60.0
"""How long a server may say nothing."""

WAITS_S = (1.0, 5.0, 20.0, 60.0)
"""Waits before the next go; the longer ones after goes that brought nothing new. Then it is given up."""

SPARE_BYTES = 1 << 30
"""What is left free on the disk."""

_CHUNK = 1 << 20
_LOOK_EVERY = 256  # chunks, at the free disk
_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<total>\d+)")


def fetch(url: str, target: Path, digest: str | None, progress: Progress = lambda done, total: None) -> Path:
    """Download a file, going on where an earlier call was cut off.

    What has come so far stays beside the target as `NAME.part`, with the server's mark of the version it is of.

    Args:
        url: http or https.
        target: the file to make; what is there already is checked and kept.
        digest: `md5:…` or `sha256:…` of the file; None where its publisher gives none.
        progress: told (bytes, bytes in all).

    Returns:
        The target.

    Raises:
        CorpusError: the server refuses, breaks off again and again, or sends something else; the disk is too full.
    """
    if not url.startswith(("https://", "http://")):
        raise CorpusError(f"{url}: only http and https are fetched from")
    if target.exists():
        _check(target, url, digest)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with _alone(part) as file:
        _receive(url, file, part.with_name(f"{part.name}.version"), progress)
        file.flush()
        os.fsync(file.fileno())
        try:
            _check(part, url, digest)
        except CorpusError:
            part.unlink()
            raise
        part.replace(target)
    part.with_name(f"{part.name}.version").unlink(missing_ok=True)
    return target


class _Refused(Exception):
    """The answer is final."""


class _BrokenOff(Exception):
    """Another go may bring more."""


class _SameProtocol(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https alone, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Any:
        if not newurl.startswith("https://") and (req.full_url.startswith("https") or not newurl.startswith("http://")):
            raise _Refused(f"it redirects to {newurl}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """Opens the part for going on, and keeps a second process out."""
    with part.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CorpusError(f"{part}: another process is fetching it") from error
        except OSError:  # a file system that knows no locks
            pass
        yield file


def _receive(url: str, file: BinaryIO, version: Path, progress: Progress) -> None:
    """Appends to the file until all of it is there."""
    n_fruitless = 0
    while True:
        before = file.seek(0, os.SEEK_END)
        try:
            if _receive_some(url, file, version, progress):
                return
            reason = "the connection broke off"
        except _Refused as error:
            raise CorpusError(f"{url}: {error}") from error
        except _BrokenOff as error:
            reason = str(error)
        n_fruitless = 0 if file.seek(0, os.SEEK_END) > before else n_fruitless + 1
        if n_fruitless > len(WAITS_S):
            raise CorpusError(f"{url}: {reason}; {before} bytes are kept, the same command goes on from there")
        time.sleep(WAITS_S[max(0, n_fruitless - 1)])


def _receive_some(url: str, file: BinaryIO, version: Path, progress: Progress) -> bool:
    """Asks once for what is missing: -> whether all is there now."""
    start = file.seek(0, os.SEEK_END)
    known = version.read_text() if version.is_file() else ""
    headers = {"User-Agent": "asr", "Accept-Encoding": "identity"}
    if start and known:
        headers |= {"Range": f"bytes={start}-", "If-Range": known}
    opener = urllib.request.build_opener(_SameProtocol)
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as answer:
            start, total = _place(answer, start, file)
            version.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
            return _copy(answer, file, start, total, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # nothing is left to ask for, or the file is another
            found = _RANGE.fullmatch(error.headers.get("Content-Range", ""))
            if found and int(found["total"]) == start:
                return True
            file.truncate(0)
            return False
        if error.code < 500 and error.code not in (408, 429):
            raise _Refused(f"the server says {error.code} {error.reason}; has the corpus moved?") from error
        raise _BrokenOff(f"the server says {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _BrokenOff(str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _BrokenOff(str(error) or type(error).__name__) from error


def _place(answer: Any, start: int, file: BinaryIO) -> tuple[int, int | None]:
    """Where the answer's bytes belong, and how many there are in all; makes room for them."""
    length = answer.headers.get("Content-Length")
    length = int(length) if length and length.isdecimal() else None
    if answer.status == 206:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or found["start"] is None or int(found["start"]) != start:
            file.truncate(0)
            raise _BrokenOff("the server sends another range than was asked for")
        total: int | None = int(found["total"])
    else:
        file.truncate(0)
        start, total = 0, length
    needed = 0 if total is None else total - start
    free = shutil.disk_usage(os.fspath(Path(file.name).parent)).free
    if free < needed + SPARE_BYTES:
        raise _Refused(f"{needed / 1e9:.1f} GB are to come, {free / 1e9:.1f} GB are free; 1 GB is to stay so")
    return start, total


def _copy(answer: Any, file: BinaryIO, n_there: int, total: int | None, progress: Progress) -> bool:
    n_chunks = 0
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        n_there += len(chunk)
        n_chunks += 1
        if total is not None and n_there > total:
            file.truncate(0)
            raise _BrokenOff("the server sends more than it said")
        if n_chunks % _LOOK_EVERY == 0 and shutil.disk_usage(os.fspath(Path(file.name).parent)).free < SPARE_BYTES:
            raise _Refused("the disk is full but for 1 GB")
        progress(n_there, total or n_there)
    file.flush()
    return total is None or n_there == total


def _check(path: Path, url: str, digest: str | None) -> None:
    if digest is None:
        return
    kind, _, expected = digest.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    if found != expected:
        raise CorpusError(
            f"{path}: {kind} is {found}, expected {expected}: damaged on its way, or not what it was; remove it and "
            f"fetch {url} again"
        )
