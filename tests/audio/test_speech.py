"""What is made is told from what is said; words are found in and beside it."""

from pathlib import Path

import numpy as np
import pytest
from nobody import SOUNDS, sound
from tones import TONES_HZ, speak

from asr.audio.read import read_audio
from asr.audio.speech import may_be_speech

LONG_S = 20.0
NOBODY = {name: sound(name, LONG_S) for name in SOUNDS}


@pytest.fixture(scope="module")
def words(corpora_dir: Path) -> list[np.ndarray]:
    paths = sorted((corpora_dir / "free-spoken-digit-dataset" / "recordings").glob("*_1.wav"))[::3]
    assert len(paths) > 10
    return [read_audio(path) for path in paths]


@pytest.mark.parametrize("name", NOBODY)
@pytest.mark.parametrize("duration_s", [3.7, LONG_S])
@pytest.mark.parametrize("gain", [1.0, 0.03])
def test_made_sounds(name: str, duration_s: float, gain: float) -> None:
    assert not may_be_speech(gain * NOBODY[name][: round(16000 * duration_s)])


@pytest.mark.parametrize("name", ["digital silence", "white noise", "pink noise", "hum of 50 Hz", "tone of 440 Hz"])
@pytest.mark.parametrize("duration_s", [0.01, 0.1, 0.3, 0.9])
def test_short_steady_sounds(name: str, duration_s: float) -> None:
    assert not may_be_speech(NOBODY[name][: round(16000 * duration_s)])


def test_nothing() -> None:
    assert not may_be_speech(np.zeros(0, np.float32))


def test_what_makes_speech_of_a_sound() -> None:
    """A voice that rises, has many lines, and changes its colour is speech, and without any one of these it is not."""
    rng = np.random.default_rng(0)
    pause = 0.003 * rng.standard_normal(16000)

    def said(letters: str) -> np.ndarray:
        return np.concatenate([pause, *(speak(letter, rng) for letter in letters), pause])

    assert may_be_speech(said("abcdabcd"))
    assert may_be_speech(said("a"))  # a short word may have one vowel
    assert not may_be_speech(said("a" * 20))
    time = np.arange(round(0.16 * 16000)) / 16000
    beeps = [0.3 * np.sin(2 * np.pi * TONES_HZ[letter] * time) for letter in "abcdabcd"]
    assert not may_be_speech(np.concatenate([pause, *beeps, pause]))


def test_a_rise_of_some_decibels() -> None:
    rng = np.random.default_rng(1)
    noise = 0.01 * rng.standard_normal(160_000)
    for gain, is_enough in ((1.3, False), (4.0, True)):  # 2 and 12 dB; noise has some by chance
        louder = noise.copy()
        louder[80_000:85_000] *= gain
        assert may_be_speech(louder) == is_enough


def test_a_word_alone(words: list[np.ndarray]) -> None:
    assert all(may_be_speech(word) for word in words)


@pytest.mark.parametrize(
    "name",
    ["digital silence", "white noise", "brown noise", "hum of 50 Hz", "beeps", "clicks at random", "fast sweeps"],
)
def test_a_word_among_sounds_as_loud(name: str, words: list[np.ndarray]) -> None:
    power = np.square(NOBODY[name]).mean()
    n_found = 0
    for word in words:
        mixed = NOBODY[name] * np.sqrt(np.square(word).mean() / power if power else 0.0)
        mixed[50_000 : 50_000 + len(word)] += word
        n_found += may_be_speech(mixed)
    assert n_found >= len(words) - 1


def test_a_recording_is_speech_if_its_half_is() -> None:
    rng = np.random.default_rng(2)
    said = np.concatenate([speak(letter, rng) for letter in " abcd abcd "])
    assert may_be_speech(np.concatenate([NOBODY["beeps"], said, NOBODY["beeps"]]))
