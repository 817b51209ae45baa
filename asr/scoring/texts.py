"""References and hypotheses from anyone's files: lines, Kaldi text, trn, stm, JSON and JSON lines."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from asr.scoring.errors import ScoringError
from asr.scoring.json_texts import is_json, read_json
from asr.scoring.rows import Known, Row, Side, refuse
from asr.scoring.trn import parse_trn

Format = Literal["lines", "kaldi", "trn", "stm", "json", "folder"]
_SUFFIXES: dict[str, Format] = {".trn": "trn", ".stm": "stm", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_LOOKS_LIKE_ID = re.compile(r"[-_0-9]")
_IGNORED = "ignore_time_segment_in_scoring"


@dataclass(frozen=True)
class Texts:
    """The texts of one file.

    Attributes:
        path: The file.
        format: How it was read.
        rows: Its utterances, in the file's order; either all have an id or none.
        notes: What a reader of the score should know.
    """

    path: Path
    format: Format
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def has_ids(self) -> bool:
        """Whether rows are told apart by an id, not by their line."""
        return self.format != "lines"


def read_texts(path: Path, side: Side, format: Format | None = None) -> Texts:
    """Reads a file of texts, or a folder of them; a byte-order mark and CRLF are tolerated.

    Args:
        path: The file; or a folder, of a report of ours (results.json) or of files that hold one text each, all .txt or
            else all .json, as `asr transcribe --out-dir` writes them, with the file's name for an id.
        side: Which of its texts: files such as NeMo's hold both.
        format: lines, one text a line · kaldi, ``id words`` · trn, ``words (id)`` · stm, of NIST · json, rows one a
            line, a list of rows, a mapping from id to text, or results.json of `asr evaluate`. None tells it by the
            suffix, else by the content: JSON; trn, if every line ends in ``(id)``; kaldi, if the file's name is
            "text" or every line begins with a word that holds a digit, ``-`` or ``_``; lines otherwise.

    Raises:
        ScoringError: Not UTF-8, not of that format (all faults are told), or without any text.
        OSError: The file cannot be read.
    """
    if path.is_dir():
        if not (path / "results.json").is_file():
            return _read_folder(path, side)
        path = path / "results.json"
    content = _content(path)
    lines = [line.removesuffix("\r") for line in content.split("\n")]
    if lines[-1] == "":
        lines.pop()
    format = format or _SUFFIXES.get(path.suffix.lower()) or _format_of(path, content, lines)
    if format == "json":
        return _texts(path, format, read_json(path, content, lines, side))
    return _texts(path, format, _READERS[format](path, lines))


def _content(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScoringError(f"{path}: not UTF-8 at byte {error.start}; convert it first, for example by iconv") from None


def _read_folder(folder: Path, side: Side) -> Texts:
    """One text a file; below other folders, too."""
    for suffix in (".txt", ".json"):
        rows = []
        for path in sorted(found for found in folder.rglob(f"*{suffix}") if found.is_file()):
            id, content = path.relative_to(folder).with_suffix("").as_posix(), _content(path)
            if suffix == ".txt":
                rows.append(Row(id, " ".join(content.split())))
            else:
                rows += [replace(row, id=id) for row in read_json(path, content, content.split("\n"), side)]
        if rows:
            return Texts(folder, "folder", tuple(rows), (f"{folder}: {len(rows)} files, named by their utterance",))
    raise ScoringError(f"{folder}: holds no .txt or .json files")


def _format_of(path: Path, content: str, lines: list[str]) -> Format:
    if is_json(content):
        return "json"
    filled = [line for line in lines if line.strip() and not line.startswith(";;")]
    if filled and all(re.search(r"\([^\s()]+\)\s*$", line) for line in filled):
        return "trn"
    if filled and (path.name == "text" or all(_LOOKS_LIKE_ID.search(line.split()[0]) for line in filled)):
        return "kaldi"
    return "lines"


def _texts(path: Path, format: Format, rows: list[Row]) -> Texts:
    if not rows:
        raise ScoringError(f"{path}: holds no text")
    notes = []
    if format == "kaldi":
        notes.append(f"{path}: the first word of each line is its id, such as {rows[0].id}")
    kept = [row for row in rows if format != "stm" or row.text.lower() != _IGNORED]
    if len(kept) < len(rows):
        notes.append(f"{path}: {len(rows) - len(kept)} of {len(rows)} segments are marked to be ignored: left out")
    return Texts(path, format, tuple(kept), tuple(notes))


def _read_lines(path: Path, lines: list[str]) -> list[Row]:
    width = len(str(len(lines)))
    return [Row(f"{number:0{width}d}", " ".join(line.split())) for number, line in enumerate(lines, start=1)]


def _read_kaldi(path: Path, lines: list[str]) -> list[Row]:
    return [Row(words[0], " ".join(words[1:])) for words in map(str.split, lines) if words]


def _read_trn(path: Path, lines: list[str]) -> list[Row]:
    """As sclite has it, the speaker is what precedes the first ``-`` or ``_`` of an id."""
    rows = []
    for id, text in parse_trn(path, lines):
        named = re.match("([^-_]+)[-_]", id)
        rows.append(Row(id, text, Known(speaker=named[1] if named else None)))
    return rows


def _read_stm(path: Path, lines: list[str]) -> list[Row]:
    """``file channel speaker start end [<label>] text``; file, channel, start and end make the id."""
    rows, faults = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        fields = line.split()
        try:
            name, channel, speaker, start, end = fields[:5]
            start_s, end_s = float(start), float(end)
        except ValueError:
            faults.append(
                f"{path}:{number}: expected 'file channel speaker start end <label> text', found {line[:60]!r}"
            )
            continue
        words = fields[6:] if len(fields) > 5 and re.fullmatch("<.*>", fields[5]) else fields[5:]
        id = f"{name}-{channel}-{start_s:.3f}-{end_s:.3f}"
        rows.append(Row(id, " ".join(words), Known(speaker=speaker, duration_s=end_s - start_s)))
    refuse(faults)
    return rows


_READERS: dict[Format, Callable[[Path, list[str]], list[Row]]] = {
    "lines": _read_lines,
    "kaldi": _read_kaldi,
    "trn": _read_trn,
    "stm": _read_stm,
}
