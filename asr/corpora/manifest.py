"""The manifest: one JSON line per utterance, the only form in which corpora reach training and scoring."""

import json
import math
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """

    id: str
    audio: Path
    start_s: float
    duration_s: float
    text: str
    speaker: str
    language: str


def read_manifest(path: str | os.PathLike[str], target: str = "text") -> list[Utterance]:
    """Read a manifest whole and refuse it whole if any line is wrong.

    Rows are objects with the keys id, audio, start, duration, text, speaker, language; further keys are ignored. A
    relative `audio` is resolved against the manifest's folder. A byte-order mark, CRLF and blank lines are tolerated.

    Args:
        path: a JSONL file.
        target: the key whose string becomes `Utterance.text`, such as "translation"; "text" is needed for "text" alone.

    Returns:
        The utterances, in the file's order.

    Raises:
        ManifestError: the file is missing or not UTF-8, or lines are faulty; all faults are listed.
    """
    path = Path(path)
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(
            f"{path}: cannot read the manifest ({error.strerror}); make it with `asr prepare`"
        ) from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: not UTF-8 text (byte {error.start}); save the manifest as UTF-8") from error
    utterances: list[Utterance] = []
    faults: list[str] = []
    line_of: dict[str, int] = {}
    folder = path.absolute().parent
    for line, text in enumerate(content.split("\n"), start=1):
        if not text.strip():
            continue
        try:
            utterance = _parse_row(text, folder, target)
        except (ValueError, OverflowError) as error:
            faults.append(f"{path}:{line}: {error}")
            continue
        first = line_of.setdefault(utterance.id, line)
        if first != line:
            faults.append(f"{path}:{line}: duplicate id {utterance.id!r}, first on line {first}")
        utterances.append(utterance)
    if faults:
        raise ManifestError("\n".join(faults))
    return utterances


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write a manifest atomically: readers see the old file or the whole new one.

    Audio at or below the manifest's folder is written relative to it, so that the folder can be moved; other audio is
    written absolute.

    Args:
        path: the JSONL file to write; its folder must exist.
        utterances: rows in the order to write them.

    Raises:
        OSError: the folder cannot be written.
    """
    path = Path(path)
    folder = path.absolute().parent
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for utterance in utterances:
                file.write(_format_row(utterance, folder))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _parse_row(text: str, folder: Path, target: str) -> Utterance:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with id, audio, …, found {type(row).__name__}")
    strings = {key: _string(row, key) for key in ("id", "audio", target, "speaker", "language")}
    for key in ("id", "audio"):
        if not strings[key].strip():
            raise ValueError(f"{key!r} is empty")
    if "\0" in strings["audio"]:
        raise ValueError("'audio' holds a NUL character")
    start_s, duration_s = _seconds(row, "start"), _seconds(row, "duration")
    if start_s < 0:
        raise ValueError(f"'start' is {start_s}, expected 0 or more seconds")
    if duration_s <= 0:
        raise ValueError(f"'duration' is {duration_s}, expected more than 0 seconds")
    audio = folder / strings["audio"]
    return Utterance(
        strings["id"], audio, start_s, duration_s, strings[target], strings["speaker"], strings["language"]
    )


def _string(row: dict[str, Any], key: str) -> str:
    value = _value(row, key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is {value!r}, expected a string")
    return value


def _seconds(row: dict[str, Any], key: str) -> float:
    value = _value(row, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key!r} is {value!r}, expected a number of seconds")
    return float(value)


def _value(row: dict[str, Any], key: str) -> Any:
    if key not in row:
        raise ValueError(f"missing key {key!r}; this row has {', '.join(map(repr, row))}")
    return row[key]


def _format_row(utterance: Utterance, folder: Path) -> bytes:
    audio = utterance.audio.absolute()
    row = {
        "id": utterance.id,
        "audio": audio.relative_to(folder).as_posix() if audio.is_relative_to(folder) else str(audio),
        "start": utterance.start_s,
        "duration": utterance.duration_s,
        "text": utterance.text,
        "speaker": utterance.speaker,
        "language": utterance.language,
    }
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # a file name that is not UTF-8: escape it, so that the manifest stays readable
        return (json.dumps(row) + "\n").encode()
