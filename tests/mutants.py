"""Audio files that are broken in many ways, keyed by a number: for tests and `scripts/fuzz_audio`."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16000
LIES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    (1 << 63) - 1,
    (1 << 64) - 1,
)


def originals(containers: bool) -> dict[str, bytes]:
    """A second of a swept tone in each format by its suffix, m4a among them if PyAV is to be used."""
    time = np.arange(RATE_HZ) / RATE_HZ
    sound = (0.3 * np.sin(2 * np.pi * (200 + 400 * time) * time)).astype(np.float32)
    found = {}
    for suffix, options in {
        "wav": {"format": "WAV"},
        "flac": {"format": "FLAC"},
        "mp3": {"format": "MP3"},
        "ogg": {"format": "OGG", "subtype": "VORBIS"},
        "opus": {"format": "OGG", "subtype": "OPUS"},
        "aiff": {"format": "AIFF"},
    }.items():
        file = io.BytesIO()
        soundfile.write(file, np.stack([sound, -0.5 * sound], axis=1), RATE_HZ, **options)
        found[suffix] = file.getvalue()
    if containers:
        del found["aiff"]
        found["m4a"] = encoded(sound[None], "ipod", "aac")
    return found


def encoded(planes: np.ndarray, format: str, codec: str, rate_hz: int = RATE_HZ) -> bytes:
    """Samples (channels, N) float32 in a container, by PyAV."""
    import av

    layout = "mono" if len(planes) == 1 else "stereo"
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes, np.float32), format="fltp", layout=layout)
        frame.sample_rate = rate_hz
        context = stream.codec_context
        context.open()
        resampler = av.AudioResampler(context.format.name, layout, rate_hz, context.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(part))
    return file.getvalue()


def mutants(folder: Path, n_files: int, containers: bool, seed: int = 0) -> Iterator[Path]:
    """Writes broken files one at a time; each is gone when the next comes."""
    sound = originals(containers)
    for number in range(n_files):
        suffix = sorted(sound)[number % len(sound)]
        rng = np.random.default_rng([seed, number])
        path = folder / f"{number}.{suffix}"
        path.write_bytes(mutated(sound[suffix], rng))
        yield path
        path.unlink()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four faults: bits, lies in numbers of 1 to 8 bytes, cuts, doubled or zeroed or random stretches."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        # Headers are short and decide most: every other fault is there.
        place = int(rng.integers(min(len(data), 200) if rng.random() < 0.5 else len(data)))
        size = int(rng.integers(1, 1 + max(1, len(data) // 8)))
        kind = rng.integers(7)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            width = int(rng.choice([1, 2, 4, 8]))
            lie = int(rng.choice(np.array(LIES, object))) % (1 << 8 * width)
            data[place : place + width] = lie.to_bytes(width, "little" if rng.random() < 0.5 else "big")
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            del data[place : place + size]
        elif kind == 4:
            data[place:place] = data[place : place + size]
        elif kind == 5:
            data[place : place + size] = bytes(len(data[place : place + size]))
        else:
            data[place : place + size] = rng.bytes(len(data[place : place + size]))
    return bytes(data)
