"""How much the level of a recording moves: speech rises and falls, noise and tones stay."""

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import RATE_HZ

WINDOW_S = 0.025
BANDS_HZ = (100, 500, 1000, 2000, 4000, 8000)
STEADY_DB = 6.5
"""A level that moves less holds no speech: half a minute of white, pink or brown noise, of a hum or a tone has 0 to 5.5
dB. A digit alone has 9.8 and more; in 20 s of white noise 20 where it is 10 dB louder, 7 where it is 5 dB softer."""

_N_WINDOW = round(WINDOW_S * RATE_HZ)
_N_SMOOTH = 4  # windows: what noise has by chance averages out in 0.1 s, a vowel lasts as long
_FLOOR = 1e-10  # digital silence: -100 dB of full scale
_SHORT = 40  # windows: a word alone, cut close, is no longer; it rises and falls as a whole
_BLOCK = 1000  # windows looked at together, so that memory stays small


def level_range_db(samples: NDArray[np.floating]) -> float:
    """Tells how far the loudest moment of a recording stands above its quiet ones, in the band where it does most.

    Bands tell a voice from noise that is louder, and the loudest moment tells a word in a minute of silence.

    Args:
        samples: (N,) 16 kHz.

    Returns:
        The highest level of 0.1 s over the tenth percentile, in dB, the largest of five bands from 100 Hz to 8 kHz; of
        recordings under a second also of 25 ms in all bands together. 0 where there is less than two times 25 ms.
    """
    powers = _band_powers(samples)
    if len(powers) < 2:
        return 0.0
    sums = np.cumsum(np.concatenate([np.zeros_like(powers[:1]), powers]), axis=0)
    n_smooth = min(_N_SMOOTH, len(powers))
    curves = [*((sums[n_smooth:] - sums[:-n_smooth]).clip(0.0) / n_smooth).T]
    if len(powers) < _SHORT:
        curves.append(powers.sum(axis=1))
    return max(_range_db(curve) for curve in curves)


def _band_powers(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean square in each band of each window: (N,) -> (windows, bands)."""
    n_windows = len(samples) // _N_WINDOW
    windows = samples[: n_windows * _N_WINDOW].reshape(n_windows, _N_WINDOW)
    edges = np.searchsorted(np.fft.rfftfreq(_N_WINDOW, 1 / RATE_HZ), BANDS_HZ)
    scale = 2 / (_N_WINDOW * np.square(np.hanning(_N_WINDOW)).sum())
    blocks = [np.zeros((0, len(BANDS_HZ) - 1))]
    for first in range(0, n_windows, _BLOCK):
        spectrum = np.fft.rfft(windows[first : first + _BLOCK] * np.hanning(_N_WINDOW), axis=1)
        power = scale * (np.square(spectrum.real) + np.square(spectrum.imag))
        blocks.append(np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1))
    return np.concatenate(blocks)


def _range_db(powers: NDArray[np.float64]) -> float:
    levels = 10 * np.log10(powers + _FLOOR)
    return float(levels.max() - np.quantile(levels, 0.1))
