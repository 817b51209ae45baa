"""LJ Speech (Ito & Johnson, 2017), and the many one-speaker corpora laid out like it.

SOURCE holds `metadata.csv`, lines of `id|text as written|text as spoken` (or `id|text`) without quoting, and the audio
as `wavs/{id}.{wav,flac,opus,…}`. The speaker is named after SOURCE.

Splits, in the file's order: the last 5 % of the different texts are test, the 5 % before them dev, the rest train.
Whole texts are divided, not lines, so that no sentence that was recorded twice is in two splits.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, read_lines, require_folder
from asr.text.normalize import normalize

HELD_OUT_SHARE = 0.05
"""Share of the texts that goes to dev, and again to test."""

_HINT = "give the folder that holds metadata.csv and wavs, as LJSpeech-1.1 does"


def load_ljspeech(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of an LJSpeech tree.

    Args:
        source: the folder with metadata.csv and wavs.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not laid out like LJSpeech, a line is malformed, or there are too few texts to split.
    """
    source = require_folder(source, "ljspeech", ["metadata.csv", "wavs"], _HINT)
    candidates = _load_lines(source)
    texts = list(dict.fromkeys(normalize(candidate.text) for candidate in candidates))
    n_held_out = max(1, round(HELD_OUT_SHARE * len(texts)))
    if len(texts) < 3:
        raise CorpusError(f"ljspeech: {source / 'metadata.csv'} has {len(texts)} different texts, too few for 3 splits")
    test, dev = set(texts[-n_held_out:]), set(texts[-2 * n_held_out : -n_held_out])
    splits: Splits = {"train": [], "dev": [], "test": []}
    for candidate in candidates:
        text = normalize(candidate.text)
        splits["test" if text in test else "dev" if text in dev else "train"].append(candidate)
    return splits


def _load_lines(source: Path) -> list[Candidate]:
    metadata, speaker = source / "metadata.csv", source.resolve().name
    audio = index_audio(source / "wavs")
    used: set[str] = set()
    candidates = []
    for number, line in read_lines(metadata):
        columns = line.split("|")
        if len(columns) not in (2, 3):
            raise CorpusError(f"{metadata}:{number}: expected `id|text|normalised text` or `id|text`, found {line!r}")
        id_, text = columns[0].strip(), columns[-1].strip() or columns[1]
        found = audio.get(id_)
        used.add(id_)
        fault = None if found else f"no audio file {source / 'wavs' / id_}.wav (nor with another suffix)"
        candidates.append(Candidate(id_, found or source / "wavs" / id_, text, speaker, fault))
    unused = [path for id_, path in audio.items() if id_ not in used]
    return candidates + [Candidate(path.stem, path, "", speaker, "no line for it in metadata.csv") for path in unused]
