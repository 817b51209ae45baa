"""Speech Commands (Warden, 2018): one word per second, to be classified.

SOURCE is the unpacked archive: `WORD/SPEAKER_nohash_NUMBER.wav`, `validation_list.txt` and `testing_list.txt`. Splits
are the official ones. The word is the text, and stands under `label`; `_background_noise_` is no word.
"""

from pathlib import Path

from asr.corpora.candidate import Candidate, Progress, Splits
from asr.corpora.layout import index_audio, read_lines, require_folder

_LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
_HINT = "give the folder that speech_commands_v0.02.tar.gz was unpacked in"


def load_speech_commands(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the words of Speech Commands.

    Args:
        source: the unpacked archive.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not that of Speech Commands.
    """
    source = require_folder(source, "speech_commands", _LISTS.values(), _HINT)
    listed = {
        line: (split, f"{source / name}:{number}")
        for split, name in _LISTS.items()
        for number, line in read_lines(source / name)
    }
    splits: Splits = {"train": [], "dev": [], "test": []}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(("_", "."))):
        for stem, path in index_audio(folder).items():
            split, where = listed.pop(f"{folder.name}/{path.name}", ("train", ""))
            speaker = stem.partition("_")[0]
            row = Candidate(f"{folder.name}-{stem}", path, folder.name, speaker, further={"label": folder.name})
            splits[split].append(row)
    for name, (split, where) in listed.items():
        fault = "no audio file: it is listed; unpack the archive again"
        splits[split].append(Candidate(name.replace("/", "-"), source / name, "", "", fault, listed=where))
    return splits
