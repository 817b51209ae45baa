"""FLEURS (Conneau et al., 2022): one language of 102, of Hugging Face's `google/fleurs`, unpacked.

SOURCE is `data/LANG` (such as `de_de`): `train.tsv`, `dev.tsv`, `test.tsv` without a header, and the recordings as
`audio/SPLIT/NAME.wav`, out of `audio/SPLIT.tar.gz`. The text is the normalised one; speakers are not told.
"""

from pathlib import Path

from asr.corpora.candidate import Progress, Splits
from asr.corpora.layout import require_folder
from asr.corpora.listing import Fields, rows_to_splits
from asr.corpora.table import read_table

_COLUMNS = ["number", "file_name", "raw_text", "text", "characters", "n_samples", "gender"]
_HINT = "give the folder of one language, such as data/de_de, with audio/train.tar.gz and its like unpacked in audio"


def load_fleurs(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of a language of FLEURS.

    Args:
        source: the language's folder.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not FLEURS's.
    """
    needed = [name for split in ("train", "dev", "test") for name in (f"{split}.tsv", f"audio/{split}")]
    source = require_folder(source, "fleurs", needed, _HINT)
    language = source.resolve().name.partition("_")[0]
    splits: Splits = {}
    for split in ("train", "dev", "test"):
        rows = (_plain(row, language) for row in read_table(source / f"{split}.tsv", _COLUMNS))
        splits |= rows_to_splits(rows, source / "audio" / split, split) or {split: []}
    return splits


def _plain(row: Fields, language: str) -> Fields:
    return row._replace(values={**row.values, "language": language}, further={})
