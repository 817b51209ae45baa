"""VoxPopuli (Wang et al., 2021), transcribed: speeches in the European Parliament, one language.

SOURCE is `transcribed_data/LANG` as the corpus's own scripts leave it: `asr_train.tsv`, `asr_dev.tsv`, `asr_test.tsv`
and the recordings as `YEAR/ID.ogg`. The text is the normalised one.
"""

from pathlib import Path

from asr.corpora.candidate import Progress, Splits
from asr.corpora.layout import AudioFinder, require_folder
from asr.corpora.listing import Fields, rows_to_splits
from asr.corpora.table import read_table

_COLUMNS = ["id", "raw_text", "normalized_text", "speaker_id", "split", "gender", "is_gold_transcript", "accent"]
_HINT = "give the folder transcribed_data/LANG as voxpopuli's get_asr_data leaves it"


def load_voxpopuli(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the transcribed utterances of a language of VoxPopuli.

    Args:
        source: the language's folder.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not VoxPopuli's.
    """
    needed = [f"asr_{split}.tsv" for split in ("train", "dev", "test")]
    source = require_folder(source, "voxpopuli", needed, _HINT)
    audio, language = AudioFinder(), source.resolve().name.partition("_")[0]
    splits: Splits = {}
    for split in ("train", "dev", "test"):
        rows = (_found(row, source, language, audio) for row in read_table(source / f"asr_{split}.tsv", _COLUMNS))
        splits |= rows_to_splits(rows, source, split) or {split: []}
    return splits


def _found(row: Fields, source: Path, language: str, audio: AudioFinder) -> Fields:
    id_ = str(row.values.get("id", ""))
    if row.fault or "/" in id_:
        return row._replace(fault=row.fault or f"not an id: {id_!r}; fetch the list again")
    path, fault = audio.find(source / id_[:4] / id_)
    values = {**row.values, "audio": str(path.absolute()), "language": language}
    values.pop("split", None)
    return row._replace(values=values, further={}, fault=fault)
