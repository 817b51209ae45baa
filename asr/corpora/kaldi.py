"""Kaldi's data folders: `text`, `wav.scp`, and where there are some, `segments`, `utt2spk`, `utt2lang`. In any order.

SOURCE is one such folder, or holds several, each a split of its own name. A `wav.scp` may name files alone: what ends
in a bar is a command for a shell, and nothing here runs one; what ends in `.ark:123` lies inside an archive.
"""

import re
from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Splits
from asr.corpora.layout import SPLIT_NAMES, require_folder
from asr.corpora.listing import confined, read_listing

_HINT = "give a folder that holds wav.scp and text, or one that holds such folders"


def load_kaldi(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the utterances of Kaldi's data folders.

    Args:
        source: a data folder, or a folder of them.
        audio_root: folder that audio is relative to; None for the data folder.
        out: unused, nothing is written.

    Returns:
        Splits by the folders' names, or one named "" where SOURCE itself is a data folder.

    Raises:
        CorpusError: there is no data folder.
    """
    source = require_folder(source, "kaldi", [], _HINT)
    tops = {"": source} if (source / "wav.scp").exists() else {}
    if not tops:
        found = sorted(path.parent for path in source.glob("*/wav.scp"))
        tops = {SPLIT_NAMES.get(path.name, path.name): path for path in found}
    if not tops:
        raise CorpusError(f"kaldi: looked for wav.scp and text in {source} and found none of that; {_HINT}")
    return {split: _Folder(top, audio_root or top).candidates() for split, top in tops.items()}


class _Folder:
    """A data folder, its tables read."""

    def __init__(self, top: Path, root: Path) -> None:
        self._top = top
        self._root = root
        self._broken: list[Candidate] = []
        self._audio = self._table("wav.scp", needed=True)
        self._texts = self._table("text", needed=True)
        self._speakers = self._table("utt2spk")
        self._languages = self._table("utt2lang")
        self._segmented = (top / "segments").exists()
        self._segments = self._table("segments") if self._segmented else {id_: (id_, 0) for id_ in self._audio}

    def candidates(self) -> list[Candidate]:
        """All utterances that a table names, then the lines that say nothing."""
        ids = self._texts | self._segments  # in the order of the text, then what has none
        return [self._candidate(id_) for id_ in ids] + self._broken

    def _table(self, name: str, needed: bool = False) -> dict[str, tuple[str, int]]:
        """Rest of the line and its number, by first word."""
        path = self._top / name
        table: dict[str, tuple[str, int]] = {}
        if not needed and not path.exists():
            return table
        for line in read_listing(path):
            key, _, rest = line.text.strip().replace("\t", " ", 1).partition(" ")
            fault = line.fault
            if key in table:
                fault = f"second line for {key}, the first is line {table[key][1]}; take one out"
            if fault:
                self._broken.append(
                    Candidate(f"{name}:{line.number}", path, "", "", fault, listed=f"{path}:{line.number}")
                )
            else:
                table[key] = (rest.strip(), line.number)
        return table

    def _candidate(self, id_: str) -> Candidate:
        text, number = self._texts.get(id_, ("", 0))
        listed = f"{self._top / 'text'}:{number}" if number else ""
        speaker = self._speakers.get(id_, ("", 0))[0]
        audio, start_s, duration_s = self._root / id_, 0.0, None
        fault: str | None = None
        try:
            if id_ not in self._segments:
                where = "segments" if self._segmented else "wav.scp"
                raise ValueError(f"no audio: {where} has no line for it; add one, or take it out of text")
            recording = id_
            if self._segmented:
                listed = f"{self._top / 'segments'}:{self._segments[id_][1]}"
                recording, start_s, duration_s = _segment(self._segments[id_][0])
            audio = self._file(recording)
            if not number:
                raise ValueError("no transcript: text has no line for it; add one, or take it out")
            listed = f"{self._top / 'text'}:{number}"
        except ValueError as error:
            fault = str(error)
        language = self._languages.get(id_, ("", 0))[0] or None
        return Candidate(id_, audio, text, speaker, fault, start_s, duration_s, language=language, listed=listed)

    def _file(self, recording: str) -> Path:
        if recording not in self._audio:
            raise ValueError(f"no audio: wav.scp has no recording {recording}; add it")
        rest, number = self._audio[recording]
        where = f"wav.scp:{number}"
        if "|" in rest:
            raise ValueError(f"a command: {where} has a pipe, and none is run; decode it to a file, and name the file")
        if re.search(r"\.ark:\d+$", rest) or rest == "-":
            raise ValueError(f"not a file: {where} names a place in an archive; unpack it, and name the files")
        return confined(self._root, rest)


def _segment(rest: str) -> tuple[str, float, float | None]:
    """Recording, start and duration; an end of -1 is that of the recording."""
    fields = rest.split()
    try:
        recording, start_s, end_s = fields[0], float(fields[1]), float(fields[2])
    except (IndexError, ValueError):
        start_s, end_s = 0.0, 0.0
    if end_s == -1 and 0 <= start_s < 1e9:
        return recording, start_s, None
    if not 0 <= start_s < end_s < 1e9:
        raise ValueError(f"not a segment: {rest[:60]!r}; expected recording, start and a later end in seconds")
    return recording, start_s, end_s - start_s
