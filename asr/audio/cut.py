"""Give an utterance an audio file of its own, losing nothing: as bytes, for whoever stores them."""

import io
import os
from pathlib import Path

import numpy as np
import soundfile as sf

from asr.audio.read import LENGTH_TOLERANCE_S, Part, name_of, open_audio, read_audio, read_part, seek

SUFFIXES = {
    "AIFF": "aiff",
    "AU": "au",
    "CAF": "caf",
    "FLAC": "flac",
    "MP3": "mp3",
    "NIST": "sph",
    "OGG": "ogg",
    "W64": "w64",
    "WAV": "wav",
    "WAVEX": "wav",
}
"""What files are called by what libsndfile finds in them, whatever their own names say."""

_FITS_16_BITS = ("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW")


def cut_audio(
    path: str | os.PathLike[str], *, start_s: float, duration_s: float, part: Part | None = None
) -> tuple[str, bytes]:
    """Cut out what `read_audio` would read, decoding it once to be sure of it.

    A file that holds nothing else is copied byte for byte. A segment becomes FLAC at the file's own rate and channels:
    16 bits, and so without loss, where the file has no more; else 24, which is without loss for 24 bits, and rounds
    finer than anyone hears what was coded with loss or as floating point (beyond full scale, that is cut off).

    Args:
        path: an audio file.
        start_s: where the segment starts, in seconds.
        duration_s: its length in seconds.
        part: the bytes of the file that are the audio; None for all of them.

    Returns:
        A suffix without dot, and the bytes of a file of that kind; what was to be read starts it.

    Raises:
        AudioError: as `read_audio`.
    """
    read_audio(path, start_s=start_s, duration_s=duration_s, part=part)
    name = name_of(path, part)
    with open_audio(path, part) as file:
        rate_hz = file.samplerate
        start, n_wanted = round(start_s * rate_hz), max(1, round(duration_s * rate_hz))
        holds_little_else = start == 0 and file.frames - n_wanted <= LENGTH_TOLERANCE_S * rate_hz
        if holds_little_else and file.format in SUFFIXES:
            return SUFFIXES[file.format], read_part(path, part) if part else Path(path).read_bytes()
        seek(file, name, start)
        target = io.BytesIO()
        if file.subtype in _FITS_16_BITS:
            sf.write(target, file.read(n_wanted, "int16", always_2d=True), rate_hz, "PCM_16", format="FLAC")
        else:
            samples = file.read(n_wanted, "float64", always_2d=True)
            sf.write(target, np.clip(samples, -1.0, 1.0), rate_hz, "PCM_24", format="FLAC")
    return "flac", target.getvalue()
