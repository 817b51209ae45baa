"""CMU AN4: 948 + 130 recordings of spelled and dictated census answers (Acero, 1991).

SOURCE is the official tree: `etc/an4_{train,test}.{fileids,transcription}`, `wav/an4_clstk`, `wav/an4test_clstk`, the
audio in any format libsndfile reads (the official .sph, or .wav, .flac; not the headerless .raw).

Splits: test is the official one (130 utterances, 773 words); dev is the last 100 of the official train utterances in
the order of speaker, then utterance; train is the rest (848).
"""

import re
from functools import cache
from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, read_lines, require_folder

N_DEV = 100
"""Official train utterances set aside for choosing."""

_HINT = "give the folder `an4` of the unpacked an4_sphere archive"
_NEEDED = [f"etc/an4_{part}.{kind}" for part in ("train", "test") for kind in ("fileids", "transcription")] + ["wav"]
_TRANSCRIPT = re.compile(r"(?P<text>.*)\((?P<id>[^()\s]+)\)")


def load_an4(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List AN4's utterances.

    Args:
        source: the official tree.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not AN4's, or a transcript line is malformed.
    """
    source = require_folder(source, "an4", _NEEDED, _HINT)
    train = _load_part(source, "train")
    train.sort(key=lambda candidate: (candidate.speaker, candidate.id))
    n_dev = min(N_DEV, len(train) // 2)  # only a toy tree has fewer than 200
    cut = len(train) - n_dev
    return {"train": train[:cut], "dev": train[cut:], "test": _load_part(source, "test")}


def _load_part(source: Path, part: str) -> list[Candidate]:
    fileids = source / "etc" / f"an4_{part}.fileids"
    transcripts = _read_transcripts(fileids.with_suffix(".transcription"))
    index = cache(index_audio)
    candidates = []
    for _, fileid in read_lines(fileids):
        place = source / "wav" / fileid
        audio = index(place.parent).get(place.name)
        text = transcripts.pop(place.name, None)
        fault = None
        if audio is None:
            fault = f"no audio file {place}.sph, .flac or .wav"
        elif text is None:
            fault = f"no transcript for ({place.name}) in etc/an4_{part}.transcription"
        candidates.append(Candidate(place.name, audio or place, text or "", place.parent.name, fault))
    for name, text in transcripts.items():
        fault = f"has a transcript but is not listed in etc/an4_{part}.fileids"
        candidates.append(
            Candidate(name, source / "wav" / name, text, name.split("-")[1] if "-" in name else "", fault)
        )
    return candidates


def _read_transcripts(path: Path) -> dict[str, str]:
    """Read `<s> TEXT </s> (id)` lines as text by id."""
    transcripts: dict[str, str] = {}
    for number, line in read_lines(path):
        match = _TRANSCRIPT.fullmatch(line)
        if match is None or match["id"] in transcripts:
            what = "expected `TEXT (id)`" if match is None else f"second transcript for {match['id']}"
            raise CorpusError(f"{path}:{number}: {what}, found {line!r}; restore the file from the corpus's archive")
        words = [word for word in match["text"].split() if word not in ("<s>", "</s>")]
        transcripts[match["id"]] = " ".join(words)
    return transcripts
