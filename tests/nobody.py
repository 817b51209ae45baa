"""Sounds in which nobody speaks, by name: for tests, `scripts/prove_silence` and `scripts/prove_flags`."""

from collections.abc import Callable

import numpy as np

RATE_HZ = 16000


def sound(name: str, duration_s: float, seed: int = 0) -> np.ndarray:
    """A made sound (N,) float32, 16 kHz; by another seed another one, if there is any chance in it."""
    time, rng = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ, np.random.default_rng(seed)
    return SOUNDS[name](time, 0.1 * rng.standard_normal(len(time)), rng).astype(np.float32)


def _tones(time: np.ndarray, *hz: float) -> np.ndarray:
    return sum((np.sin(2 * np.pi * each * time) for each in hz), np.zeros(len(time)))


def _rising(time: np.ndarray, hz: np.ndarray) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ)


def _coloured(white: np.ndarray, slope: float) -> np.ndarray:
    """Noise whose amplitude goes with this power of frequency, from 20 Hz."""
    hz = np.maximum(np.fft.rfftfreq(len(white), 1 / RATE_HZ), 20)
    noise = np.fft.irfft(np.fft.rfft(white) * hz**slope, len(white))
    return 0.1 * noise / noise.std()


def _beeps(time: np.ndarray, rng: np.random.Generator, n_tones: int) -> np.ndarray:
    """Beeps of 0.1 to 0.5 s, of any pitch and loudness, with pauses."""
    beeps, at = np.zeros(len(time)), 0
    while at < len(time):
        size = min(int(RATE_HZ * rng.uniform(0.1, 0.5)), len(time) - at)
        beep = _tones(time[:size], *rng.uniform(300, 3000, n_tones))
        beeps[at : at + size] = 0.5 / n_tones * rng.uniform(0.1, 1) * beep
        at += size + int(RATE_HZ * rng.uniform(0.05, 1))
    return beeps


def _clicks(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One or two a second, a fifth of a second or more from each other."""
    clicks, n_apart = np.zeros(len(time)), RATE_HZ // 5
    places = n_apart * np.flatnonzero(rng.random(len(time) // n_apart) < 0.3) + rng.integers(0, RATE_HZ // 20)
    clicks[places] = rng.uniform(0.2, 1, len(places))
    return clicks


def _rings(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ring = np.exp(-np.arange(320) / 40) * _tones(np.arange(320) / RATE_HZ, 2000)
    return np.convolve(_clicks(time, rng), ring)[: len(time)]


Made = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
SOUNDS: dict[str, Made] = {
    "digital silence": lambda time, white, rng: np.zeros(len(time)),
    "offset": lambda time, white, rng: np.full(len(time), 0.1),
    "dither": lambda time, white, rng: np.round(10 * white) / 32768,
    "white noise": lambda time, white, rng: white,
    "soft white noise": lambda time, white, rng: 0.01 * white,
    "loud white noise": lambda time, white, rng: 3 * white,
    "pink noise": lambda time, white, rng: _coloured(white, -0.5),
    "brown noise": lambda time, white, rng: _coloured(white, -1.0),
    "hum of 50 Hz": lambda time, white, rng: 0.1 * _tones(time, 50) + 0.02 * _tones(time, 150, 250, 350),
    "hum of 60 Hz": lambda time, white, rng: 0.1 * _tones(time, 60) + 0.02 * _tones(time, 180, 300, 420),
    "tone of 440 Hz": lambda time, white, rng: 0.3 * _tones(time, 440),
    "tone of 1 kHz in noise": lambda time, white, rng: 0.1 * _tones(time, 1000) + 0.01 * white,
    "dialling tone": lambda time, white, rng: 0.1 * _tones(time, 350, 440),
    "engaged tone": lambda time, white, rng: 0.1 * _tones(time, 480, 620) * (time % 1 < 0.5),
    "beeps": lambda time, white, rng: 0.3 * _tones(time, 1000) * (time % 1 < 0.2),
    "beeps in noise": lambda time, white, rng: 0.3 * _tones(time, 1000) * (time % 1 < 0.2) + 0.03 * white,
    "beeps of any pitch": lambda time, white, rng: _beeps(time, rng, 1),
    "keys of a telephone": lambda time, white, rng: _beeps(time, rng, 2),
    "siren": lambda time, white, rng: _rising(time, 900 + 400 * np.sin(np.pi * time)),
    "sweeps": lambda time, white, rng: _rising(time, 100 * 70 ** (time % 5 / 5)),
    "fast sweeps": lambda time, white, rng: _rising(time, 100 + 3900 * (time % 1)),
    "clicks": lambda time, white, rng: 0.9 * (np.round(time * RATE_HZ) % RATE_HZ == RATE_HZ // 2),
    "clicks at random": lambda time, white, rng: _clicks(time, rng),
    "clicks that ring": lambda time, white, rng: _rings(time, rng),
    "clicks that ring in noise": lambda time, white, rng: _rings(time, rng) + 0.03 * white,
    "bursts of noise": lambda time, white, rng: white * (time % 1 < 0.2),
    "waves of noise": lambda time, white, rng: white * (1 + 0.9 * np.sin(2 * np.pi * 4 * time)),
    "buzzer": lambda time, white, rng: 0.03 * _tones(time, *range(100, 3000, 100)) * (time % 1 < 0.3),
}
