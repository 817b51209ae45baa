"""The manifest: one JSON line per utterance, the only form in which corpora reach training and scoring."""

import codecs
import json
import math
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BufferedReader
from itertools import repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from asr.audio.read import AudioError, Part, Samples, read_audio
from asr.text.open_text import refuse_special

ROW_KEYS = frozenset({"id", "audio", "start", "duration", "text", "speaker", "language", "part"})
"""The keys of a manifest's row that mean something here; further ones are whatever its maker wanted to keep."""

_MAX_BYTES = 1 << 62
_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"  # of JSON


class ManifestError(ValueError):
    """A manifest cannot be used; the message lists every fault as `path:line: what is wrong`."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of audio with one transcript.

    Attributes:
        id: name of the utterance, unique in its manifest.
        audio: the file that holds it.
        start_s: where in the file it starts, in seconds.
        duration_s: how long it is in seconds, as decoded.
        text: what a model is to make of it: the normalised transcript, which may be empty in hand-written manifests,
            never in prepared ones; or what stands under another key that the manifest was read for.
        speaker: name of the speaker.
        language: language code, e.g. "en".
        part: the bytes of `audio` that are its audio file, where that is a tar (see `asr.corpora.shards`).
    """

    id: str
    audio: Path
    start_s: float
    duration_s: float
    text: str
    speaker: str
    language: str
    part: Part | None = None


class Said(NamedTuple):
    """What a row of a manifest says, checked, as plain values: a million of them need not be a million paths.

    Attributes are those of `Utterance`, but for the path, which stands as it is written, and `rate_hz`: the sampling
    rate of the file, 0 where the row does not tell.
    """

    id: str
    audio: str
    start_s: float
    duration_s: float
    text: str
    speaker: str
    language: str
    part: Part | None
    rate_hz: int


class Row(NamedTuple):
    """A row of a manifest: where it starts in the file, its bytes without the line feed, and what they say."""

    offset: int
    content: bytes
    said: Said
    folder: Path

    @property
    def utterance(self) -> Utterance:
        """What it says, its audio found."""
        return _utterance(self.said, self.folder)


def read_utterance(utterance: Utterance) -> Samples:
    """Decode an utterance: samples (N,), float32 in [-1, 1], 16 kHz; none of one without duration, a line of text.

    Raises:
        AudioError: its audio is missing, broken, or shorter than the utterance; the message names both.
    """
    if not utterance.duration_s:
        return np.zeros(0, np.float32)
    try:
        return read_audio(
            utterance.audio, start_s=utterance.start_s, duration_s=utterance.duration_s, part=utterance.part
        )
    except AudioError as error:
        raise AudioError(f"{utterance.id}: {error}") from error


def read_manifest(path: str | os.PathLike[str], target: str = "text") -> list[Utterance]:
    """Read a manifest whole and refuse it whole if any line is wrong.

    Rows are objects with the keys id, audio, start, duration, text, speaker, language, and, where the audio file is
    part of a larger one, part: an object with offset, size and crc32. Further keys are ignored. A relative `audio` is
    resolved against the manifest's folder. A byte-order mark, CRLF and blank lines are tolerated.

    Args:
        path: a JSONL file.
        target: the key whose string becomes `Utterance.text`, such as "translation"; "text" is needed for "text" alone.

    Returns:
        The utterances, in the file's order.

    Raises:
        ManifestError: the file is missing or not UTF-8, or lines are faulty; all faults are listed.
    """
    path = Path(path)
    with open_manifest(path) as file:
        return [row.utterance for row in scan_rows(path, file, target)]


def open_manifest(path: Path) -> BufferedReader:
    """Open a manifest's file.

    Raises:
        ManifestError: it cannot be read.
    """
    try:
        refuse_special(path)
        return path.open("rb")
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot read the manifest ({error.strerror}); make it with `asr prepare`"
        ) from error


def scan_rows(path: Path, file: BinaryIO, target: str) -> Iterator[Row]:
    """Go through a manifest row by row, holding one row and 16 bytes for each that went before.

    Args:
        path: for messages, and what relative audio is relative to.
        file: the manifest at its start; seekable.
        target: as in `read_manifest`.

    Raises:
        ManifestError: after the last row, if any was wrong; as `read_manifest`.
    """
    folder = path.absolute().parent
    faults: list[tuple[int, str]] = []
    hashes = array("q")
    for line, offset, content in _lines(path, file):
        try:
            said = _parse(content, target)
        except (ValueError, OverflowError) as error:
            faults.append((line, str(error)))
            continue
        hashes.append(hash(said.id))
        yield Row(offset, content, said, folder)
    repeated = _repeated(np.array(hashes, np.int64))
    if repeated:
        faults += _duplicates(path, file, target, repeated)
    if faults:
        raise ManifestError("\n".join(f"{path}:{line}: {fault}" for line, fault in sorted(faults)))


def parse_row(content: bytes, folder: Path, target: str) -> Utterance:
    """Read one line of a manifest.

    Args:
        content: the line, UTF-8.
        folder: what a relative `audio` is relative to.
        target: as in `read_manifest`.

    Raises:
        ValueError, OverflowError: what is wrong with it.
    """
    return _utterance(_parse(content, target), folder)


def _utterance(said: Said, folder: Path) -> Utterance:
    return Utterance(
        said.id, folder / said.audio, said.start_s, said.duration_s, said.text, said.speaker, said.language, said.part
    )


