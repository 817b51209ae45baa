"""One's own corpus as a folder: audio files, each with its transcript in a text file of the same name beside it.

SOURCE may hold folders named after splits (train, dev or valid, test), each to any depth. The folder right above a file
is its speaker where there is one inside the split; files right in SOURCE or in a split have no known speaker.
"""

import os
from pathlib import Path

from asr.corpora.candidate import Candidate, CorpusError, Splits
from asr.corpora.layout import index_audio, require_folder, split_folders
from asr.corpora.listing import read_listing

NO_TRANSCRIPTS = {"readme", "license", "licence", "copying", "notes", "changelog", "metadata", "speakers"}
"""Names of text files that belong to no recording."""

_HINT = "give the folder that holds audio files, each with a .txt file of the same name beside it"


def load_folder(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the audio files of a folder.

    Args:
        source: the folder.
        audio_root: must be None: audio lies beside its text.
        out: unused, nothing is written.

    Returns:
        Splits by name, or one named "" where SOURCE has no folders named after splits.

    Raises:
        CorpusError: SOURCE is no folder, or has no audio in it.
    """
    source = require_folder(source, "folder", [], _HINT)
    if audio_root is not None:
        raise CorpusError("folder: takes no --audio-root, audio lies beside its text")
    splits = {name: _load_tree(top) for name, top in split_folders(source).items()} or {"": _load_tree(source)}
    if not any(splits.values()):
        raise CorpusError(f"folder: looked for audio and .txt files in {source} and found none; {_HINT}")
    return splits


def _load_tree(top: Path) -> list[Candidate]:
    candidates = []
    for at, folders, names in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        folder = Path(at)
        speaker = "" if folder == top else "_".join(folder.name.split())
        audio = {stem: path for stem, path in index_audio(folder).items() if not stem.startswith(".")}
        texts = {Path(name).stem: folder / name for name in names if Path(name).suffix.lower() == ".txt"}
        for stem in sorted(audio.keys() | texts.keys()):
            if stem in audio or not (stem.startswith(".") or stem.lower() in NO_TRANSCRIPTS):
                candidates.append(_candidate(top, folder / stem, speaker, audio.get(stem), texts.get(stem)))
    return candidates


def _candidate(top: Path, place: Path, speaker: str, audio: Path | None, transcript: Path | None) -> Candidate:
    text, fault, listed = "", None, ""
    if transcript is None:
        fault = f"no transcript: write {place.name}.txt beside it, or take the file out"
    else:
        listed = str(transcript)
        try:
            lines = list(read_listing(transcript))
        except CorpusError as error:
            lines, fault = [], str(error)
        text = " ".join(line.text for line in lines)
        wrong = next((line for line in lines if line.fault), None)
        if wrong:
            listed, fault = f"{transcript}:{wrong.number}", wrong.fault
    if audio is None:
        fault = f"no audio file {place}.wav (nor with another suffix libsndfile reads); put it there"
    id_ = "_".join("-".join(place.relative_to(top).parts).split())
    return Candidate(id_, audio or place, text, speaker, fault, listed=listed)
