"""Multilingual LibriSpeech (Pratap et al., 2020): one language.

SOURCE is `mls_LANGUAGE` (or `mls_LANGUAGE_opus`): `train`, `dev` and `test`, each with `transcripts.txt`, lines of
`id<tab>text`, and the recordings as `audio/SPEAKER/BOOK/SPEAKER_BOOK_NUMBER.flac`.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, Progress, Splits
from asr.corpora.languages import CODES
from asr.corpora.layout import AudioFinder, require_folder
from asr.corpora.table import read_table

_HINT = "give the folder of one language, such as mls_german"


def load_mls(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of a language of Multilingual LibriSpeech.

    Args:
        source: the language's folder.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not MLS's.
    """
    needed = [f"{split}/transcripts.txt" for split in ("train", "dev", "test")]
    source = require_folder(source, "mls", needed, _HINT)
    words = source.resolve().name.split("_")
    language = next((code for name, code in CODES.items() if name in words), None)
    return {split: _load_split(source / split, language) for split in ("train", "dev", "test")}


def _load_split(folder: Path, language: str | None) -> list[Candidate]:
    audio = AudioFinder()
    candidates = []
    for row in read_table(folder / "transcripts.txt", ["id", "text"]):
        id_ = str(row.values.get("id", Path(row.listed).name))
        parts = id_.split("_")
        path, fault = folder, row.fault
        if fault is None and (len(parts) != 3 or not all(part.isalnum() for part in parts)):
            fault = f"not an id: {id_!r}, expected SPEAKER_BOOK_NUMBER; fetch the list again"
        if fault is None:
            path, fault = audio.find(folder / "audio" / parts[0] / parts[1] / id_)
        text = str(row.values.get("text", ""))
        candidates.append(Candidate(id_, path, text, parts[0], fault, language=language, listed=row.listed))
    return candidates
