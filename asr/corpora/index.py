"""The index of a manifest: what planning needs of each row, so that a million of them open at once.

It is made when a manifest is first opened, which checks every row. That of a large manifest is kept beside it, as
`train.jsonl.index`, and mapped into memory later: it is made anew when the manifest's size or time has changed, or when
a bit of it has.
"""

import io
import json
import os
import warnings
import zlib
from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from asr.corpora.candidate import Progress
from asr.corpora.manifest import ManifestError, scan_rows, whole_file
from asr.text.normalize import normalize

ProgressBar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a bar with a name, to be told (done, total)."""

_FIRST_LINE = "asr index 1, CRC-32 {:08x}, header {:08x}\n"
_N_FIRST = len(_FIRST_LINE.format(0, 0))
_COLUMNS = {"offsets": "<i8", "seconds": "<f8", "checksums": "<u4"}
_ALIGNMENT = 64
_TELL_EVERY = 10_000  # rows


@dataclass(frozen=True)
class Index:
    """What is known of the rows of a manifest, in its order; 20 bytes each.

    Attributes:
        offsets: (n,) int64, where each row starts in the file.
        seconds: (n,) float64 durations.
        checksums: (n,) uint32, CRC-32 of each row.
        fingerprint: SHA-256 of all ids, durations and texts: what the order of training and its targets depend on.
        alphabet: every character of the normalised texts but the blank, in order.
    """

    offsets: NDArray[np.int64]
    seconds: NDArray[np.float64]
    checksums: NDArray[np.uint32]
    fingerprint: str
    alphabet: str


def no_bar(name: str) -> AbstractContextManager[Progress]:
    """Shows progress to nobody."""
    return nullcontext(lambda done, total: None)


def build_index(path: Path, file: BinaryIO, target: str, progress: Progress = lambda done, total: None) -> Index:
    """Go through a manifest and check every row.

    Args:
        path: of the manifest, for messages.
        file: its content; seekable.
        target: the key whose string is `Utterance.text`.
        progress: told (bytes read, bytes in all).

    Raises:
        ManifestError: rows are wrong, or ids are there twice; all faults are listed.
    """
    n_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    offsets, seconds, checksums = array("q"), array("d"), array("I")
    digest = sha256()
    alphabet: set[str] = set()
    for offset, content, said, _ in scan_rows(path, file, target):
        offsets.append(offset)
        seconds.append(said.duration_s)
        checksums.append(zlib.crc32(content))
        digest.update(f"{said.id}\x1f{said.duration_s!r}\x1f{said.text}\x1e".encode())
        alphabet.update(normalize(said.text))
        if len(offsets) % _TELL_EVERY == 0:
            progress(offset, n_bytes)
    return Index(
        np.array(offsets, np.int64),
        np.array(seconds, np.float64),
        np.array(checksums, np.uint32),
        digest.hexdigest(),
        "".join(sorted(alphabet - {" "})),
    )


def kept_index(path: Path, file: BinaryIO, target: str, progress_bar: ProgressBar) -> Index:
    """The index that is kept beside a manifest, made now if it is missing, out of date or damaged.

    Several processes may do so at once. Where the folder cannot be written, a warning says so, and the index is made
    anew each time.

    Args:
        path: of the manifest.
        file: the same, opened.
        target: the key whose string is `Utterance.text`.
        progress_bar: shows the making.

    Raises:
        ManifestError: as `build_index`; or the manifest changes at this moment.
    """
    kept, state = _kept_at(path, target), _state(file)
    found = _load(kept, state)
    if found:
        return found
    with progress_bar(f"index of {path}") as progress:
        made = build_index(path, file, target, progress)
    if _state(file) != state:
        raise ManifestError(f"{path}: has changed while it was read; start again when it is finished")
    try:
        _keep(kept, state, made)
    except OSError as error:
        warnings.warn(
            f"{kept}: cannot be written ({error.strerror}), so it is made anew at each start; a prepared manifest in a "
            "folder that can be written starts at once",
            stacklevel=2,
        )
        return made
    return _load(kept, state) or made


def _kept_at(path: Path, target: str) -> Path:
    """`train.jsonl.index`, or `train.jsonl.translation.index`."""
    middle = "" if target == "text" else f".{quote(target, safe='')}"
    return path.with_name(f"{path.name}{middle}.index")


def _state(file: BinaryIO) -> dict[str, int]:
    found = os.fstat(file.fileno())
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _keep(kept: Path, state: dict[str, int], index: Index) -> None:
    about: dict[str, Any] = {
        "manifest": state,
        "n_rows": len(index.offsets),
        "fingerprint": index.fingerprint,
        "alphabet": index.alphabet,
    }
    header = json.dumps(about, ensure_ascii=False).encode()
    header += b" " * (-(_N_FIRST + len(header)) % _ALIGNMENT)
    columns = [getattr(index, name).astype(dtype, copy=False).tobytes() for name, dtype in _COLUMNS.items()]
    checksum = 0
    for each in (header, *columns):
        checksum = zlib.crc32(each, checksum)
    with whole_file(kept) as file:
        file.write(_FIRST_LINE.format(checksum, len(header)).encode())
        file.writelines((header, *columns))


def _load(kept: Path, state: dict[str, int]) -> Index | None:
    """An index that fits a manifest in this state and has every bit right, or None."""
    try:
        content = np.memmap(kept, np.uint8, "r")
    except (OSError, ValueError):  # ValueError: it is empty
        return None
    try:
        n_header = int(bytes(content[:_N_FIRST])[-9:], 16)
        end = _N_FIRST + n_header
        first = _FIRST_LINE.format(zlib.crc32(content[_N_FIRST:].data), n_header)
        about = json.loads(bytes(content[_N_FIRST:end]))
        if bytes(content[:_N_FIRST]) != first.encode() or about["manifest"] != state:
            return None
        columns: dict[str, Any] = {}
        for name, dtype in _COLUMNS.items():
            start, end = end, end + about["n_rows"] * np.dtype(dtype).itemsize
            columns[name] = np.asarray(content[start:end]).view(dtype)
        index = Index(**columns, fingerprint=str(about["fingerprint"]), alphabet=str(about["alphabet"]))
    except (ValueError, KeyError, TypeError, RecursionError):  # bits that are right can still be someone else's
        return None
    return index if end == len(content) else None
