"""NeMo's manifests: JSON lines of audio_filepath, duration, text, offset and whatever else.

SOURCE is a file, or a folder of files named after splits (`train.jsonl`, `dev_manifest.json`, …). Paths are relative to
the manifest's folder. Other names of keys are understood as those of a table's columns are. A row with `offset` is a
segment of its file; without, it is all of it.
"""

from pathlib import Path

from asr.corpora.candidate import Splits
from asr.corpora.layout import split_files
from asr.corpora.listing import read_json_rows, rows_to_splits

SUFFIXES = (".jsonl", ".json", ".ndjson")

_HINT = "give a manifest of JSON lines, or a folder that holds train.jsonl, dev.jsonl and test.jsonl"


def load_nemo(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the utterances of NeMo's manifests.

    Args:
        source: a manifest, or a folder of manifests.
        audio_root: folder that audio is relative to; None for the folder of the manifest.
        out: unused, nothing is written.

    Returns:
        Splits by name; "" for rows that belong to none.

    Raises:
        CorpusError: there is no manifest.
    """
    splits: Splits = {}
    for split, path in split_files(source, SUFFIXES, "nemo", _HINT):
        for name, rows in rows_to_splits(read_json_rows(path), audio_root or path.parent, split).items():
            splits.setdefault(name, []).extend(rows)
    return splits
