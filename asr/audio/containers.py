"""What libsndfile does not read: m4a, mp4, aac, webm, mkv and wma, decoded by FFmpeg's libraries through PyAV."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

_N_SNIFFED = 12


class ContainerError(ValueError):
    """PyAV is missing, or cannot decode; the message says what and why, not which file."""


def sniff(content: BinaryIO) -> str | None:
    """Tells from its first bytes what FFmpeg calls a container that libsndfile does not know; None for all others.

    Names of files are not asked: they lie, and FFmpeg is to try nothing but what is named here.
    """
    start = content.read(_N_SNIFFED)
    content.seek(0)
    if start[4:8] == b"ftyp":
        return "mp4"
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if start.startswith(b"\x30\x26\xb2\x75"):
        return "asf"
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:  # ADTS; MP3 has another layer there
        return "aac"
    return None


class ContainerFile:
    """The first audio stream of a container, with as much of `soundfile.SoundFile`'s face as reading needs.

    Args:
        content: The open file; FFmpeg gets no path, so that it cannot take it for an address.
        format: From `sniff`.

    Attributes:
        samplerate: In Hz, as the header claims.
        channels: Likewise.
        frames: Likewise, 0 if it is not known to the frame.

    Raises:
        ContainerError: PyAV is not installed, or finds no audio.
    """

    format = "CONTAINER"
    subtype = extra_info = ""

    def __init__(self, content: BinaryIO, format: str) -> None:
        try:
            import av
        except ImportError as error:
            raise ContainerError(f"{format} needs PyAV: pip install 'asr[av]', or convert it to wav or flac") from error
        self._errors = (av.FFmpegError, ValueError, EOFError, MemoryError)
        try:
            self._container = av.open(content, format=format, metadata_errors="replace")
            stream = next(iter(self._container.streams.audio), None)
        except self._errors as error:
            raise ContainerError(f"{format}: {error}") from error
        if stream is None or stream.codec_context is None:
            raise ContainerError(f"{format}: no audio stream that FFmpeg can decode")
        self._stream: Any = stream
        self.samplerate: int = stream.codec_context.sample_rate or 0
        self.channels: int = stream.codec_context.channels
        if self.channels < 1:
            raise ContainerError(f"{format}: the header says {self.channels} channels")
        length = stream.duration or 0 if format == "mp4" else 0  # others' is but a guess from the bit rate
        self.frames = max(0, int(length * (stream.time_base or 0) * self.samplerate))
        self._blocks = self._decoded(av)
        self._rest = np.zeros((0, self.channels), np.float32)

    def __enter__(self) -> "ContainerFile":
        return self

    def __exit__(self, *raised: object) -> None:
        self._blocks.close()
        self._container.close()

    def seekable(self) -> bool:
        """False: positions in compressed streams are not exact."""
        return False

    def seek(self, frame: int) -> int:
        """Only to where it stands."""
        raise ContainerError("cannot seek")

    def read(self, n_frames: int, dtype: str = "float32", always_2d: bool = True) -> NDArray[Any]:
        """Decodes the next frames: (n, channels), fewer than asked for at the end only."""
        pieces, n_read = [self._rest], len(self._rest)
        while n_read < n_frames and (block := next(self._blocks, None)) is not None:
            pieces.append(block)
            n_read += len(block)
        whole = np.concatenate(pieces)
        self._rest = whole[n_frames:]
        return whole[:n_frames].astype(dtype, copy=False)

    def _decoded(self, av: Any) -> Generator[NDArray[np.float32], None, None]:
        # Frames of a damaged stream may say another rate or other channels: they are brought to the header's.
        layout = self._stream.codec_context.layout
        # Interleaved, too: of more than eight planes PyAV reads addresses behind the last (18.1; it then crashes).
        resampler = av.AudioResampler(format="flt", layout=layout, rate=self.samplerate)
        try:
            for frame in self._container.decode(self._stream):
                for part in resampler.resample(frame):
                    yield self._array(part)
            for part in resampler.resample(None):
                yield self._array(part)
        except self._errors as error:
            raise ContainerError(str(error)) from error

    def _array(self, frame: "av.AudioFrame") -> NDArray[np.float32]:
        return frame.to_ndarray().reshape(-1, self.channels)
