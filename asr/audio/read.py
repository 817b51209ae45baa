"""Read any audio file as 16 kHz mono samples, and look at a file without trusting its header."""

import contextlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from asr.audio.containers import ContainerError, ContainerFile, sniff
from asr.audio.unmeasured import Unmeasured, lacks_length

RATE_HZ = 16_000
"""The rate of all samples in this package."""

MAX_DURATION_S = 4 * 3600.0
"""The longest stretch read at once: 0.9 GB of samples. Bounds memory whatever a header or a codec claims."""

MAX_STREAM_S = 12 * 3600.0
"""The longest recording that is read block by block."""

LENGTH_TOLERANCE_S = 0.05
"""A segment may run this far beyond the decoded end (rounding in manifests) before that is an error."""

_SOURCE_RATES_HZ = (1_000, 768_000)
_BLOCK_VALUES = 1 << 20
_CLAIM = re.compile(r"^\s*(data|SSND|Data Size)\s*: (?P<claimed>\d+) \(should be (?P<there>\d+)\)", re.MULTILINE)
_UNKNOWN_SIZES = range(0x7FFF_0000, 0x1_0000_0000)

Samples = NDArray[np.float32]
AudioFile: TypeAlias = sf.SoundFile | ContainerFile


class AudioError(ValueError):
    """A file cannot be read as audio; the message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class AudioScan:
    """What a full decode found in a file, beside what its header claimed.

    Attributes:
        rate_hz: sampling rate of the file.
        n_channels: channels in the file.
        duration_s: decoded length in seconds.
        header_duration_s: length in seconds that the header claims; the decoded one when the header leaves it open.
        peak: half the distance between the lowest and the highest value of the channel average (so that a constant
            offset counts as silence), full scale = 1.
    """

    rate_hz: int
    n_channels: int
    duration_s: float
    header_duration_s: float
    peak: float


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of a larger file, such as a tar, that are an audio file of their own.

    Attributes:
        offset: where they start, in bytes.
        size: how many they are.
        crc32: their CRC-32, as `zlib.crc32` has it.
    """

    offset: int
    size: int
    crc32: int


def read_audio(
    path: str | os.PathLike[str], *, start_s: float = 0.0, duration_s: float | None = None, part: Part | None = None
) -> Samples:
    """Read a file, or a segment of it, as the samples that every model here expects.

    Takes any rate and channel count, and any format that libsndfile decodes (wav, flac, ogg, opus, mp3, sph, aiff, …)
    or, where PyAV is installed, FFmpeg (m4a, mp4, aac, webm, mkv, wma). Channels are averaged; resampling is
    band-limited (soxr, high quality). The file is decoded block by block, so memory follows what is really in it and
    never what its header claims.

    Args:
        path: an audio file.
        start_s: where the segment starts, in seconds.
        duration_s: length of the segment in seconds; None reads to the end.
        part: the bytes of the file that are the audio; None for all of them.

    Returns:
        samples (N,), float32 in [-1, 1], 16 kHz, at least one.

    Raises:
        AudioError: the file is missing, broken, empty, longer than `MAX_DURATION_S`, holds NaN or infinity, or ends
            before the segment does; or a part is not there whole.
    """
    name = name_of(path, part)
    if start_s < 0 or (duration_s is not None and duration_s <= 0):
        raise AudioError(
            f"{name}: cannot read a segment of {duration_s} s from {start_s} s; start at 0 or later, read more than 0 s"
        )
    with open_audio(path, part) as file:
        rate_hz = file.samplerate
        wanted = None if duration_s is None else max(1, round(duration_s * rate_hz))
        seek(file, name, round(start_s * rate_hz))
        n_read = 0

        def counted() -> Iterator[Samples]:
            nonlocal n_read
            for block in _mono_blocks(file, name, wanted):
                n_read += len(block)
                yield block

        pieces = [np.zeros(0, np.float32), *_resampled(counted(), rate_hz)]
    _check_length(name, start_s, duration_s, n_read / rate_hz)
    return _join(name, pieces)


def stream_audio(path: str | os.PathLike[str], *, channel: int | None = None) -> Iterator[Samples]:
    """Read a file of any length as `read_audio` does, holding one block of it in memory.

    Args:
        path: an audio file.
        channel: which channel, from 0; None averages all.

    Yields:
        Blocks (n,) of samples, float32 in [-1, 1], 16 kHz, none empty, at least one.

    Raises:
        AudioError: the file is missing, broken, empty, longer than `MAX_STREAM_S`, holds NaN or infinity, or has no
            such channel; also after some blocks.
    """
    name, n_samples = str(path), 0
    with open_audio(path) as file:
        if channel is not None and channel >= file.channels:
            raise AudioError(f"{name}: no channel {channel + 1}, it has {file.channels}")
        for block in _resampled(_mono_blocks(file, name, None, channel, MAX_STREAM_S), file.samplerate):
            n_samples += len(block)
            yield np.clip(block, -1.0, 1.0)
    if n_samples == 0:
        raise AudioError(f"{name}: no audio in it; fetch the file again")


