"""Look for a corpus's files where its layout says, and say clearly what is not there."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from asr.audio.suffixes import AUDIO_SUFFIXES
from asr.corpora.candidate import CorpusError
from asr.text.open_text import refuse_special

SPLIT_NAMES = {
    **{"train": "train", "training": "train"},
    **{"dev": "dev", "valid": "dev", "validation": "dev", "val": "dev"},
    **{"test": "test", "testing": "test", "eval": "test"},
}
"""Names of splits as folders and files have them, and as they are called here."""


def require_folder(source: Path | None, corpus: str, needed: Iterable[str], hint: str) -> Path:
    """Check that a source folder has the files and folders that mark a corpus's layout.

    Args:
        source: the folder the user named.
        corpus: name of the corpus, for the message.
        needed: paths relative to source that must exist.
        hint: what to give as SOURCE instead, one sentence without a full stop.

    Returns:
        The folder.

    Raises:
        CorpusError: no folder was named, it does not exist, or something in it is missing.
    """
    if source is None:
        raise CorpusError(f"{corpus}: needs SOURCE, the folder with the corpus; {hint}")
    if not source.is_dir():
        raise CorpusError(f"{corpus}: SOURCE {source} is not a folder; {hint}")
    missing = [name for name in needed if not (source / name).exists()]
    if missing:
        raise CorpusError(f"{corpus}: looked for {', '.join(missing)} in {source} and found none of that; {hint}")
    return source


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Read a corpus's text file as (line number, line), blank lines left out, byte-order mark and CRLF tolerated.

    Args:
        path: a UTF-8 text file.

    Returns:
        Line numbers from 1, and lines without white space at their ends.

    Raises:
        CorpusError: the file cannot be read or is not UTF-8.
    """
    try:
        refuse_special(path)
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CorpusError(f"{path}: cannot read it ({error.strerror}); is the corpus unpacked completely?") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return [(number, line.strip()) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]


def index_audio(folder: Path) -> dict[str, Path]:
    """Find the audio files directly in a folder.

    Args:
        folder: where to look; may be missing.

    Returns:
        Path by name without suffix, in the order of the names.
    """
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES]
    found: dict[str, Path] = {}
    for path in sorted(files, key=lambda path: (path.stem, AUDIO_SUFFIXES.index(path.suffix.lower()))):
        found.setdefault(path.stem, path)
    return found


def split_files(source: Path, suffixes: tuple[str, ...], corpus: str, hint: str) -> list[tuple[str, Path]]:
    """Find the lists of a corpus: SOURCE itself, or the files in it that are named after splits.

    Args:
        source: a file or a folder.
        suffixes: what the names of such files end in, lower case.
        corpus: name of the layout, for the message.
        hint: what to give as SOURCE instead, one sentence without a full stop.

    Returns:
        (split, file), the split "" for a file that the user named; `train_manifest.json` is a list of train.

    Raises:
        CorpusError: there is none.
    """
    if source.is_file():
        return [("", source)]
    require_folder(source, corpus, [], hint)
    found = []
    for path in sorted(source.iterdir()):
        start = re.split(r"[_.-]", path.name, maxsplit=1)[0].lower()
        if path.suffix.lower() in suffixes and start in SPLIT_NAMES:
            found.append((SPLIT_NAMES[start], path))
    if not found:
        raise CorpusError(f"{corpus}: looked for train, dev or test in {source} and found no list; {hint}")
    return found


def split_folders(source: Path) -> dict[str, Path]:
    """Find the folders in SOURCE that are named after splits, by the splits' names here, train first."""
    found = {path: SPLIT_NAMES.get(path.name.lower()) for path in sorted(source.iterdir()) if path.is_dir()}
    order = sorted(found.items(), key=lambda item: list(SPLIT_NAMES.values()).index(item[1]) if item[1] else -1)
    return {split: path for path, split in order if split}


class AudioFinder:
    """Finds audio by its path without a suffix, listing each folder once."""

    def __init__(self) -> None:
        self._index = cache(index_audio)

    def find(self, place: Path) -> tuple[Path, str | None]:
        """The file of that name with whatever suffix, and None; or the place itself and what is wrong."""
        found = self._index(place.parent).get(place.name)
        if found is None:
            return place, f"no audio file: {place}.flac, .wav or another suffix; is the corpus unpacked completely?"
        return found, None
