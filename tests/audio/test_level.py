"""Speech moves in level; silence, noise and tones do not."""

from pathlib import Path

import numpy as np
import pytest

from asr.audio.level import level_range_db
from asr.audio.read import read_audio
from asr.recognizer.flags import STEADY_DB

SECOND = np.arange(16000) / 16000
NOISE = np.random.default_rng(0).standard_normal(16000)


@pytest.mark.parametrize(
    "steady",
    [np.zeros(16000), 1e-4 * NOISE, 0.3 * NOISE, 0.1 * np.sin(2 * np.pi * 50 * SECOND), np.round(NOISE) / 32768],
    ids=["zeros", "quiet noise", "loud noise", "hum", "dither"],
)
def test_what_stays_the_same(steady: np.ndarray) -> None:
    assert 0.0 <= level_range_db(steady.astype(np.float32)) < 2.0


def test_a_known_step() -> None:
    step = np.where(SECOND < 0.5, 1.0, 0.1)
    assert level_range_db(step * np.sin(2 * np.pi * 400 * SECOND)) == pytest.approx(20.0, abs=0.01)
    assert level_range_db(np.zeros(0)) == level_range_db(np.ones(700)) == 0.0


def test_real_speech_moves(corpora_dir: Path) -> None:
    paths = sorted((corpora_dir / "free-spoken-digit-dataset" / "recordings").glob("*_1.wav"))[::3]
    assert len(paths) > 10
    assert min(level_range_db(read_audio(path)) for path in paths) > STEADY_DB