def look_at(path: str | os.PathLike[str]) -> tuple[int, float | None]:
    """What a file's header claims: channels, and seconds, None if it leaves them open or claims what is not read.

    Raises:
        AudioError: the file is missing or no audio.
    """
    with open_audio(path) as file:
        seconds = (_header_frames(file) or 0.0) / file.samplerate
        return file.channels, seconds if 0 < seconds <= MAX_STREAM_S else None


def scan_audio(path: str | os.PathLike[str], *, start_s: float = 0.0, duration_s: float | None = None) -> AudioScan:
    """Decode a file, or a segment of it, to learn its true length and loudness, holding one block of it in memory.

    Args:
        path: an audio file.
        start_s: where the segment starts, in seconds.
        duration_s: length of the segment in seconds; None reads to the end.

    Returns:
        What was found; `duration_s` is 0 and `peak` 0 when there are no samples. Of a segment, `header_duration_s` is
        what was decoded.

    Raises:
        AudioError: the file is missing, broken, longer than `MAX_DURATION_S`, or holds NaN or infinity; or it ends
            before the segment does.
    """
    with open_audio(path) as file:
        n_read, lowest, highest = 0, np.inf, -np.inf
        whole = start_s == 0 and duration_s is None
        seek(file, str(path), round(start_s * file.samplerate))
        wanted = None if duration_s is None else max(1, round(duration_s * file.samplerate))
        for block in _mono_blocks(file, str(path), wanted):
            n_read += len(block)
            lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
        peak = (highest - lowest) / 2 if n_read else 0.0
        read_s = n_read / file.samplerate
        if not whole:
            _check_length(str(path), start_s, duration_s, read_s)
        claimed = _header_frames(file) if whole else None
        header_s = read_s if claimed is None else claimed / file.samplerate
        return AudioScan(file.samplerate, file.channels, read_s, header_s, peak)


def name_of(path: str | os.PathLike[str], part: Part | None) -> str:
    """What messages call a file, or a part of one."""
    return f"{path}, {part.size} bytes from {part.offset}" if part else str(path)


def read_part(path: str | os.PathLike[str], part: Part) -> bytes:
    """Read the bytes of a part, and none before or after them.

    Raises:
        AudioError: the file cannot be read, ends before the part does, or holds other bytes.
    """
    try:
        with Path(path).open("rb") as file:
            # Asked first, since reading takes memory for as much as is asked for, however little is there.
            there = os.fstat(file.fileno()).st_size
            if part.offset + part.size > there:
                raise AudioError(
                    f"{name_of(path, part)}: the file ends at {there}, it is cut short; copy it again from its source"
                )
            file.seek(part.offset)
            content = file.read(part.size)
    except OSError as error:
        raise AudioError(f"{name_of(path, part)}: cannot read ({error.strerror}); check the path") from error
    if zlib.crc32(content) != part.crc32:
        raise AudioError(
            f"{name_of(path, part)}: damaged, or of another manifest: CRC-32 {zlib.crc32(content)}, expected "
            f"{part.crc32}; copy both again from their source"
        )
    return content


@contextmanager
def open_audio(path: str | os.PathLike[str], part: Part | None = None) -> Iterator[AudioFile]:
    """Open a file, or a part of one, for decoding.

    Raises:
        AudioError: the file is missing or broken, also where that turns out while it is decoded.
    """
    name = name_of(path, part)
    if not Path(path).is_file():
        raise AudioError(f"{name}: no such audio file; check the path (a folder or an address is not read)")
    try:
        with _open_decoder(io.BytesIO(read_part(path, part)) if part else path) as file:
            lowest_hz, highest_hz = _SOURCE_RATES_HZ
            if not lowest_hz <= file.samplerate <= highest_hz:
                raise AudioError(
                    f"{name}: the header says {file.samplerate} Hz, outside {lowest_hz}–{highest_hz} Hz; the file is "
                    "broken, write it again from its source"
                )
            yield file
    except ContainerError as error:
        raise AudioError(f"{name}: cannot decode: {error}") from error
    except (sf.SoundFileError, RuntimeError, TypeError, OSError) as error:
        advice = "the file is broken or not audio, fetch it again or convert it to wav or flac"
        raise AudioError(f"{name}: cannot decode ({error}); {advice}") from error


