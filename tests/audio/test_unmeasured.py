"""MP3 files without a word about their length, of variable bit rate: all of the audio is read."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr.audio.read import Part, read_audio, scan_audio
from asr.audio.unmeasured import lacks_length

RATE_HZ = 48_000
KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)


def variable(duration_s: int) -> bytes:
    """Two quiet seconds, which need few bits, then loud ones."""
    draws = np.random.default_rng(0)
    samples = 0.3 * np.sin(2 * np.pi * 440 * np.arange(duration_s * RATE_HZ) / RATE_HZ)
    samples[2 * RATE_HZ :] += 0.2 * draws.normal(size=len(samples) - 2 * RATE_HZ)
    content = io.BytesIO()
    clipped = samples.clip(-1, 1)
    sf.write(content, clipped, RATE_HZ, format="MP3", bitrate_mode="VARIABLE", compression_level=0.5)
    return content.getvalue()


def without_length(content: bytes) -> bytes:
    """Leaves out the first frame, which holds no sound but the length (MPEG 1, layer III, 48 kHz)."""
    return content[144 * 1000 * KBITS[content[2] >> 4] // RATE_HZ + (content[2] >> 1 & 1) :]


@pytest.fixture
def mp3(tmp_path: Path) -> Path:
    (tmp_path / "a.mp3").write_bytes(variable(8))
    (tmp_path / "b.mp3").write_bytes(without_length(variable(8)))
    return tmp_path / "b.mp3"


def test_it_is_read_to_its_end(mp3: Path) -> None:
    found = scan_audio(mp3)
    assert found.duration_s == pytest.approx(8, abs=0.1)
    assert found.header_duration_s == found.duration_s
    samples, expected = read_audio(mp3), read_audio(mp3.with_name("a.mp3"))
    assert len(samples) == pytest.approx(len(expected), abs=1600)
    late = read_audio(mp3, start_s=6.0, duration_s=1.0)
    inner = slice(6 * 16_000 + 800, 7 * 16_000 - 800)  # a resampler that starts and ends there differs at the edges
    assert np.abs(late[800:-800] - samples[inner]).max() < 2e-3


def test_a_part_of_a_tar_is_no_different(mp3: Path, tmp_path: Path) -> None:
    content = mp3.read_bytes()
    (tmp_path / "t.tar").write_bytes(b"x" * 512 + content)
    part = Part(512, len(content), zlib.crc32(content))
    assert np.array_equal(read_audio(tmp_path / "t.tar", part=part), read_audio(mp3))


def test_behind_a_tag_with_a_picture(mp3: Path) -> None:
    size = 100_000
    tag = b"ID3\x04\0\0" + bytes([size >> 21, size >> 14 & 127, size >> 7 & 127, size & 127]) + bytes(size)
    tagged = mp3.with_name("c.mp3")
    tagged.write_bytes(tag + mp3.read_bytes())
    assert lacks_length(io.BytesIO(tagged.read_bytes()))
    assert scan_audio(tagged).duration_s == pytest.approx(8, abs=0.1)


def test_which_files_lack_their_length(mp3: Path) -> None:
    assert lacks_length(io.BytesIO(mp3.read_bytes()))
    assert not lacks_length(io.BytesIO(mp3.with_name("a.mp3").read_bytes()))
    for content in (b"", b"ID3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f", b"RIFF" + bytes(99), b"\xff"):
        file = io.BytesIO(content)
        assert not lacks_length(file)
        assert file.tell() == 0
