"""Shards: a corpus as a few tars and an index of columns, so that a million utterances open at once.

The tars have WebDataset's layout (`key.flac`, `key.json`). Reading goes by the index alone, with a seek into the tar:
nothing is unpacked, and no name inside a tar is ever used.
"""

import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from asr.audio.read import AudioError, read_audio
from asr.corpora.manifest import Utterance

INDEX_FILE = "index.json"
FORMAT = "asr shards 1"

_KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")
_COLUMNS = {"durations": "<f8", "tars": "<i4", "offsets": "<i8", "sizes": "<i8", "ends": "<i8"}
_STRINGS = ("id", "text", "speaker", "language")
_BLOB = "strings.bin"
_ADVICE = "copy the folder again from its source, or make it again with `asr shard`"


class ShardError(ValueError):
    """Shards cannot be written or read; the message names the file and says what to do."""


class ShardedUtterances(Sequence[Utterance]):
    """The utterances of a folder of shards, made when asked for; columns stay on disk, mapped into memory.

    Args:
        folder: What `write_shards` wrote.

    Raises:
        ShardError: No such folder, another format, or a file that is missing or not as long as the index says.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = _read_index(folder)
        n_utterances = index["n_utterances"]
        for name, size in index["files"].items():
            _check_size(folder / name, size)
        self._tars = [folder / name for name in index["tars"]]
        columns = {name: _load_column(folder / f"{name}.npy", dtype) for name, dtype in _COLUMNS.items()}
        for name, column in columns.items():
            expected = n_utterances * (len(_STRINGS) if name == "ends" else 1)
            if len(column) != expected:
                raise ShardError(f"{folder / name}.npy: {len(column)} rows, expected {expected}; {_ADVICE}")
        self._columns = columns
        self._blob: NDArray[np.uint8] = np.memmap(folder / _BLOB, np.uint8, "r") if n_utterances else np.zeros(0, "u1")

    def __len__(self) -> int:
        return len(self._columns["durations"])

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | Sequence[Utterance]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        columns, ends = self._columns, self._columns["ends"]
        first = row * len(_STRINGS)
        bounds = [int(ends[first - 1]) if first else 0, *ends[first : first + len(_STRINGS)].tolist()]
        id_, text, speaker, language = (
            self._blob[start:end].tobytes().decode("utf-8", "surrogatepass")
            for start, end in zip(bounds, bounds[1:], strict=False)
        )
        place = int(columns["offsets"][row]), int(columns["sizes"][row])
        audio, duration_s = self._tars[int(columns["tars"][row])], float(columns["durations"][row])
        return Utterance(id_, audio, 0.0, duration_s, text, speaker, language, place)

    def durations(self) -> NDArray[np.float64]:
        """Seconds of every utterance (n,), without making any."""
        return np.array(self._columns["durations"], np.float64)


def write_shards(
    utterances: Sequence[Utterance],
    out: Path,
    shard_mb: float = 500.0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes a corpus as shards, beside their place and then renamed.

    Whole FLAC files are copied byte for byte; other audio, and segments, become FLAC at their own rate (16 bits where
    the source has no more, else 24).

    Args:
        utterances: Rows in the order to keep.
        out: A folder that does not exist yet; the one above it must.
        shard_mb: A tar is closed once it holds this many megabytes.
        progress: Called with utterances written and in all.

    Raises:
        ShardError: `out` exists, or audio cannot be read; every such file is listed, and nothing is left behind.
    """
    if out.exists():
        raise ShardError(f"{out}: exists already; name another folder, or remove this one")
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.absolute().parent))
    try:
        _write(utterances, draft, shard_mb * 1e6, progress)
        draft.chmod(0o755)
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _write(
    utterances: Sequence[Utterance], out: Path, shard_bytes: float, progress: Callable[[int, int], None]
) -> None:
    columns = {name: array("i" if dtype == "<i4" else dtype[1].replace("f", "d").replace("i", "q"))
               for name, dtype in _COLUMNS.items()}  # fmt: skip
    tars: list[str] = []
    faults: list[str] = []
    tar: tarfile.TarFile | None = None
    with (out / _BLOB).open("wb") as blob:
        for number, utterance in enumerate(utterances):
            try:
                audio = _flac(utterance)
            except (AudioError, OSError) as error:
                faults.append(str(error))
                continue
            if tar is None or tar.offset >= shard_bytes:
                if tar is not None:
                    tar.close()
                tars.append(f"shard-{len(tars):06d}.tar")
                tar = tarfile.open(out / tars[-1], "w", format=tarfile.USTAR_FORMAT)
            key = utterance.id if _KEY.fullmatch(utterance.id) else f"utterance.{number:09d}".replace(".", "-")
            columns["offsets"].append(_add(tar, f"{key}.flac", audio))
            _add(tar, f"{key}.json", _row(utterance))
            columns["sizes"].append(len(audio))
            columns["tars"].append(len(tars) - 1)
            columns["durations"].append(utterance.duration_s)
            for name in _STRINGS:
                blob.write(getattr(utterance, name).encode("utf-8", "surrogatepass"))
                columns["ends"].append(blob.tell())
            progress(number + 1, len(utterances))
    if tar is not None:
        tar.close()
    if faults:
        raise ShardError("\n".join(faults))
    for name, dtype in _COLUMNS.items():
        np.save(out / f"{name}.npy", np.array(columns[name], dtype), allow_pickle=False)
    _finish(out, tars, len(columns["durations"]))