def _parse(content: bytes, target: str) -> Said:
    """As `parse_row`."""
    try:
        line = content.decode().strip(_BLANKS)
        row, end = _DECODER.raw_decode(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if end < len(line):
        raise ValueError(f"not JSON (it ends at character {end + 1}, and more follows)")
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with id, audio, …, found {type(row).__name__}")
    id_, audio, text, speaker, language = _strings(row, ("id", "audio", target, "speaker", "language"))
    if not id_.strip() or not audio.strip():
        raise ValueError(f"{'audio' if id_.strip() else 'id'!r} is empty")
    if "\0" in audio:
        raise ValueError("'audio' holds a NUL character")
    if b"\\u" in content:  # what is UTF-8 cannot hold one otherwise
        _refuse_surrogates(f"{id_}{text}{speaker}{language}")
    start_s, duration_s = _seconds(row, "start"), _seconds(row, "duration")
    if start_s < 0:
        raise ValueError(f"'start' is {start_s}, expected 0 or more seconds")
    if duration_s <= 0:
        raise ValueError(f"'duration' is {duration_s}, expected more than 0 seconds")
    rate_hz = row.get("rate_hz")
    rate_hz = rate_hz if type(rate_hz) is int else 0
    part = _part(row["part"]) if row.get("part") is not None else None
    return Said(id_, audio, start_s, duration_s, text, speaker, language, part, rate_hz)


def write_manifest(
    path: str | os.PathLike[str], utterances: Iterable[Utterance], further: Iterable[Mapping[str, Any]] | None = None
) -> None:
    """Write a manifest atomically: readers see the old file or the whole new one.

    Audio at or below the manifest's folder is written relative to it, so that the folder can be moved; other audio is
    written absolute.

    Args:
        path: the JSONL file to write; its folder must exist.
        utterances: rows in the order to write them.
        further: what else each row says, such as a label; as many as utterances.

    Raises:
        OSError: the folder cannot be written.
    """
    path = Path(path)
    folder = path.absolute().parent
    with whole_file(path) as file:
        more = repeat({}) if further is None else further
        for utterance, keys in zip(utterances, more, strict=further is not None):
            file.write(format_row(utterance, folder, keys))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears whole, flushed to the disk, or not at all.

    Raises:
        OSError: the folder cannot be written; what the file held before stays.
    """
    handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def format_row(utterance: Utterance, folder: Path, further: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    """The line of an utterance in a manifest that lies in `folder`; its own keys win over `further` ones."""
    audio = utterance.audio.absolute()
    row: dict[str, Any] = {
        "id": utterance.id,
        "audio": audio.relative_to(folder).as_posix() if audio.is_relative_to(folder) else str(audio),
        "start": utterance.start_s,
        "duration": utterance.duration_s,
        "text": utterance.text,
        "speaker": utterance.speaker,
        "language": utterance.language,
    }
    if utterance.part:
        row["part"] = asdict(utterance.part)
    return encode_row(row | {key: value for key, value in further.items() if key not in ROW_KEYS})


def encode_row(row: dict[str, Any]) -> bytes:
    """A line of a manifest, its line feed included."""
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8: escape it, so that the manifest stays readable
        return (json.dumps(row) + "\n").encode()


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Lines that are not blank: number from 1, first byte's place in the file, content."""
    offset = 0
    for line, content in enumerate(file, start=1):
        start, offset = offset, offset + len(content)
        if line == 1 and content.startswith(codecs.BOM_UTF8):
            content, start = content.removeprefix(codecs.BOM_UTF8), len(codecs.BOM_UTF8)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            at = start + error.start
            raise ManifestError(f"{path}: not UTF-8 text (byte {at}); save the manifest as UTF-8") from error
        if text and not text.isspace():
            yield line, start, content.removesuffix(b"\n")


def _repeated(hashes: np.ndarray) -> set[int]:
    ordered = np.sort(hashes)
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def _duplicates(path: Path, file: BinaryIO, target: str, hashes: set[int]) -> list[tuple[int, str]]:
    """Looks once more at the rows whose ids have one of these hashes; two ids may share one."""
    folder = path.absolute().parent
    file.seek(0)
    first: dict[str, int] = {}
    faults = []
    for line, _, content in _lines(path, file):
        try:
            id_ = parse_row(content, folder, target).id
        except (ValueError, OverflowError):
            continue
        if hash(id_) in hashes and first.setdefault(id_, line) != line:
            faults.append((line, f"duplicate id {id_!r}, first on line {first[id_]}"))
    return faults


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half of a surrogate pair, {error.object[error.start]!r}: no text") from error


def _strings(row: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    values: list[Any] = list(map(row.get, keys))
    if set(map(type, values)) != {str}:
        wrong = next(key for key, value in zip(keys, values, strict=True) if not isinstance(value, str))
        raise ValueError(f"{wrong!r} is {_value(row, wrong)!r}, expected a string")
    return values


def _seconds(row: dict[str, Any], key: str) -> float:
    value: Any = row.get(key)
    if type(value) not in (float, int) or not math.isfinite(value):  # True is no number
        raise ValueError(f"{key!r} is {_value(row, key)!r}, expected a number of seconds")
    return float(value)


def _part(part: Any) -> Part:
    if not isinstance(part, dict) or part.keys() != {"offset", "size", "crc32"}:
        raise ValueError(f"'part' is {part!r}, expected an object with offset, size and crc32")
    for key, least, limit in (("offset", 0, _MAX_BYTES), ("size", 1, _MAX_BYTES), ("crc32", 0, 1 << 32)):
        if type(part[key]) is not int or not least <= part[key] < limit:
            raise ValueError(f"{key!r} of 'part' is {part[key]!r}, expected a whole number from {least}")
    return Part(**part)


def _value(row: dict[str, Any], key: str) -> Any:
    if key not in row:
        raise ValueError(f"missing key {key!r}; this row has {', '.join(map(repr, row))}")
    return row[key]
