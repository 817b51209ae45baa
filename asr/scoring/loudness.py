"""How far does speech stand above the noise of its recording?"""

import math

import numpy as np

from asr.audio.read import RATE_HZ, Samples

METHOD = (
    "Signal-to-noise ratio, estimated: of 20 ms frames, digital silence left out, the quietest tenth are taken for "
    "noise, and for speech with noise those within 20 dB of the loud ones (the 95th percentile), if they are nearer to "
    "these than to the noise; 10 log10 of (mean power of the latter less the noise's) over the noise's. Where nobody "
    "pauses, it comes out too low."
)
_FRAME = RATE_HZ // 50
_MIN_FRAMES = 10
_SILENCE = 1e-10  # power, -100 dB of full scale: below what 16 bits hold
_LOWEST_DB, _HIGHEST_DB = -20.0, 80.0


def snr_db(samples: Samples) -> float | None:
    """Estimates the signal-to-noise ratio as `METHOD` says, in dB, between -20 and 80.

    Args:
        samples: (N,) float, 16 kHz.

    Returns:
        None where there are less than 0.2 s beside digital silence.
    """
    n_frames = len(samples) // _FRAME
    frames = samples[: n_frames * _FRAME].astype(np.float64).reshape(n_frames, _FRAME)
    powers = frames.var(axis=1)
    powers = np.sort(powers[powers > _SILENCE])
    if len(powers) < _MIN_FRAMES:
        return None
    noise = float(powers[: len(powers) // 10].mean())
    loud = float(np.percentile(powers, 95))
    speech = float(powers[powers >= max(loud / 100, math.sqrt(loud * noise))].mean()) - noise
    if speech <= 0:
        return _LOWEST_DB
    return float(np.clip(10 * np.log10(speech / noise), _LOWEST_DB, _HIGHEST_DB))
