"""Read the lists of one's own corpus: lines that may be broken, rows whose columns have the names people give them."""

import gzip
import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from asr.corpora.candidate import NOTHING_FURTHER, Candidate, CorpusError
from asr.corpora.layout import SPLIT_NAMES
from asr.corpora.manifest import ROW_KEYS
from asr.corpora.validate import find_unprintable
from asr.text.open_text import refuse_special

MAX_LINE_BYTES = 1 << 20
"""No row of a corpus is longer; a file without line ends is not read into memory."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "audio": (
        *("audio", "audio_filepath", "audio_path", "audio_file", "file_name", "filename", "wav_filename", "file"),
        *("wav", "path"),
    ),
    "text": ("text", "transcript", "transcription", "sentence", "normalized_text", "raw_text", "txt"),
    "id": ("id", "utt_id", "utterance_id", "uttid", "utt", "uid", "key"),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id", "user_id"),
    "start": ("start", "offset", "start_s", "start_time", "begin"),
    "end": ("end", "end_s", "end_time", "stop"),
    "duration": ("duration", "duration_s", "dur"),
    "language": ("language", "lang", "locale"),
    "split": ("split", "subset", "set", "partition"),
    "label": ("label", "class", "intent", "command", "category"),
}
"""What columns are called; of several names the first that is there is taken."""


class Line(NamedTuple):
    """A line of a list: its number from 1, and its text or what is wrong with it."""

    number: int
    text: str
    fault: str | None = None


class Object(NamedTuple):
    """A line of JSON: where it stands, and the object it is or what is wrong with it."""

    listed: str
    row: dict[str, Any]
    fault: str | None = None


class Fields(NamedTuple):
    """A row of a list: where it stands, and its values by the names of `COLUMNS`; or what is wrong with it."""

    listed: str
    values: Mapping[str, Any]
    further: Mapping[str, str]
    fault: str | None = None


def read_listing(path: Path) -> Iterator[Line]:
    """Read a text file line by line, however broken: blank lines left out, byte-order mark and CRLF tolerated.

    Args:
        path: a file that should be UTF-8 text; if its name ends in .gz, zipped.

    Raises:
        CorpusError: it cannot be read, or is UTF-16.
    """
    try:
        refuse_special(path)
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise CorpusError(f"{path}: UTF-16 text; save it as UTF-8")
                if len(raw) > MAX_LINE_BYTES:
                    while raw and not raw.endswith(b"\n"):
                        raw = file.readline(MAX_LINE_BYTES)
                    yield Line(number, "", f"a line longer than {MAX_LINE_BYTES} bytes; does it lack line ends?")
                    continue
                line = _decode(number, raw)
                if line.fault or line.text.strip():
                    yield line
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CorpusError(f"{path}: cannot read it ({reason}); check the path, or fetch it again") from error


def _decode(number: int, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        byte = raw[error.start : error.start + 1]
        seems = byte.decode("latin-1")
        found = f"byte {error.start} of the line is 0x{byte.hex()}" + (f", {seems} in Latin-1" * seems.isprintable())
        return Line(number, "", f"not UTF-8: {found}; save the file as UTF-8")
    if text.replace("\t", "").isprintable():  # most are, and this is soon asked
        return Line(number, text)
    for character in text:
        if character != "\t" and (character in "\r\x0b\x0c\x1c\x1d\x1e\x85" or find_unprintable(character)):
            return Line(number, "", f"control character in line: U+{ord(character):04X}; remove it")
    return Line(number, text)


def read_objects(path: Path) -> Iterator[Object]:
    """Read JSON lines; one that is no object comes with its fault."""
    for line in read_listing(path):
        listed = f"{path}:{line.number}"
        try:
            row = {} if line.fault else json.loads(line.text)
        except (ValueError, RecursionError) as error:
            yield Object(listed, {}, f"not JSON: {error}; write one object per line")
            continue
        if line.fault or not isinstance(row, dict):
            yield Object(listed, {}, line.fault or "not a row: expected an object {…} per line")
        else:
            yield Object(listed, row)


def read_json_rows(path: Path) -> Iterator[Fields]:
    """Read the rows of JSON lines, their keys named as the columns of a table are."""
    for found in read_objects(path):
        yield (
            Fields(found.listed, {}, {}, found.fault) if found.fault else Fields(found.listed, *name_values(found.row))
        )


def name_values(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Sort the values of a row into those whose meaning is known, by the names of `COLUMNS`, and further texts."""
    keys = {str(key).strip().lower().replace(" ", "_"): key for key in row}
    taken = {column: next((keys[name] for name in names if name in keys), None) for column, names in COLUMNS.items()}
    values = {column: row[key] for column, key in taken.items() if key is not None}
    known = {key for column, key in taken.items() if column != "label"}
    further = {name: row[key] for name, key in keys.items() if key not in known and name not in ROW_KEYS}
    return values, {name: value for name, value in further.items() if isinstance(value, str) and value}


