"""What people name to be transcribed: files, folders, patterns, standard input; and how each is read."""

import glob
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from asr.audio.read import AudioError, Samples, look_at, stream_audio
from asr.audio.suffixes import AUDIO_SUFFIXES

Channel = int | Literal["mix", "split"]
"""Which channel is heard, from 1; the average of all; or each by itself."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Something to be transcribed.

    Attributes:
        name: What its transcript is called.
        file: Where it is; None where it is no file.
        blocks: Reads it: blocks (n,) of samples, float32, 16 kHz; may raise AudioError or OSError.
        place: The path that its outputs are named after: the file, with the channel if it is one of several.
    """

    name: str
    file: Path | None
    blocks: Callable[[], Iterator[Samples]]
    place: Path

    @classmethod
    def of_file(cls, file: Path, channel: int | None = None, place: Path | None = None) -> "Recording":
        """A file: the average of its channels or one of them, from 0."""
        place = place or file
        return cls(place.name, file, partial(stream_audio, file, channel=channel), place)

    @classmethod
    def of_samples(cls, samples: np.ndarray) -> "Recording":
        """Samples (N,) float, mono, 16 kHz."""
        return cls("samples", None, lambda: iter([samples.astype(np.float32)]), Path("samples"))

    @classmethod
    def refused(cls, place: Path, reason: AudioError | OSError) -> "Recording":
        """One that cannot be read, which is told when its turn comes."""

        def blocks() -> Iterator[Samples]:
            raise reason

        return cls(place.name, place, blocks, place)


def find_recordings(inputs: Sequence[Path], channel: Channel, stdin: BinaryIO) -> list[Recording]:
    """Lists the recordings that inputs stand for, in order.

    Args:
        inputs: Files; folders, of which all recordings are taken, those in folders below, too; patterns such as
            `talks/**/*.m4a` where no file has that name; `-` for standard input.
        channel: Which channel of each.
        stdin: Read only if asked for.
    """
    found: list[Recording] = []
    for path in inputs:
        if path == Path("-"):
            found += _channels(_kept(stdin), channel, Path("stdin"))
            continue
        try:
            files = _files(path)
        except (AudioError, OSError) as error:
            found.append(Recording.refused(path, error))
            continue
        found += (recording for file in files for recording in _channels(file, channel, file))
    return found


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in AUDIO_SUFFIXES and each.is_file())
        if not files:
            raise AudioError(f"{path}: no recordings in this folder; name files if theirs have no usual suffix")
        return files
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    files = sorted(each for each in map(Path, glob.glob(str(path), recursive=True)) if each.is_file())  # noqa: PTH207
    if not files:
        raise AudioError(f"{path}: no file matches")
    return files


def _channels(file: Path, channel: Channel, place: Path) -> list[Recording]:
    if channel == "mix":
        return [Recording.of_file(file, None, place)]
    if isinstance(channel, int):
        return [Recording.of_file(file, channel - 1, place)]
    try:
        n_channels, _ = look_at(file)
    except AudioError as error:
        return [Recording.refused(place, error)]
    if n_channels == 1:
        return [Recording.of_file(file, 0, place)]
    return [
        Recording.of_file(file, number, place.with_name(f"{place.stem}-channel{number + 1}{place.suffix}"))
        for number in range(n_channels)
    ]


_spools: list[Any] = []


def _kept(stdin: BinaryIO) -> Path:
    """Copies standard input, in which decoders could not jump about, to a file that lives as long as the process."""
    spool = tempfile.NamedTemporaryFile(prefix="asr-stdin-")  # noqa: SIM115 (closed, and removed, at the end)
    shutil.copyfileobj(stdin, spool, 1 << 20)
    spool.flush()
    _spools.append(spool)
    return Path(spool.name)


def total_s(recordings: Sequence[Recording]) -> float:
    """How long recordings are by their headers, as far as these say."""
    total = 0.0
    for recording in recordings:
        if recording.file is not None and recording.file.is_file():
            try:
                total += look_at(recording.file)[1] or 0.0
            except AudioError:
                continue
    return total
