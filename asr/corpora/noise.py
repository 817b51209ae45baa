"""Additive noise of known kind and strength, for synthetic speech."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

NoiseKind = Literal["none", "white", "pink", "hum"]

_N_HARMONICS = 8


def make_noise(kind: NoiseKind, n_samples: int, rate_hz: int, seed: int) -> NDArray[np.float32]:
    """Make noise with a root mean square of 1.

    Args:
        kind: "white" (flat spectrum), "pink" (power falls with frequency), "hum" (harmonics of the mains) or "none".
        n_samples: how many samples.
        rate_hz: sampling rate.
        seed: the noise is a function of it; the legacy generator's stream is the one numpy promises not to change.

    Returns:
        samples (n_samples,), float32; zeros for "none".
    """
    random = np.random.RandomState(seed)
    if kind == "none" or n_samples == 0:
        return np.zeros(n_samples, np.float32)
    if kind == "hum":
        noise = _hum(n_samples, rate_hz, random)
    else:
        noise = random.standard_normal(n_samples)
        if kind == "pink":
            spectrum = np.fft.rfft(noise)
            frequencies = np.fft.rfftfreq(n_samples, 1 / rate_hz)
            noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, 20.0)), n_samples)
    scaled: NDArray[np.float32] = (noise / np.sqrt(np.mean(noise**2))).astype(np.float32)
    return scaled


def _hum(n_samples: int, rate_hz: int, random: np.random.RandomState) -> NDArray[np.float64]:
    """Harmonics of 50 or 60 Hz with falling strength, over a faint hiss."""
    mains_hz = 50.0 if random.random_sample() < 0.5 else 60.0
    times_s = np.arange(n_samples) / rate_hz
    noise = 0.05 * random.standard_normal(n_samples)
    for harmonic in range(1, _N_HARMONICS + 1):
        strength = random.random_sample() / harmonic
        phase = 2 * np.pi * random.random_sample()
        noise += strength * np.sin(2 * np.pi * mains_hz * harmonic * times_s + phase)
    return noise