def rows_to_splits(rows: Iterable[Fields], root: Path, split: str = "") -> dict[str, list[Candidate]]:
    """Make candidates of rows.

    Args:
        rows: what a list holds.
        root: folder that audio is relative to, and outside of which none may lie.
        split: where those rows go that do not name their split.

    Returns:
        Candidates by split, in the order of the rows.
    """
    splits: dict[str, list[Candidate]] = {}
    for row in rows:
        name, candidate = split, None
        try:
            if row.fault is None:
                name = split_name(str(row.values.get("split") or split))
                candidate = _candidate(row, root)
            fault = row.fault
        except ValueError as error:
            fault = str(error)
        if candidate is None:
            id_ = "_".join(Path(row.listed).name.split())
            candidate = Candidate(id_, Path(row.listed.rpartition(":")[0]), "", "", fault, listed=row.listed)
        splits.setdefault(name, []).append(candidate)
    return splits


def split_name(name: str) -> str:
    """The name by which a split is known here: train, dev and test have other names elsewhere.

    Raises:
        ValueError: it could not be the name of a file.
    """
    name = name.strip()
    if name.startswith((".", "-")) or any(not (c.isalnum() or c in "._-") for c in name):
        raise ValueError(f"not the name of a split: {name!r}; use letters, digits, . _ and -")
    return SPLIT_NAMES.get(name.lower(), name)


def confined(root: Path, name: str) -> Path:
    """The path of an audio file that a list names.

    Links on the disk are followed, whoever made them has seen to them; what a list says is not.

    Args:
        root: folder that the name is relative to.
        name: a path as the list has it.

    Raises:
        ValueError: it leads out of the folder, or is no path.
    """
    if not name.strip() or find_unprintable(name) or "\n" in name:
        raise ValueError("no audio named: its path is empty or holds a control character; write the path of a file")
    if "://" in name:
        raise ValueError(f"not a file: {name} is an address; fetch it, and name the file")
    folder = _absolute(root)
    path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - a million times, and paths of pathlib are slow
    if path != folder and not path.startswith(folder.rstrip("/") + "/"):
        raise ValueError(f"outside: {name} is not in {root}; name the folder that holds all audio with --audio-root")
    return Path(path)


@cache
def _absolute(root: Path) -> str:
    return os.path.normpath(root.absolute())


def _candidate(row: Fields, root: Path) -> Candidate:
    values = row.values
    for key in ("audio", "text", "label", "id", "speaker", "language"):
        value = values.get(key)
        if isinstance(value, bool | float | list | dict) or (key == "audio" and isinstance(value, int)):
            raise ValueError(f"not a text: {key} is {str(value)[:60]!r}; expected a string")
    audio = confined(root, str(values.get("audio") or ""))
    start_s = _seconds(values, "start") or 0.0
    duration_s, end_s = _seconds(values, "duration"), _seconds(values, "end")
    if end_s is not None:
        duration_s = end_s - start_s
    claimed_s, whole = duration_s, end_s is None and not values.get("start") and values.get("start") != 0
    if duration_s is not None and duration_s <= 0:
        raise ValueError(f"no duration: {duration_s:g} s from {start_s:g} s; write where it ends, after its start")
    id_ = str(values.get("id") or "") or _name(audio, root, start_s, None if whole else duration_s)
    text = values.get("text") if values.get("text") is not None else values.get("label")
    further = dict(row.further)
    if isinstance(values.get("label"), str):
        further["label"] = values["label"]
    language = values.get("language")
    return Candidate(
        id=id_,
        audio=audio,
        text=str(text or ""),
        speaker=intern(str(values.get("speaker") or "")),
        start_s=start_s,
        duration_s=None if whole else duration_s,
        language=intern(str(language)) if language else None,
        listed=row.listed,
        further=further or NOTHING_FURTHER,
        claimed_s=claimed_s if whole else None,
    )


def _seconds(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if value is None or value == "":
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < 1e9:
        raise ValueError(f"not a time: {key} is {str(value)[:60]!r}; write seconds, 0 or more")
    return seconds


def _name(audio: Path, root: Path, start_s: float, duration_s: float | None) -> str:
    """An id for a row without one: the path below root, and the segment's place in milliseconds."""
    path = str(audio)[len(_absolute(root)) :].strip("/").removesuffix(audio.suffix)
    name = "_".join(path.replace("/", "-").split())
    if duration_s is None:
        return name if start_s == 0 else f"{name}-{1000 * start_s:08.0f}"
    return f"{name}-{1000 * start_s:08.0f}-{1000 * (start_s + duration_s):08.0f}"
