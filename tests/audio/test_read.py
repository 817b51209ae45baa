import wave
import zlib
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asr.audio import read
from asr.audio.read import RATE_HZ, AudioError, Part, read_audio, scan_audio


def tone(frequency_hz: float, rate_hz: int, duration_s: float = 1.0) -> np.ndarray:
    times_s = np.arange(round(rate_hz * duration_s)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * times_s)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "options", "rate_hz"),
    [
        ("wav", {"subtype": "PCM_16"}, 8_000),
        ("wav", {"subtype": "PCM_U8"}, 22_050),
        ("wav", {"subtype": "FLOAT"}, 96_000),
        ("wav", {"subtype": "ULAW"}, 8_000),
        ("flac", {"subtype": "PCM_24"}, 44_100),
        ("sph", {"format": "NIST", "subtype": "PCM_16"}, 16_000),
        ("aiff", {}, 11_025),
        ("ogg", {"subtype": "VORBIS"}, 32_000),
        ("opus", {"format": "OGG", "subtype": "OPUS"}, 48_000),
        ("mp3", {}, 44_100),
    ],
)
def test_every_format_and_rate_becomes_16_khz_mono(tmp_path: Path, suffix: str, options: dict, rate_hz: int) -> None:
    path = tmp_path / f"tone.{suffix}"
    sf.write(path, np.stack([tone(440, rate_hz)] * 2, axis=1), rate_hz, **options)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - RATE_HZ) <= 0.1 * RATE_HZ
    spectrum = np.abs(np.fft.rfft(samples[1000:-3000]))
    assert abs(np.fft.rfftfreq(len(samples) - 4000, 1 / RATE_HZ)[spectrum.argmax()] - 440) < 3
    assert np.sqrt(np.mean(samples[2000:12000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_resampling_equals_librosa(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=44_100 * 3).astype(np.float32) * 0.1
    sf.write(tmp_path / "noise.wav", noise, 44_100, subtype="FLOAT")
    expected = librosa.resample(noise, orig_sr=44_100, target_sr=RATE_HZ, res_type="soxr_hq")
    samples = read_audio(tmp_path / "noise.wav")
    assert len(samples) == len(expected)
    np.testing.assert_allclose(samples, expected, atol=1e-6)


def test_what_lies_above_8_khz_does_not_fold_back(tmp_path: Path) -> None:
    sf.write(tmp_path / "high.wav", tone(10_000, 44_100), 44_100)
    assert np.abs(read_audio(tmp_path / "high.wav")[500:-500]).max() < 1e-3


def test_channels_are_averaged(tmp_path: Path) -> None:
    channels = np.random.default_rng(1).uniform(-0.9, 0.9, (4_000, 3)).astype(np.float32)
    sf.write(tmp_path / "three.wav", channels, RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "three.wav"), channels.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("suffix", "rate_hz"), [("wav", 16_000), ("flac", 44_100), ("ogg", 48_000), ("mp3", 44_100)])
def test_block_size_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, rate_hz: int) -> None:
    path = tmp_path / f"noise.{suffix}"
    sf.write(path, np.random.default_rng(2).normal(size=(rate_hz * 2, 2)) * 0.1, rate_hz)
    whole = read_audio(path)
    monkeypatch.setattr(read, "_BLOCK_VALUES", 1_000)
    np.testing.assert_array_equal(read_audio(path), whole)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_segment_is_a_slice(tmp_path: Path, rate_hz: int) -> None:
    sf.write(tmp_path / "noise.flac", np.random.default_rng(3).normal(size=rate_hz * 4) * 0.1, rate_hz)
    whole = read_audio(tmp_path / "noise.flac")
    part = read_audio(tmp_path / "noise.flac", start_s=1.0, duration_s=2.0)
    assert len(part) == 2 * RATE_HZ
    np.testing.assert_allclose(part[500:-500], whole[RATE_HZ:][: len(part)][500:-500], atol=1e-4)


def test_a_segment_to_the_end(tmp_path: Path) -> None:
    sf.write(tmp_path / "tone.wav", tone(300, RATE_HZ), RATE_HZ)
    assert len(read_audio(tmp_path / "tone.wav", start_s=0.75)) == RATE_HZ // 4


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    sf.write(tmp_path / "loud.wav", 5 * tone(300, RATE_HZ), RATE_HZ, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "loud.wav")).max() == 1.0


@pytest.mark.parametrize(
    ("start_s", "duration_s", "message"),
    [
        (0.0, 2.0, "cut short"),
        (5.0, None, "no audio after 5 s"),
        (0.9, 1.0, "ends 0.100 s after"),
        (-1.0, None, "start at 0"),
        (0.0, 0.0, "read more than 0 s"),
        (0.0, 1e6, "read it in segments"),
    ],
)
def test_segments_that_are_not_there(tmp_path: Path, start_s: float, duration_s: float | None, message: str) -> None:
    sf.write(tmp_path / "tone.wav", tone(300, RATE_HZ), RATE_HZ)
    with pytest.raises(AudioError, match=message) as caught:
        read_audio(tmp_path / "tone.wav", start_s=start_s, duration_s=duration_s)
    assert "tone.wav" in str(caught.value)


