"""Broken files are read or refused in words: no other error, no memory or time beyond what is in them."""

import importlib.util
import io
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutants import encoded, mutants

from asr.audio.pieces import cut_at_pauses
from asr.audio.read import AudioError, look_at, read_audio, scan_audio, stream_audio

HAS_AV = importlib.util.find_spec("av") is not None
needs_av = pytest.mark.skipif(not HAS_AV, reason="needs PyAV: pip install 'asr[av]'")


def test_500_broken_files(tmp_path: Path) -> None:
    n_read = n_refused = 0
    for path in mutants(tmp_path, 500, HAS_AV):
        try:
            look_at(path)
            n_streamed = sum(len(piece.samples) for piece in cut_at_pauses(stream_audio(path), 30.0))
            assert n_streamed > 0
            scan = scan_audio(path)
            assert abs(n_streamed / 16000 - scan.duration_s) < 0.01 + 1 / scan.rate_hz
            n_read += 1
        except AudioError as error:
            assert str(path) in str(error)
            n_refused += 1
    assert n_read + n_refused == 500
    assert min(n_read, n_refused) > 50


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for its memory")
def test_memory_and_time_of_broken_files() -> None:
    """By the script, in a process that has done nothing else: below 1 GB, none longer than ten seconds."""
    script = Path(__file__).parents[2] / "scripts" / "fuzz_audio"
    ran = subprocess.run([sys.executable, str(script), "--files", "500"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr[-500:]


def with_header(rate_hz: int, n_channels: int, data_bytes: int) -> bytes:
    """A wav of 16 bits whose header says anything, over 3,200 bytes of sound."""
    sizes = struct.pack("<IHHIIHH", 16, 1, n_channels, rate_hz, 0, 2 * n_channels % 65536, 16)
    body = b"WAVEfmt " + sizes + b"data" + struct.pack("<I", data_bytes) + bytes(range(256)) * 12 + bytes(128)
    return b"RIFF" + struct.pack("<I", 2**32 - 1) + body


@pytest.mark.parametrize(
    "content",
    [
        with_header(0, 1, 3200),
        with_header(10_000_000, 1, 3200),
        with_header(2**32 - 1, 1, 3200),
        with_header(1, 1, 3200),
        with_header(16000, 0, 3200),
        with_header(16000, 1000, 3200),
        with_header(16000, 65535, 3200),
        with_header(16000, 1, 2**32 - 1),
        with_header(16000, 1, 2**31),
        with_header(16000, 1000, 2**32 - 2),
        b".snd" + struct.pack(">IIIII", 24, 2**32 - 2, 3, 16000, 1) + bytes(3200),
    ],
)
def test_lies_of_a_header_cost_no_memory(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lie.wav").write_bytes(content)
    for read in (look_at, scan_audio, read_audio, lambda path: sum(map(len, stream_audio(path)))):
        tracemalloc.start()
        try:
            read(tmp_path / "lie.wav")
        except AudioError as error:
            assert "lie.wav" in str(error)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 64 << 20


@needs_av
@pytest.mark.parametrize(
    ("format", "codec", "rate_hz"),
    [("ipod", "aac", 44100), ("mp4", "aac", 22050), ("adts", "aac", 16000), ("webm", "libopus", 48000)],
)
def test_containers(tmp_path: Path, format: str, codec: str, rate_hz: int) -> None:
    time = np.arange(2 * rate_hz) / rate_hz
    sound = 0.5 * np.sin(2 * np.pi * 440 * time) * (time > 1.0)
    path = tmp_path / "sound.of-any-suffix"
    path.write_bytes(encoded(np.stack([sound, np.zeros_like(sound)]), format, codec, rate_hz))
    samples = read_audio(path)
    assert len(samples) / 16000 == pytest.approx(2.0, abs=0.3)  # what a codec adds or, at its end, holds back
    onset_s = (np.abs(samples) > 0.1).argmax() / 16000
    assert onset_s == pytest.approx(1.0, abs=0.15)
    assert np.abs(samples).max() == pytest.approx(0.25, abs=0.03)  # the average of two channels
    np.testing.assert_array_equal(np.concatenate(list(stream_audio(path))), samples)
    assert np.abs(np.concatenate(list(stream_audio(path, channel=1)))).max() < 0.05
    scan = scan_audio(path)
    assert (scan.rate_hz, scan.n_channels) == (rate_hz, 2)
    assert scan.header_duration_s == pytest.approx(scan.duration_s, abs=0.05)
    part = read_audio(path, start_s=0.5, duration_s=1.0)
    np.testing.assert_allclose(part[500:-500], samples[8000:24000][500:-500], atol=1e-3)


def test_without_pyav_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioError, match=r"a.m4a.*pip install 'asr\[av\]'"):
        read_audio(tmp_path / "a.m4a")


def test_twenty_hours_in_a_megabyte_pass_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16000 * 120), 16000, format="FLAC")
    (tmp_path / "bomb.flac").write_bytes(file.getvalue())
    assert len(file.getvalue()) < 20_000
    monkeypatch.setattr("asr.audio.read.MAX_STREAM_S", 60.0)
    tracemalloc.start()
    with pytest.raises(AudioError, match="h of audio"):
        for _ in stream_audio(tmp_path / "bomb.flac"):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@needs_av
def test_seventeen_channels(tmp_path: Path) -> None:
    import av

    sound = np.arange(17 * 1600, dtype=np.int16).reshape(1, -1)  # interleaved
    path = tmp_path / "many.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=16000, layout="17C")
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="17C")
        frame.sample_rate = 16000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    expected = sound.reshape(-1, 17).mean(axis=1) / 2**15
    np.testing.assert_allclose(read_audio(path), expected, atol=1e-6)
