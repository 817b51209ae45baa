"""Mozilla Common Voice (Ardila et al., 2020): one language of a release.

SOURCE is the language's folder, `cv-corpus-*/LANG`: `train.tsv`, `dev.tsv`, `test.tsv` with columns client_id, path,
sentence and more, and the recordings in `clips`. Splits are the official ones, which share no speaker; `validated.tsv`
and the rest overlap them and are not read. Several hundred clips of most releases are empty: `--max-rejected`.
"""

from pathlib import Path

from asr.corpora.candidate import Progress, Splits
from asr.corpora.layout import require_folder
from asr.corpora.listing import Fields, rows_to_splits
from asr.corpora.table import read_table

_HINT = "give the folder of one language, such as cv-corpus-17.0/de"
_KEPT = ("age", "gender", "accents", "variant")


def load_common_voice(source: Path | None, out: Path, progress: Progress) -> Splits:
    """List the utterances of a language of Common Voice.

    Args:
        source: the language's folder.
        out: unused, nothing is written.
        progress: unused.

    Returns:
        Splits train, dev, test.

    Raises:
        CorpusError: the tree is not Common Voice's.
    """
    source = require_folder(source, "common_voice", ["clips", "train.tsv", "dev.tsv", "test.tsv"], _HINT)
    language = source.resolve().name
    splits: Splits = {}
    for split in ("train", "dev", "test"):
        rows = (_whole(row, language) for row in read_table(source / f"{split}.tsv"))
        splits |= rows_to_splits(rows, source / "clips", split) or {split: []}
    return splits


def _whole(row: Fields, language: str) -> Fields:
    """A row as later releases have it: first ones name clips without suffix, and leave the language to the folder."""
    if row.fault:
        return row
    audio = str(row.values["audio"])
    spoken = row.values.get("language") or language
    values = {**row.values, "language": spoken, "audio": audio if Path(audio).suffix else f"{audio}.mp3"}
    values.pop("split", None)  # `segment` and its like are no splits
    return row._replace(values=values, further={key: row.further[key] for key in _KEPT if key in row.further})
