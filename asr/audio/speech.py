"""Whether a sound may be speech: it lasts, rises and falls, is made of many lines, and changes its colour.

Silence, steady noise, hum and tones lack the rise; clicks do not last; beeps, dialling tones, sirens and sweeps have a
line or two; bursts of noise and buzzers have one colour. What lacks nothing may still be no speech, such as music.
"""

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import RATE_HZ, Samples

# Bounds lie between what was measured of FSDD (8 kHz), AN4 and eSpeak's voices, and of made sounds, also in noise.
RISE_DB = 8.0
"""Noise of 30 s has up to 6.6, strings of words 25 and more, a word in equally loud white noise 13."""
N_LINES = 7.0
"""A tone has 2.4, two together 4.6, a sweep of 4 kHz/s 4.3; words have a moment of 10 and more."""
N_LINES_ALONE = 5.0
"""A word that was cut close may consist of a dull vowel: 6.4 and more."""
LASTS_DB = 15.0
"""In a moment of 0.12 s a click falls by more, a vowel does not."""
COLOUR_DB = 1.9
"""Noise has up to 1.6 by chance, words of half a second 2.3 and more."""

_N_WINDOW, _N_STEP = RATE_HZ // 25, RATE_HZ // 50  # 40 ms: two periods of mains hum, which then does not flutter
_MOMENT = 5  # windows: 0.12 s, as short vowels are
_ONE_COLOUR = 25  # moments, half a second: no sound of a language lasts longer for long
_NEARLY_DB, _LEAST_DB = 12.0, 30.0  # moments this far below the loudest, and bands below the whole, are not compared
_FLOOR = 1e-10  # digital silence: -100 dB of full scale
_BLOCK = 1000  # windows looked at together, so that memory stays small
_LINES_FROM_HZ = 75  # below is rumble
_BANDS_HZ = (100, 300, 500, 750, 1000, 1500, 2000, 3000, 4000, 8000)
_WIDE = (0, 2, 4, 6, 8)  # bands that are taken together to look for a rise


def may_be_speech(samples: Samples) -> bool:
    """Tells whether anything in a recording may be speech.

    Looks for moments of 0.12 s that in all of their 40 ms windows stand out by `RISE_DB` from the recording's quiet
    tenth, in one of five bands, since bands tell a voice from noise that is louder; that do not fall by more than
    `LASTS_DB`; and that have more than `N_LINES` lines: the exponential of the entropy of the spectrum, which is raised
    by 3 dB per octave first. Half a second of such moments must not all have the same shares of power in nine bands:
    one of them must differ from their median by `COLOUR_DB`, on average over the bands.

    A recording under a second may be a word that was cut close. Then one of its loudest windows has more than
    `N_LINES_ALONE`, and is as a whole louder than the quietest by `RISE_DB`.

    Args:
        samples: (N,) 16 kHz.
    """
    lines, powers = _look(samples)
    loudness = _db(powers.sum(axis=1))
    if len(loudness) < 2:
        return False
    if len(samples) < RATE_HZ:
        loud = loudness > max(loudness.min() + RISE_DB, loudness.max() - _NEARLY_DB)
        return bool((loud & (lines > N_LINES_ALONE)).any())
    levels = _lowest(_db(np.add.reduceat(powers, _WIDE, axis=1)))
    rises = (levels - np.quantile(levels, 0.1, axis=0)).max(axis=1)
    lasting = _lowest(loudness)
    lasts = lasting > -_lowest(-loudness) - LASTS_DB
    found = lasts & (rises > RISE_DB) & (_lowest(lines) > N_LINES)
    if not found.any():
        return False
    loud = found & (lasting > lasting[found].max() - _NEARLY_DB)
    return not _has_one_colour(_moments(powers).mean(axis=-1)[loud])


def _has_one_colour(powers: NDArray[np.float64]) -> bool:
    """Whether moments are many and alike: powers (moments, bands)."""
    colours = np.maximum(_db(powers) - _db(powers.sum(axis=1, keepdims=True)), -_LEAST_DB)
    changes = np.abs(colours - np.median(colours, axis=0)).mean(axis=1)
    return len(colours) >= _ONE_COLOUR and bool(changes.max() < COLOUR_DB)


def _look(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many lines each window has, and its mean square in each band: (N,) -> (windows,), (windows, bands)."""
    hz, taper = np.fft.rfftfreq(_N_WINDOW, 1 / RATE_HZ), np.hanning(_N_WINDOW)
    edges = np.searchsorted(hz, _BANDS_HZ)
    weights = np.where(hz < _LINES_FROM_HZ, 0.0, hz / RATE_HZ)
    padded = np.pad(samples, (0, max(0, _N_WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _N_WINDOW)[::_N_STEP]
    lines, powers = [], []
    for first in range(0, len(windows), _BLOCK):
        spectrum = np.fft.rfft(windows[first : first + _BLOCK] * taper, axis=1)
        power = (np.square(spectrum.real) + np.square(spectrum.imag)) * 2 / (_N_WINDOW * np.square(taper).sum())
        powers.append(np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1))
        shares = power * weights + _FLOOR / len(hz)
        shares /= shares.sum(axis=1, keepdims=True)
        lines.append(np.exp(-(shares * np.log(shares)).sum(axis=1)))
    return np.concatenate(lines), np.concatenate(powers)


def _moments(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each `_MOMENT` windows in a row: (windows, …) -> (moments, …, windows of each)."""
    return np.lib.stride_tricks.sliding_window_view(values, min(_MOMENT, len(values)), axis=0)


def _lowest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lowest in each moment: (windows, …) -> (moments, …)."""
    return _moments(values).min(axis=-1)


def _db(powers: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(powers + _FLOOR)
