"""Utterances are found in sound that goes on: each word in one of them, none twice, soon after it has ended."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from asr.audio.live import AROUND_S, microphone, utterances
from asr.audio.read import AudioError

BLOCK = 1600


def spoken(duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Syllables that rise and fall five times a second, hissed and hummed in turn."""
    n = round(duration_s * 16000)
    hiss, time = rng.standard_normal(n), np.arange(n) / 16000
    hum = np.convolve(hiss, np.ones(16) / 4, "same")
    return 0.3 * np.where(time % 0.4 < 0.2, hiss, hum) * np.sin(np.pi * 5 * time) ** 2


def blocks_of(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[at : at + BLOCK].astype(np.float32) for at in range(0, len(samples), BLOCK)]


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.02])
def test_each_utterance_once_and_whole(noise: float) -> None:
    rng = np.random.default_rng(0)
    parts, places = [np.zeros(16000 * 4)], []
    for duration_s, pause_s in [(1.0, 1.5), (2.0, 1.0), (0.6, 8.0), (3.0, 2.0)]:
        places.append((sum(map(len, parts)), sum(map(len, parts)) + round(16000 * duration_s)))
        parts += [spoken(duration_s, rng), np.zeros(round(16000 * pause_s))]
    sound = np.concatenate(parts)
    sound += noise * rng.standard_normal(len(sound))
    found = list(utterances(blocks_of(sound), 20.0))
    assert len(found) == len(places)
    for piece, (start, end) in zip(found, places, strict=True):
        assert start - 0.5 * 16000 <= piece.start <= start
        assert end <= piece.start + len(piece.samples) <= end + (AROUND_S + 0.2) * 16000
        np.testing.assert_array_equal(piece.samples, sound[piece.start :][: len(piece.samples)].astype(np.float32))


@pytest.mark.parametrize("level", [0.0, 0.001, 0.1])
def test_noise_is_no_utterance_and_takes_no_memory(level: float) -> None:
    noise = level * np.random.default_rng(1).standard_normal(16000 * 60)
    assert list(utterances(blocks_of(noise), 20.0)) == []


def test_speech_without_pause_is_cut() -> None:
    sound = spoken(30.0, np.random.default_rng(2))
    found = list(utterances(blocks_of(sound), 8.0))
    assert max(len(piece.samples) for piece in found) <= 8 * 16000 + BLOCK
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in found]), sound.astype(np.float32))


def test_sound_that_ends_is_heard_to_its_end() -> None:
    (piece,) = utterances(blocks_of(spoken(1.0, np.random.default_rng(3))), 8.0)
    assert (len(piece.samples), piece.is_last) == (16000, True)


def test_a_microphone_gives_what_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    class InputStream:
        def __init__(self, rate_hz, n_block, device, *, channels, dtype, callback) -> None:
            assert (rate_hz, n_block, device, channels, dtype) == (16000, 1600, 3, 1, "float32")
            self.callback = callback

        def __enter__(self) -> None:
            for value in (0.25, 0.5):
                self.callback(np.full((1600, 1), value, np.float32), 1600, None, None)

        def __exit__(self, *raised: object) -> None:
            pass

    fake = SimpleNamespace(InputStream=InputStream, PortAudioError=OSError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    source = microphone("3")
    assert [next(source)[0], next(source)[0]] == [0.25, 0.5]


def test_without_a_microphone_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match="pip install"):
        next(microphone())

    class PortAudioError(Exception):
        pass

    def refuse(*given: object, **named: object) -> None:
        raise PortAudioError("Error querying device -1")

    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace(InputStream=refuse, PortAudioError=PortAudioError))
    with pytest.raises(AudioError, match="no microphone"):
        next(microphone())
