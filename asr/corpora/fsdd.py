"""Free Spoken Digit Dataset (Jackson et al., DOI 10.5281/zenodo.1342401), as strings of connected digits.

SOURCE is the GitHub tree: `recordings/{digit}_{speaker}_{index}.wav`, 8 kHz. An utterance is several recordings of one
speaker joined with 0.15 s of silence, written as 16-bit FLAC at the recordings' own rate below OUT/audio.

Splits, by index of the recording: test from 0–4 (the corpus's own test recordings), dev from 5–9, train from 10–49.
Test and dev are read from `strings_test.tsv` and `strings_dev.tsv` (columns id, speaker, text, files) where SOURCE has
them, and drawn with a fixed seed otherwise; train is always drawn, each recording about equally often, and holds no
string that dev or test holds.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import read_lines, require_folder

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The words of the digits 0–9."""

SILENCE_S = 0.15
"""Silence between two recordings of a string."""

# Split: indices of its recordings, and number of strings.
PARTS = {"test": (range(5), 300), "dev": (range(5, 10), 100), "train": (range(10, 50), 3000)}
_SEED = 20161
HINT = "give the folder of the GitHub repository free-spoken-digit-dataset"
NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<index>\d+)\.wav")


@dataclass(frozen=True, slots=True)
class _String:
    id: str
    speaker: str
    text: str
    files: tuple[str, ...]


def load_fsdd(source: Path | None, out: Path, progress: Progress) -> Splits:
    """Join FSDD's recordings into strings, and list them.

    Args:
        source: the GitHub tree.
        out: the folder to prepare; audio is written to `out/audio/{split}`.
        progress: called with strings written and strings in all.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not FSDD's, or a line of a strings file is malformed.
    """
    source = require_folder(source, "fsdd", ["recordings"], HINT)
    strings: dict[str, list[_String]] = {}
    for split in PARTS:
        held_out = {string.text for rows in strings.values() for string in rows}
        strings[split] = _list_strings(source, split, held_out)
    total = sum(len(rows) for rows in strings.values())
    recordings = _Recordings(source)
    splits: Splits = {"train": [], "dev": [], "test": []}
    for split, rows in strings.items():
        folder = out / "audio" / split
        folder.mkdir(parents=True, exist_ok=True)
        for string in rows:
            path = folder / f"{string.id}.flac"
            fault = recordings.write_string(string, path)
            splits[split].append(Candidate(string.id, path, string.text, string.speaker, fault))
            progress(sum(map(len, splits.values())), total)
    return splits


def _list_strings(source: Path, split: str, held_out: set[str]) -> list[_String]:
    listed = source / f"strings_{split}.tsv"
    if split != "train" and listed.exists():
        return list(_read_strings(listed))
    indices, n_strings = PARTS[split]
    return _draw_strings(source, split, indices, n_strings, held_out)


def _read_strings(path: Path) -> Iterator[_String]:
    for number, line in read_lines(path):
        if number == 1 and line.split("\t")[0] == "id":
            continue
        columns = line.split("\t")
        if len(columns) != 4:
            raise CorpusError(f"{path}:{number}: expected id, speaker, text, files between tabs, found {line!r}")
        yield _String(columns[0], columns[1], columns[2], tuple(columns[3].split()))


def _draw_strings(source: Path, split: str, indices: range, n_strings: int, held_out: set[str]) -> list[_String]:
    """Deal each speaker's shuffled recordings into strings of 3–7, shuffling anew when they are used up.

    No string that another split holds is dealt.
    """
    decks: dict[str, list[str]] = {}
    for path in sorted((source / "recordings").iterdir()):
        match = NAME.fullmatch(path.name)
        if match is not None and int(match["index"]) in indices:
            decks.setdefault(match["speaker"], []).append(path.name)
    if not decks:
        wanted = f"{{digit}}_{{speaker}}_{{{indices[0]}..{indices[-1]}}}.wav"
        raise CorpusError(f"fsdd: looked for {wanted} in {source / 'recordings'} and found none; {HINT}")
    strings = []
    for rank, (speaker, deck) in enumerate(sorted(decks.items())):
        random_ = random.Random(f"{_SEED} {split} {speaker}")
        n_here = (rank + 1) * n_strings // len(decks) - rank * n_strings // len(decks)
        cards = _deal(deck, random_)
        for number in range(n_here):
            text = ""
            while not text or text in held_out:
                names = [next(cards) for _ in range(random_.randint(3, 7))]
                text = " ".join(DIGITS[int(name[0])] for name in names)
            files = tuple(f"recordings/{name}" for name in names)
            strings.append(_String(f"{speaker}-{split}-{number:03d}", speaker, text, files))
    return strings


def _deal(deck: list[str], random_: random.Random) -> Iterator[str]:
    while True:
        cards = list(deck)
        random_.shuffle(cards)
        yield from cards


class _Recordings:
    """The recordings of a tree, each decoded once."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._decoded: dict[str, tuple[NDArray[np.int16], int]] = {}

    def write_string(self, string: _String, path: Path) -> str | None:
        """Write a string's audio, or say what keeps it from being written."""
        matches = [NAME.fullmatch(Path(file).name) for file in string.files]
        spoken = " ".join(DIGITS[int(match["digit"])] if match else "?" for match in matches)
        if spoken != string.text:
            return f"the text is {string.text!r}, but its files say {spoken!r}"
        try:
            parts = [self._read(file) for file in string.files]
        except (sf.SoundFileError, OSError) as error:
            return f"cannot decode one of its recordings: {error}"
        rates_hz = {rate_hz for _, rate_hz in parts}
        if len(rates_hz) > 1:
            return f"its recordings have different rates: {sorted(rates_hz)} Hz"
        rate_hz = rates_hz.pop()
        silence = np.zeros(round(SILENCE_S * rate_hz), np.int16)
        pieces = [piece for recording, _ in parts for piece in (silence, recording)]
        sf.write(path, np.concatenate(pieces[1:]), rate_hz, format="FLAC", subtype="PCM_16")
        return None

    def _read(self, file: str) -> tuple[NDArray[np.int16], int]:
        if file not in self._decoded:
            values, rate_hz = sf.read(self._source / file, dtype="int16", always_2d=True)
            self._decoded[file] = values[:, 0], rate_hz
        return self._decoded[file]
