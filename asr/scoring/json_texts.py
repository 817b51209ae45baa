"""Texts from JSON: rows one a line, a list of rows, a mapping from id to text, or a document that holds utterances."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asr.scoring.errors import ScoringError
from asr.scoring.rows import Clip, Known, Row, Side, refuse

_ID_KEYS = ("id", "utt_id", "utterance_id", "uttid", "key", "audio_filepath", "audio", "path", "file_name", "file")
_TEXT_KEYS: dict[Side, tuple[str, ...]] = {
    "reference": ("reference", "ref", "text", "sentence", "transcript", "transcription", "normalized_text"),
    "hypothesis": ("hypothesis", "hyp", "pred_text", "prediction", "text", "transcript", "transcription"),
}
_AUDIO_KEYS = ("audio_filepath", "audio", "path", "file_name", "file")
_PREDICTED = {"hypothesis", "hyp", "pred_text", "prediction"}  # a file that holds these holds both sides


def is_json(content: str) -> bool:
    """Whether a file's content begins like JSON rows; a line of text that begins with a bracket is no JSON."""
    start = content.lstrip()
    if start[:1] not in ("{", "["):
        return False
    for piece in (start, start.split("\n", 1)[0]):
        try:
            json.loads(piece)
        except (ValueError, RecursionError):
            continue
        return True
    return False


def read_json(path: Path, content: str, lines: Sequence[str], side: Side) -> list[Row]:
    """Reads rows.

    The first of `_TEXT_KEYS` that any row has must be in all of them: a row whose hypothesis is missing is a fault, and
    its reference is never taken instead.

    Raises:
        ScoringError: What is no JSON, and every row without id or text, by line (or place in the list).
    """
    rows, unit = _rows(path, content, lines)
    faults = [f"{path}: {unit} {number}: expected an object with id and text" for number, row in rows if row is None]
    objects = [(number, row) for number, row in rows if row is not None]
    text_key = next((key for key in _TEXT_KEYS[side] if any(key in row for _, row in objects)), None)
    if text_key is None and objects:
        has = ", ".join(map(repr, objects[0][1]))
        raise ScoringError(f"{path}: no {side} under any of {', '.join(_TEXT_KEYS[side])}; the first row has {has}")
    id_key = next((key for key in _ID_KEYS if any(isinstance(row.get(key), str | int) for _, row in objects)), None)
    found = []
    for number, row in objects:
        id, text = row.get(id_key or ""), row.get(text_key or "")
        if not isinstance(text, str):
            faults.append(f"{path}: {unit} {number}: {text_key!r} is {_shown(text)}, expected the {side}, a string")
        elif isinstance(id, bool) or not isinstance(id, str | int) or id == "":
            faults.append(f"{path}: {unit} {number}: {id_key or 'id'!r} is {_shown(id)}, expected an id")
        else:
            found.append(Row(_id(row, str(id), id_key), " ".join(text.split()), _known(path, row, text)))
    refuse(faults)
    return found


def holds_both(path: Path, lines: Sequence[str]) -> bool:
    """Whether a file's rows have predictions beside their references."""
    rows, _ = _rows(path, "\n".join(lines), lines)
    return any(row is not None and _PREDICTED & row.keys() for _, row in rows)


def _rows(path: Path, content: str, lines: Sequence[str]) -> tuple[list[tuple[int, dict[str, Any] | None]], str]:
    """Numbered rows, None for what is no object, and what the numbers count."""
    try:
        whole = json.loads(content, object_pairs_hook=_unique)
    except _TwiceError as error:
        raise ScoringError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        return _rows_of_lines(path, lines), "line"
    listed = whole
    if isinstance(whole, dict):
        texts = {key for keys in _TEXT_KEYS.values() for key in keys}
        if isinstance(whole.get("utterances"), list):
            listed = whole["utterances"]
        elif whole.keys() & texts:
            listed = [whole if whole.keys() & set(_ID_KEYS) else {"id": path.stem} | whole]
        else:
            listed = [{"id": id, "text": text} for id, text in whole.items()]
    if not isinstance(listed, list):
        raise ScoringError(f"{path}: expected rows, a list of rows, or a mapping from id to text")
    return [(i, row if isinstance(row, dict) else None) for i, row in enumerate(listed, start=1)], "row"


def _rows_of_lines(path: Path, lines: Sequence[str]) -> list[tuple[int, dict[str, Any] | None]]:
    rows: list[tuple[int, dict[str, Any] | None]] = []
    faults = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line, object_pairs_hook=_unique)
            except (ValueError, RecursionError) as error:
                faults.append(f"{path}: line {number}: not JSON ({error}): {line[:60]!r}")
                continue
            rows.append((number, row if isinstance(row, dict) else None))
    refuse(faults)
    return rows


class _TwiceError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, unless a key stands in it twice: plain json would keep the last and say nothing."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1}) if len(keys) < 1000 else ["…"]
        raise _TwiceError(f"{len(pairs) - len(found)} key(s) more than once in one object: {', '.join(twice[:20])}")
    return found


def _id(row: dict[str, Any], id: str, id_key: str | None) -> str:
    """Rows that are named by their file alone may be stretches of the same one."""
    start_s = _number(row.get("offset", row.get("start")))
    return f"{id}@{start_s:.3f}" if id_key in _AUDIO_KEYS and start_s else id


def _known(path: Path, row: dict[str, Any], text: str) -> Known:
    audio = next((row[key] for key in _AUDIO_KEYS if isinstance(row.get(key), str) and row[key]), None)
    start_s, duration_s = _number(row.get("offset", row.get("start"))) or 0.0, _number(row.get("duration"))
    clip = None
    if audio is not None and "\0" not in audio and "part" not in row:
        clip = Clip(path.absolute().parent / audio, start_s, duration_s if start_s else None)
    speaker, corpus = (
        next((str(row[key]) for key in keys if isinstance(row.get(key), str | int)), None)
        for keys in (("speaker", "speaker_id", "client_id"), ("corpus", "dataset", "subset"))
    )
    flags = row["flags"] if isinstance(row.get("flags"), list) else []
    return Known(speaker, corpus, duration_s, clip, _confidences(row, text), tuple(map(str, flags)))


def _confidences(row: dict[str, Any], text: str) -> tuple[float, ...] | None:
    """Of whisper's and our own `words`; None where they are not those of the text."""
    segments = row.get("segments")
    words = row.get("words")
    if not isinstance(words, list) and isinstance(segments, list):
        inner = [segment.get("words") for segment in segments if isinstance(segment, dict)]
        words = [word for each in inner if isinstance(each, list) for word in each]
    if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
        return None
    confidences = [_number(word.get("confidence", word.get("probability"))) for word in words]
    spelt = [str(word.get("word", word.get("text", ""))).strip() for word in words]
    sound = tuple(each for each in confidences if each is not None and each <= 1)
    return sound if words and spelt == text.split() and len(sound) == len(words) else None


def _number(value: object) -> float | None:
    """A number that is not negative; None for anything else, such as an integer that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _shown(value: object) -> str:
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 60 else text[:60] + "…"
