"""Hugging Face's audio folders, and the Parquet files of its datasets.

SOURCE holds `metadata.csv`, `metadata.tsv` or `metadata.jsonl` with a column `file_name`, at its top or in each folder
named after a split; a row's file may also lie in such a folder. Or it holds Parquet files named after splits
(`data/train-00000-of-00004.parquet`), whose column `audio` has the files themselves: they are written to OUT/audio,
which takes the package pyarrow (`pip install 'asr[parquet]'`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr.audio.suffixes import AUDIO_SUFFIXES
from asr.corpora.candidate import CorpusError, Splits
from asr.corpora.layout import SPLIT_NAMES, require_folder, split_folders
from asr.corpora.listing import Fields, name_values, read_json_rows, rows_to_splits
from asr.corpora.manifest import whole_file
from asr.corpora.table import read_table

_READERS = {"metadata.csv": read_table, "metadata.tsv": read_table, "metadata.jsonl": read_json_rows}
_HINT = "give a folder that holds metadata.csv or metadata.jsonl, itself or in train, dev and test, or Parquet files"


def load_hf(source: Path, audio_root: Path | None, out: Path) -> Splits:
    """List the utterances of an audio folder or of Parquet files.

    Args:
        source: the folder.
        audio_root: folder that audio is relative to; None for that of the metadata.
        out: the folder to prepare; audio out of Parquet files is written to `out/audio`.

    Returns:
        Splits by name, or one named "" where nothing says which.

    Raises:
        CorpusError: there is neither, or pyarrow is needed and missing.
    """
    source = require_folder(source, "hf", [], _HINT)
    splits: Splits = {}
    for split, top in [("", source), *split_folders(source).items()]:
        for name, reader in _READERS.items():
            if (top / name).is_file():
                root = audio_root or top
                for where, rows in rows_to_splits(map(_with_split, reader(top / name)), root, split).items():
                    splits.setdefault(where, []).extend(rows)
    if splits:
        return splits
    for path in sorted([*source.glob("*.parquet"), *source.glob("data/*.parquet")]):
        split = SPLIT_NAMES.get(path.name.split("-")[0].split(".")[0].lower(), "")
        folder = out / "audio" / (split or "all")
        for where, rows in rows_to_splits(_read_parquet(path, folder), out, split).items():
            splits.setdefault(where, []).extend(rows)
    if not splits:
        raise CorpusError(f"hf: looked for metadata.csv, metadata.jsonl and *.parquet in {source}; {_HINT}")
    return splits


def _with_split(row: Fields) -> Fields:
    """Takes the split from the folder that a row's file lies in, where the row does not tell."""
    first = str(row.values.get("audio", "")).partition("/")[0].lower()
    if first in SPLIT_NAMES and "split" not in row.values:
        return row._replace(values={**row.values, "split": SPLIT_NAMES[first]})
    return row


def _read_parquet(path: Path, folder: Path) -> Iterator[Fields]:
    """Writes the audio of a Parquet file, and reads its rows as if they named these files."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise CorpusError(f"{path}: Parquet takes the package pyarrow: pip install 'asr[parquet]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    try:
        for batch in ParquetFile(path).iter_batches(batch_size=64):
            for row in batch.to_pylist():
                yield _row(row, f"{path}:{number}", folder / f"{path.stem}-{number:08d}")
                number += 1
    except (ArrowException, OSError) as error:
        raise CorpusError(f"{path}: cannot read it as Parquet ({error}); fetch it again") from error


def _row(row: dict[str, Any], listed: str, place: Path) -> Fields:
    """A row with its audio written to `place` and its own suffix; the name inside the file is used for nothing else."""
    audio = row.get("audio")
    if not isinstance(audio, dict) or not isinstance(audio.get("bytes"), bytes):
        return Fields(listed, {}, {}, "no audio: expected a column audio with the bytes of a file")
    name = str(audio.get("path") or "")
    suffix = Path(name).suffix.lower()
    target = place.with_name(place.name + (suffix if suffix in AUDIO_SUFFIXES else ".audio"))
    with whole_file(target) as file:
        file.write(audio["bytes"])
    values, further = name_values({**row, "audio": None})
    return Fields(listed, {**values, "audio": str(target.absolute()), "id": values.get("id") or target.stem}, further)