def _finish(out: Path, tars: list[str], n_utterances: int) -> None:
    """Flushes every file and writes the index, which knows how long each must be."""
    files = {}
    for path in sorted(out.iterdir()):
        files[path.name] = path.stat().st_size
        with path.open("rb") as file:
            os.fsync(file.fileno())
    index = {"format": FORMAT, "n_utterances": n_utterances, "tars": tars, "files": files}
    with (out / INDEX_FILE).open("w", encoding="utf-8") as file:
        json.dump(index, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Appends a member: -> where in the tar its content starts."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    start = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    return start


def _row(utterance: Utterance) -> bytes:
    row: dict[str, Any] = {"start": 0.0, "duration": utterance.duration_s}
    row.update((name, getattr(utterance, name)) for name in _STRINGS)
    return json.dumps(row).encode()


def _flac(utterance: Utterance) -> bytes:
    """The utterance's audio as a FLAC file, decoded once to be sure of it."""
    read_audio(
        utterance.audio,
        start_s=utterance.start_s,
        duration_s=utterance.duration_s,
        byte_range=utterance.byte_range,
    )
    content = utterance.audio.read_bytes()
    if utterance.byte_range is not None:
        offset, size = utterance.byte_range
        content = content[offset : offset + size]
    try:
        with sf.SoundFile(io.BytesIO(content)) as file:
            start, n_frames = round(utterance.start_s * file.samplerate), round(utterance.duration_s * file.samplerate)
            if file.format == "FLAC" and start == 0 and abs(n_frames - file.frames) <= 1:
                return content
            file.seek(start)
            subtype = "PCM_16" if file.subtype in ("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW") else "PCM_24"
            target = io.BytesIO()
            samples = file.read(max(1, n_frames), dtype="int16" if subtype == "PCM_16" else "int32", always_2d=True)
            sf.write(target, samples, file.samplerate, subtype, format="FLAC")
    except (sf.SoundFileError, RuntimeError, TypeError) as error:
        raise AudioError(
            f"{utterance.audio}: cannot be written as FLAC ({error}); convert it to wav or flac"
        ) from error
    return target.getvalue()


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX_FILE
    try:
        index = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ShardError(f"{path}: cannot be read ({error}); {_ADVICE}") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise ShardError(f"{path}: not an index of format {FORMAT!r}; {_ADVICE}")
    tars, files, n_utterances = index.get("tars"), index.get("files"), index.get("n_utterances")
    needed = {_BLOB, *(f"{name}.npy" for name in _COLUMNS)}
    whole = isinstance(tars, list) and isinstance(files, dict) and isinstance(n_utterances, int)
    if not whole or set(files) != needed | {f"shard-{n:06d}.tar" for n in range(len(tars))} or tars != sorted(
        set(files) - needed
    ):  # fmt: skip
        raise ShardError(f"{path}: damaged, its lists of files do not fit; {_ADVICE}")
    return index


def _check_size(path: Path, expected: Any) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise ShardError(f"{path}: {error.strerror}; {_ADVICE}") from error
    if found != expected:
        raise ShardError(f"{path}: {found} bytes, expected {expected}; {_ADVICE}")


def _load_column(path: Path, dtype: str) -> NDArray[Any]:
    try:
        column = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ShardError(f"{path}: not a column ({error}); {_ADVICE}") from error
    if column.dtype != np.dtype(dtype) or column.ndim != 1:
        raise ShardError(f"{path}: {column.dtype} with {column.ndim} axes, expected {dtype} with one; {_ADVICE}")
    return np.asarray(column)
