"""VCTK (Yamagishi et al., 2019): 110 speakers of English with many accents.

SOURCE is release 0.92, `wav48_silence_trimmed/SPEAKER/SPEAKER_NUMBER_mic1.flac` (mic2 is not read), or 0.80,
`wav48/SPEAKER/SPEAKER_NUMBER.wav`; transcripts are `txt/SPEAKER/SPEAKER_NUMBER.txt`. The transcripts of p315 were lost
by the publisher. There are no official splits: it is divided by speaker, and some texts are read by all.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, require_folder
from asr.corpora.listing import read_listing

_HINT = "give the folder VCTK-Corpus-0.92 or VCTK-Corpus, with txt and wav48_silence_trimmed or wav48 in it"


def load_vctk(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of VCTK.

    Args:
        source: the release.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        One split named "", to be divided.

    Raises:
        CorpusError: the tree is not VCTK's.
    """
    source = require_folder(source, "vctk", ["txt"], _HINT)
    audio = next((top for name in ("wav48_silence_trimmed", "wav48") if (top := source / name).is_dir()), None)
    if audio is None:
        raise CorpusError(f"vctk: looked for wav48_silence_trimmed and wav48 in {source} and found none; {_HINT}")
    speakers = sorted(path for path in audio.iterdir() if path.is_dir() and (source / "txt" / path.name).is_dir())
    return {"": [row for speaker in speakers for row in _load_speaker(speaker, source / "txt" / speaker.name)]}


def _load_speaker(folder: Path, texts: Path) -> list[Candidate]:
    candidates = []
    for stem, path in index_audio(folder).items():
        id_ = stem.removesuffix("_mic1")
        if stem.endswith("_mic2"):
            continue
        transcript, text, fault = texts / f"{id_}.txt", "", None
        try:
            lines = list(read_listing(transcript))
            text = " ".join(line.text for line in lines)
            fault = next((line.fault for line in lines if line.fault), None)
        except CorpusError as error:
            fault = f"no transcript: {error}"
        candidates.append(Candidate(id_, path, text, folder.name, fault, listed=str(transcript)))
    return candidates
