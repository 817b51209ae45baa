"""How much the level of a recording moves: speech rises and falls, noise and tones stay."""

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import RATE_HZ

WINDOW_S = 0.025
_FLOOR = 1e-10  # digital silence: -100 dB of full scale


def level_range_db(samples: NDArray[np.floating]) -> float:
    """Tells how far the loud moments of a recording stand above its quiet ones.

    Args:
        samples: (N,) 16 kHz.

    Returns:
        The 95th percentile of the level of windows of 25 ms over the 5th, in dB; 0 where there are fewer than two.
    """
    n_window = round(WINDOW_S * RATE_HZ)
    n_windows = len(samples) // n_window
    if n_windows < 2:
        return 0.0
    windows = samples[: n_windows * n_window].reshape(n_windows, n_window)
    powers = np.square(windows, dtype=np.float64).mean(axis=1)
    low, high = np.quantile(10 * np.log10(powers + _FLOOR), [0.05, 0.95])
    return float(high - low)
