"""AISHELL-1 (Bu et al., 2017): 178 hours of Mandarin, 400 speakers.

SOURCE is `data_aishell`: `transcript/aishell_transcript_v0.8.txt`, lines of `id words`, and `wav/SPLIT/SPEAKER/ID.wav`,
out of one archive per speaker. The blanks between words are dropped, as is done for scoring by characters. Some 325
recordings have no transcript: they are listed as rejected.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Progress, Splits
from asr.corpora.layout import index_audio, require_folder
from asr.corpora.listing import read_listing

_TRANSCRIPT = "transcript/aishell_transcript_v0.8.txt"
_HINT = "give the folder data_aishell, with the archives in its wav unpacked there"


def load_aishell(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of AISHELL-1.

    Args:
        source: the folder data_aishell.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not AISHELL's, or a line of the transcript is broken.
    """
    splits = ("train", "dev", "test")
    source = require_folder(source, "aishell", [_TRANSCRIPT, *(f"wav/{split}" for split in splits)], _HINT)
    texts: dict[str, tuple[str, str]] = {}
    for line in read_listing(source / _TRANSCRIPT):
        listed = f"{source / _TRANSCRIPT}:{line.number}"
        if line.fault:
            raise CorpusError(f"{listed}: {line.fault}")
        id_, *words = line.text.split()
        texts[id_] = ("".join(words), listed)
    return {split: _load_split(source / "wav" / split, texts) for split in splits}


def _load_split(folder: Path, texts: dict[str, tuple[str, str]]) -> list[Candidate]:
    candidates = []
    for speaker in sorted(path for path in folder.iterdir() if path.is_dir()):
        for id_, path in index_audio(speaker).items():
            text, listed = texts.get(id_, ("", ""))
            fault = None if listed else f"no transcript: {_TRANSCRIPT} has no line for it; nothing can be done"
            candidates.append(Candidate(id_, path, text, speaker.name, fault, language="zh", listed=listed))
    return candidates
