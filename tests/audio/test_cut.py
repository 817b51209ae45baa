from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from asr.audio.cut import cut_audio
from asr.audio.read import AudioError, read_audio

FORMATS = [
    ("wav", {"subtype": "PCM_16"}, 8_000),
    ("wav", {"subtype": "PCM_U8"}, 22_050),
    ("wav", {"subtype": "ULAW"}, 8_000),
    ("wav", {"subtype": "PCM_24"}, 44_100),
    ("wav", {"subtype": "FLOAT"}, 16_000),
    ("flac", {"subtype": "PCM_24"}, 16_000),
    ("sph", {"format": "NIST", "subtype": "PCM_16"}, 16_000),
    ("aiff", {}, 11_025),
    ("ogg", {"subtype": "VORBIS"}, 16_000),
    ("ogg", {"format": "OGG", "subtype": "OPUS"}, 48_000),
    ("mp3", {}, 44_100),
]


@pytest.mark.parametrize(("suffix", "options", "rate_hz"), FORMATS)
@pytest.mark.parametrize(("start_s", "duration_s"), [(0.0, 1.5), (0.0, 0.5), (0.3, 0.7)])
def test_what_is_cut_out_reads_like_what_it_was_cut_from(
    tmp_path: Path, suffix: str, options: dict, rate_hz: int, start_s: float, duration_s: float
) -> None:
    path = tmp_path / f"whole.{suffix}"
    sf.write(path, np.random.default_rng(0).uniform(-0.2, 0.2, (rate_hz * 3 // 2, 2)), rate_hz, **options)
    found, content = cut_audio(path, start_s=start_s, duration_s=duration_s)
    (tmp_path / f"cut.{found}").write_bytes(content)
    before = read_audio(path, start_s=start_s, duration_s=duration_s)
    after = read_audio(tmp_path / f"cut.{found}", duration_s=duration_s)
    if duration_s == 1.5:
        assert (found, content) == (suffix, path.read_bytes())
    else:
        assert found == "flac"
    lossless = options.get("subtype") not in ("FLOAT", "VORBIS", "OPUS") and suffix != "mp3"
    np.testing.assert_allclose(after, before, atol=0 if lossless else 2**-22, rtol=0)


def test_a_segment_past_the_end_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    with pytest.raises(AudioError, match=r"a\.wav: ends 0\.500 s after 0\.5 s"):
        cut_audio(tmp_path / "a.wav", start_s=0.5, duration_s=10_000.0)