@contextmanager
def _open_decoder(source: io.BytesIO | str | os.PathLike[str]) -> Iterator[AudioFile]:
    """Opens with FFmpeg the containers that libsndfile does not know, and all else with libsndfile.

    Where that would take a guess for the length, it is helped; see `asr.audio.unmeasured`.
    """
    with contextlib.ExitStack() as stack:
        content: BinaryIO = source if isinstance(source, io.BytesIO) else stack.enter_context(Path(source).open("rb"))
        container = sniff(content)
        if container:
            yield stack.enter_context(ContainerFile(content, container))
            return
        with sf.SoundFile(source) as file:
            if file.format != "MP3":
                yield file
                return
        content.seek(0)
        yield stack.enter_context(sf.SoundFile(Unmeasured(content) if lacks_length(content) else source))


def _header_frames(file: AudioFile) -> float | None:
    """Frames that the header claims, None where it does not; libsndfile cuts claims of wav, aiff and au, and logs both.

    A size of 0 or beyond 2 GiB is how programs that write to a pipe say "unknown", not a claim.
    """
    if isinstance(file, ContainerFile):
        return file.frames or None
    if isinstance(file.name, Unmeasured):
        return None
    claim = _CLAIM.search(file.extra_info)
    if claim is None:
        return float(file.frames)
    claimed, there = int(claim["claimed"]), int(claim["there"])
    if claimed == 0 or claimed in _UNKNOWN_SIZES or there == 0:
        return float(file.frames)
    return file.frames * claimed / there


def seek(file: AudioFile, name: str, frame: int) -> None:
    """Go to a frame, by reading up to it where the format cannot jump."""
    if frame == 0:
        return
    if file.seekable() and frame <= file.frames:
        file.seek(frame)
        return
    for _ in _mono_blocks(file, name, frame):
        pass


def _mono_blocks(
    file: AudioFile, name: str, n_wanted: int | None, channel: int | None = None, limit_s: float | None = None
) -> Iterator[Samples]:
    """Decode up to n_wanted frames from here, as blocks (n,) of a channel or the average of all, never empty."""
    limit_s = limit_s or MAX_DURATION_S
    n_limit = int(limit_s * file.samplerate)
    n_left = n_limit + 1 if n_wanted is None else n_wanted
    if n_wanted is not None and n_wanted > n_limit:
        raise AudioError(_too_long(name, limit_s))
    block_frames = max(1, _BLOCK_VALUES // file.channels)
    n_read = 0
    while n_left > 0:
        block = file.read(min(block_frames, n_left), dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        n_read, n_left = n_read + len(block), n_left - len(block)
        if n_read > n_limit:
            raise AudioError(_too_long(name, limit_s))
        averaged = channel is None and file.channels > 1
        mono = block.mean(axis=1, dtype=np.float32) if averaged else block[:, channel or 0]
        if not np.isfinite(mono).all():
            raise AudioError(f"{name}: holds samples that are NaN or infinite; write it again from its source")
        yield np.ascontiguousarray(mono)


def _resampled(blocks: Iterator[Samples], rate_hz: int) -> Iterator[Samples]:
    """Bring blocks (n,) to 16 kHz; none of the outcome is empty."""
    if rate_hz == RATE_HZ:
        yield from blocks
        return
    resample = soxr.ResampleStream(rate_hz, RATE_HZ, 1, "float32", "HQ")
    ends = ((block, False) for block in blocks)
    for block, last in chain(ends, [(np.zeros(0, np.float32), True)]):
        resampled = resample.resample_chunk(block, last=last)
        if len(resampled):
            yield resampled


def _too_long(name: str, limit_s: float) -> str:
    return f"{name}: more than {limit_s / 3600:g} h of audio at once; read it in segments or split it"


def _check_length(name: str, start_s: float, duration_s: float | None, read_s: float) -> None:
    if read_s == 0:
        where = "no audio in it" if start_s == 0 else f"no audio after {start_s:g} s"
        raise AudioError(f"{name}: {where}; fetch the file again or drop the utterance")
    if duration_s is not None and read_s < duration_s - LENGTH_TOLERANCE_S:
        raise AudioError(
            f"{name}: ends {read_s:.3f} s after {start_s:g} s, but {duration_s:.3f} s are asked for; "
            "the file is cut short or has changed, prepare its corpus again"
        )


def _join(name: str, pieces: list[Samples]) -> Samples:
    samples = np.concatenate(pieces)
    if len(samples) == 0:
        raise AudioError(f"{name}: too short to give one sample at {RATE_HZ} Hz; drop the utterance")
    np.clip(samples, -1.0, 1.0, out=samples)
    return samples
