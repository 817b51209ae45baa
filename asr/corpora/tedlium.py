"""TED-LIUM (Rousseau et al., 2014; Hernandez et al., 2018), releases 2 and 3: talks, cut into utterances by STM files.

SOURCE is `TEDLIUM_release2`, with `train`, `dev`, `test`, or `TEDLIUM_release-3`, where these are in `legacy` and
release 3's training talks in `data`. Each holds `stm/TALK.stm`, lines of `talk channel speaker start end <label> text`,
and `sph/TALK.sph`.

Suffixes that stand alone are joined to their word (`it 's`), numbers of pronunciations dropped (`a(2)`). Utterances of
train with `<unk>`, a word that nobody wrote down, are left out; in dev and test the mark stays, and counts as an error.
"""

import re
from pathlib import Path

from asr.corpora.candidate import Candidate, Progress, Splits
from asr.corpora.layout import AudioFinder, require_folder
from asr.corpora.listing import read_listing

_SUFFIX = re.compile(r" (?='(?:s|t|d|m|ll|re|ve)\b)")
_PRONUNCIATION = re.compile(r"\(\d+\)")
_HINT = "give the folder TEDLIUM_release2 or TEDLIUM_release-3"


def load_tedlium(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of TED-LIUM.

    Args:
        source: the release.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not TED-LIUM's.
    """
    source = require_folder(source, "tedlium", [], _HINT)
    top = source / "legacy" if (source / "legacy").is_dir() else source
    train = source / "data" if (source / "data" / "stm").is_dir() else top / "train"
    folders = {"train": train, "dev": top / "dev", "test": top / "test"}
    needed = [str((folder / "stm").relative_to(source)) for folder in folders.values()]
    require_folder(source, "tedlium", needed, _HINT)
    return {split: _load_split(folder, split == "train") for split, folder in folders.items()}


def _load_split(folder: Path, is_train: bool) -> list[Candidate]:
    audio = AudioFinder()
    candidates = []
    for stm in sorted((folder / "stm").glob("*.stm")):
        path, missing = audio.find(folder / "sph" / stm.stem)
        for line in read_listing(stm):
            if line.text.startswith(";;"):  # a comment
                continue
            listed = f"{stm}:{line.number}"
            try:
                if line.fault:
                    raise ValueError(line.fault)
                candidate = _read_line(line.text, stm.stem, path, missing, listed)
            except ValueError as error:
                candidate = Candidate(Path(listed).name, path, "", "", str(error), listed=listed)
            ignored = candidate.text == "ignore_time_segment_in_scoring"
            if not ignored and not (is_train and "<unk>" in candidate.text.split()):
                candidates.append(candidate)
    return candidates


def _read_line(line: str, talk: str, path: Path, missing: str | None, listed: str) -> Candidate:
    """Reads a line of an STM file.

    Raises:
        ValueError: it is none.
    """
    fields = line.split(maxsplit=5)
    try:
        _, _, speaker, start, end = fields[:5]
        start_s, end_s = float(start), float(end)
    except ValueError:
        start_s, end_s = 0.0, 0.0
    if not 0 <= start_s < end_s < 1e9:
        raise ValueError(f"not a line of STM: {line[:60]!r}; expected talk, channel, speaker, start, end, label, text")
    rest = fields[5] if len(fields) > 5 else ""
    text = rest.partition(">")[2].strip() if rest.startswith("<") else rest
    text = _PRONUNCIATION.sub("", _SUFFIX.sub("", text))
    id_ = f"{talk}-{1000 * start_s:08.0f}-{1000 * end_s:08.0f}"
    return Candidate(id_, path, text, speaker, missing, start_s, end_s - start_s, listed=listed)
