import numpy as np
import pytest

from asr.scoring.loudness import snr_db


def speech_in_noise(snr, rng, n_s=6.0, gap=False):
    """Half a second of noise-like speech, half a second of pause, in turn."""
    n = int(16_000 * n_s)
    spoken = (np.arange(n) // 8000) % 2 == 0
    samples = 0.1 * rng.standard_normal(n) * spoken + 0.1 * 10 ** (-snr / 20) * rng.standard_normal(n)
    if gap:
        samples[4000:20_000] = 0.0
    return samples.astype(np.float32)


@pytest.mark.parametrize("snr", [5, 15, 30, 50])
@pytest.mark.parametrize("gap", [False, True])
def test_a_known_ratio_is_found(snr, gap):
    found = snr_db(speech_in_noise(snr, np.random.default_rng(snr), gap=gap))
    assert found == pytest.approx(snr, abs=1.5)


def test_loudness_and_offset_do_not_matter():
    samples = speech_in_noise(20, np.random.default_rng(0))
    assert snr_db(0.1 * samples) == pytest.approx(snr_db(samples), abs=1e-3)
    assert snr_db(samples + np.float32(0.2)) == pytest.approx(snr_db(samples), abs=1e-2)


def test_what_has_no_ratio_has_none():
    assert snr_db(np.zeros(16_000, np.float32)) is None
    assert snr_db(np.ones(3000, np.float32)) is None
    assert snr_db(np.zeros(0, np.float32)) is None
    hum = np.sin(np.arange(32_000) / 10).astype(np.float32)
    assert -20 <= snr_db(hum) <= 0  # nothing stands out