def test_files_that_are_no_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not audio")
    (tmp_path / "film.m4a").write_text("not audio")
    sf.write(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE_HZ)
    sf.write(tmp_path / "nan.wav", np.full(100, np.nan, np.float32), RATE_HZ, subtype="FLOAT")
    expected = {
        "missing.wav": "no such audio file",
        ".": "no such audio file",
        "text.wav": "broken or not audio",
        "film.m4a": "broken or not audio",
        "empty.wav": "no audio in it",
        "nan.wav": "NaN or infinite",
    }
    for name, message in expected.items():
        with pytest.raises(AudioError, match=message) as caught:
            read_audio(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_a_flac_that_breaks_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    sf.write(path, np.random.default_rng(4).normal(size=RATE_HZ * 4) * 0.1, RATE_HZ)
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(AudioError, match="cannot decode"):
        read_audio(path)


def test_a_header_that_claims_a_gigabyte_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lie.wav"
    sf.write(path, tone(300, RATE_HZ), RATE_HZ)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    assert len(read_audio(path)) == RATE_HZ
    scan = scan_audio(path)
    assert scan.duration_s == 1.0
    assert scan.header_duration_s > 30_000


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 0x7FFF_FFFF])
def test_an_open_length_in_the_header_is_no_lie(tmp_path: Path, size: int) -> None:
    path = tmp_path / "pipe.wav"
    sf.write(path, tone(300, RATE_HZ), RATE_HZ)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    assert scan_audio(path).header_duration_s == scan_audio(path).duration_s == 1.0


def test_a_file_beyond_the_limit_is_refused_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sf.write(tmp_path / "long.flac", np.zeros(RATE_HZ * 10), RATE_HZ)
    monkeypatch.setattr(read, "MAX_DURATION_S", 2.0)
    for reader in (read_audio, scan_audio):
        with pytest.raises(AudioError, match="split it"):
            reader(tmp_path / "long.flac")
    assert len(read_audio(tmp_path / "long.flac", start_s=5.0, duration_s=2.0)) == 2 * RATE_HZ


def test_a_rate_nobody_records_at_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "fast.wav"), "wb") as file:
        file.setparams((1, 2, 10_000_000, 0, "NONE", ""))
        file.writeframes(bytes(2_000))
    with pytest.raises(AudioError, match="10000000 Hz"):
        read_audio(tmp_path / "fast.wav")


def test_scan_says_what_is_there(tmp_path: Path) -> None:
    sf.write(tmp_path / "tone.wav", np.stack([0.25 + tone(441, 44_100, 1.5)] * 2, axis=1), 44_100, subtype="FLOAT")
    scan = scan_audio(tmp_path / "tone.wav")
    assert (scan.rate_hz, scan.n_channels, scan.duration_s, scan.header_duration_s) == (44_100, 2, 1.5, 1.5)
    assert scan.peak == pytest.approx(0.5, abs=1e-3)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 2_000),
)
def test_mutated_files_give_samples_or_a_typed_error(
    tmp_path: Path, suffix: str, edits: list[tuple[int, int]], cut: int
) -> None:
    source = tmp_path / f"source.{suffix}"
    if not source.exists():
        sf.write(source, tone(300, RATE_HZ, 0.5), RATE_HZ)
    content = bytearray(source.read_bytes())
    for at, value in edits:
        content[at % len(content)] = value
    path = tmp_path / f"mutant.{suffix}"
    path.write_bytes(content[: len(content) - cut])
    try:
        samples = read_audio(path)
    except AudioError as error:
        assert str(path) in str(error)
    else:
        assert samples.dtype == np.float32
        assert np.isfinite(samples).all()
        assert 0 < len(samples) <= 4 * len(content) * RATE_HZ / 1_000


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_part_of_a_file_reads_like_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    sf.write(tmp_path / f"a.{suffix}", tone(300, 44_100), 44_100)
    content = (tmp_path / f"a.{suffix}").read_bytes()
    (tmp_path / "large.tar").write_bytes(b"before" + content + b"behind")
    part = Part(6, len(content), zlib.crc32(content))
    for segment in ({}, {"start_s": 0.25, "duration_s": 0.5}):
        own, within = (
            read_audio(tmp_path / f"a.{suffix}", **segment),
            read_audio(tmp_path / "large.tar", **segment, part=part),
        )
        np.testing.assert_array_equal(within, own)


def test_a_part_that_is_not_there_whole_is_named_with_its_place(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.flac", tone(300, RATE_HZ), RATE_HZ)
    content = (tmp_path / "a.flac").read_bytes()
    part, path = Part(10, len(content), zlib.crc32(content)), tmp_path / "large.tar"
    place = f"large.tar, {part.size} bytes from 10: "
    path.write_bytes(bytes(10) + content[:-1])
    with pytest.raises(AudioError, match=f"{place}the file ends at {part.size + 9}, it is cut short"):
        read_audio(path, part=part)
    path.write_bytes(bytes(10) + bytes([*content[:500], content[500] ^ 1, *content[501:]]))
    with pytest.raises(AudioError, match=f"{place}damaged, or of another manifest: CRC-32"):
        read_audio(path, part=part)
    path.write_bytes(bytes(10) + content)
    with pytest.raises(AudioError, match=f"{place}ends 1.000 s after 0 s, but 2.000 s are asked for"):
        read_audio(path, duration_s=2.0, part=part)
    with pytest.raises(AudioError, match="the file ends at"):
        read_audio(path, part=Part(10, 1 << 60, 0))
    path.unlink()
    with pytest.raises(AudioError, match=f"{place}no such audio file"):
        read_audio(path, part=part)
