"""Where a transcript's file goes: never over another input's output, never over an older one unless told."""

import os
from collections.abc import Collection
from itertools import chain, count
from pathlib import Path

from asr.recognizer.formats import Format


def output_path(
    out_dir: Path, audio: Path, format: Format, taken: Collection[Path], *, overwrite: bool = False
) -> Path:
    """Chooses the output file of one input.

    The name is the input's stem; when another input of this run has it (a/x.wav and b/x.wav, x.wav and x.flac), the
    full file name, then the folder's name and the file name, then a number.

    Args:
        out_dir: Folder of the outputs.
        audio: The input.
        format: Becomes the suffix.
        taken: Paths this function gave to earlier inputs of the same run.
        overwrite: Whether a file of an earlier run may be replaced.

    Raises:
        FileExistsError: The file is there already and ``overwrite`` is off.
    """
    used = {path.name.casefold() for path in taken}  # some file systems do not tell X.txt from x.txt
    numbered = (f"{audio.stem}-{i}" for i in count(2))
    names = chain((audio.stem, audio.name, f"{audio.absolute().parent.name}-{audio.name}"), numbered)
    path = next(out_dir / f"{name}.{format}" for name in names if f"{name}.{format}".casefold() not in used)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; remove it, choose another folder, or give --overwrite")
    return path


def write_output(path: Path, text: str) -> None:
    """Writes a rendered transcript (UTF-8), whole or not at all; the folder is created when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f".{path.name}.tmp")
    tmp.write_text(text, encoding="utf-8", newline="\n")
    os.replace(tmp, path)  # noqa: PTH105 (atomic, also where the target exists)
