"""What manifests hold: hours, voices, words and letters, and what in them is odd. Rows are streamed in blocks."""

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from asr.corpora.candidate import Progress
from asr.corpora.manifest import Said, open_manifest, scan_rows
from asr.text.normalize import normalize

RARE_SHARE = 1e-4
"""A character that stands for less than this share of all, or stands there once or twice, is rare."""

FOREIGN_SHARE = 0.01
"""A letter of a script that fewer than this share of the letters belong to is foreign, however frequent itself."""

N_RARE_SHOWN = 30

_PERCENTILES = (5, 50, 95, 99)
_MAX_BINS = 20
_BIN_WIDTHS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600)
_AT_ONCE = 10_000  # rows


@dataclass(frozen=True)
class Odd:
    """A character that is rare or foreign.

    Attributes:
        character: the character.
        name: what Unicode calls it.
        count: how often it is there.
        first: the first row with it, as `manifest:row`, rows counted from 1.
    """

    character: str
    name: str
    count: int
    first: str


@dataclass
class Statistics:
    """What one manifest holds, or several.

    Attributes:
        name: of the manifest.
        seconds: duration of each utterance.
        speakers: utterances by speaker.
        languages: utterances by language.
        rates_hz: utterances by sampling rate of their file; 0 where the row does not say.
        words: how often each word is there, in normalised texts.
        characters: how often each character is there, blanks included.
        n_empty: utterances without a word.
        first: where each character is first, as `manifest:row`.
        texts: a hash of each different text.
    """

    name: str
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    speakers: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    rates_hz: Counter[int] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    n_empty: int = 0
    first: dict[str, str] = field(default_factory=dict)
    texts: set[int] = field(default_factory=set)

    def percentiles(self) -> dict[int, float]:
        """Seconds below which 5, 50, 95 and 99 % of the utterances are."""
        if not self.seconds:
            return {}
        found = np.percentile(np.frombuffer(self.seconds), _PERCENTILES)
        return dict(zip(_PERCENTILES, found.tolist(), strict=True))

    def histogram(self) -> list[tuple[float, float, int]]:
        """Utterances by duration: from, to, how many; some twenty bins, the last one wide where 1 % is far longer."""
        if not self.seconds:
            return []
        seconds = np.frombuffer(self.seconds)
        most = float(np.percentile(seconds, 99)) * 1.05
        width = next((width for width in _BIN_WIDTHS_S if most <= width * _MAX_BINS), most / _MAX_BINS)
        edges = np.arange(0, most + width, width)
        counts = np.histogram(np.minimum(seconds, edges[-1]), edges)[0]
        longest = max(float(seconds.max()), float(edges[-1]))
        ends = [*edges[1:-1].tolist(), longest]
        return list(zip(edges[:-1].tolist(), ends, counts.tolist(), strict=True))

    def odd_characters(self) -> list[Odd]:
        """Rare and foreign characters, the most frequent first: typing errors, look-alikes, letters from elsewhere."""
        n_all = self.characters.total()
        scripts: Counter[str] = Counter()
        for character, count in self.characters.items():
            scripts[_script(character)] += count
        n_letters = scripts.total() - scripts[""]
        found = []
        for character, count in self.characters.most_common():
            script = _script(character)
            foreign = script != "" and scripts[script] < FOREIGN_SHARE * n_letters
            if foreign or count <= max(2, RARE_SHARE * n_all):
                name = unicodedata.name(character, f"U+{ord(character):04X}")
                found.append(Odd(character, name, count, self.first[character]))
        return found


def read_statistics(path: Path, target: str = "text", progress: Progress = lambda done, total: None) -> Statistics:
    """Go through a manifest.

    Args:
        path: a JSONL file.
        target: the key that holds the text.
        progress: told (bytes read, bytes in all).

    Raises:
        ManifestError: it is missing or faulty; all faults are listed.
    """
    found = Statistics(path.name)
    n_bytes = path.stat().st_size if path.is_file() else 0
    with open_manifest(path) as file:
        rows = scan_rows(path, file, target)
        while block := list(islice(rows, _AT_ONCE)):
            progress(block[0].offset, n_bytes)
            _add(found, str(path), [row.said for row in block])
    return found


def _add(found: Statistics, name: str, rows: list[Said]) -> None:
    """Counts some rows column by column: few calls, each of which goes through many rows."""
    n_before = len(found.seconds)
    texts = [normalize(row.text) for row in rows]
    found.seconds.extend(row.duration_s for row in rows)
    found.speakers.update([row.speaker for row in rows])
    found.languages.update([row.language for row in rows])
    found.rates_hz.update([row.rate_hz for row in rows])
    found.words.update(" ".join(texts).split())
    found.n_empty += texts.count("")
    found.texts.update(map(hash, texts))
    counts = np.bincount(np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32))
    present = np.flatnonzero(counts)
    here = dict(zip(map(chr, present.tolist()), counts[present].tolist(), strict=True))
    found.characters.update(here)
    new = here.keys() - found.first.keys()
    for number, text in enumerate(texts, start=n_before + 1):
        if not new:
            break
        for character in new.intersection(text):
            found.first[character] = f"{name}:{number}"
        new -= found.first.keys()


def join(parts: Iterable[Statistics]) -> Statistics:
    """The statistics of several manifests together."""
    whole = Statistics("all")
    for part in parts:
        whole.seconds.extend(part.seconds)
        for name in ("speakers", "languages", "rates_hz", "words", "characters"):
            getattr(whole, name).update(getattr(part, name))
        whole.n_empty += part.n_empty
        whole.first = part.first | whole.first
        whole.texts |= part.texts
    return whole


def shared(parts: list[Statistics]) -> list[tuple[str, str, int, int]]:
    """What manifests have in common, pair by pair: their names, speakers in both, texts in both."""
    pairs = [(a, b) for at, a in enumerate(parts) for b in parts[at + 1 :]]
    return [
        (a.name, b.name, len((a.speakers.keys() & b.speakers.keys()) - {""}), len(a.texts & b.texts)) for a, b in pairs
    ]


def as_json(statistics: Statistics) -> dict[str, Any]:
    """All of it but the hashes, as plain values."""
    return {
        "name": statistics.name,
        "utterances": len(statistics.seconds),
        "hours": sum(statistics.seconds) / 3600,
        "seconds": {f"p{at}": value for at, value in statistics.percentiles().items()},
        "histogram": [{"from_s": start, "to_s": end, "utterances": n} for start, end, n in statistics.histogram()],
        "speakers": dict(statistics.speakers.most_common()),
        "languages": dict(statistics.languages.most_common()),
        "rates_hz": {str(rate): n for rate, n in statistics.rates_hz.most_common()},
        "empty_texts": statistics.n_empty,
        "words": statistics.words.total(),
        "vocabulary": dict(statistics.words.most_common()),
        "characters": dict(statistics.characters.most_common()),
        "odd_characters": [vars(odd) for odd in statistics.odd_characters()],
    }


def _script(character: str) -> str:
    """LATIN, CYRILLIC, CJK and so on, of a letter; empty for what is none."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""
