"""Speech moves in level; silence, noise and tones do not."""

from pathlib import Path

import numpy as np
import pytest

from asr.audio.level import STEADY_DB, level_range_db
from asr.audio.read import read_audio

N = 20 * 16000
TIME_S = np.arange(N) / 16000
NOISE = np.random.default_rng(0).standard_normal(N)
SPECTRUM, FREQUENCY = np.fft.rfft(NOISE), np.maximum(np.arange(N // 2 + 1), 1)
STEADY = {
    "zeros": np.zeros(N),
    "offset": np.full(N, 0.1),
    "quiet noise": 1e-4 * NOISE,
    "loud noise": 0.3 * NOISE,
    "pink noise": 0.1 * np.fft.irfft(SPECTRUM / np.sqrt(FREQUENCY / 1000)),
    "brown noise": 0.1 * np.fft.irfft(SPECTRUM / (FREQUENCY / 1000)),
    "hum": sum(0.1 / k * np.sin(2 * np.pi * 50 * k * TIME_S) for k in range(1, 20)),
    "tone": 0.5 * np.sin(2 * np.pi * 437.3 * TIME_S),
    "dither": np.round(NOISE) / 32768,
}


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize("duration_s", [1.0, 3.7, 20.0])
def test_what_stays_the_same(name: str, duration_s: float) -> None:
    assert 0.0 <= level_range_db(STEADY[name][: int(16000 * duration_s)].astype(np.float32)) < STEADY_DB


def test_a_known_step() -> None:
    step = np.where(TIME_S[:16000] < 0.5, 1.0, 0.1)
    assert level_range_db(step * np.sin(2 * np.pi * 700 * TIME_S[:16000])) == pytest.approx(20.0, abs=0.1)
    assert level_range_db(np.zeros(0)) == level_range_db(np.ones(700)) == 0.0


def test_a_word_alone_and_a_word_in_noise_move(corpora_dir: Path) -> None:
    paths = sorted((corpora_dir / "free-spoken-digit-dataset" / "recordings").glob("*_1.wav"))[::3]
    assert len(paths) > 10
    for path in paths:
        word = read_audio(path)
        assert level_range_db(word) > STEADY_DB, path
        for silence in (np.zeros(N), np.sqrt(np.square(word).mean()) * NOISE):  # as loud as the word
            silence[50_000 : 50_000 + len(word)] += word
            assert level_range_db(silence) > STEADY_DB, path
