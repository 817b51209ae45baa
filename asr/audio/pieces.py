"""Cut a recording of any length at its quiet moments, holding one piece of it in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr.audio.read import RATE_HZ, Samples

PAUSE_S = 0.3
"""A cut goes through the middle of the quietest stretch of this length."""

NEARLY_DB = 3.0
"""Stretches that are louder by no more are as good: then the last is taken, so that pieces are long."""

_STEP = RATE_HZ // 100
_FLOOR = 1e-10


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a recording.

    Attributes:
        start: Its first sample's number in the recording.
        samples: (N,) float32, 16 kHz, at least one.
        is_last: Whether the recording ends with it.
    """

    start: int
    samples: Samples
    is_last: bool


def cut_at_pauses(blocks: Iterable[Samples], longest_s: float) -> Iterator[Piece]:
    """Cuts a recording into pieces; a recording no longer than one piece stays whole.

    What is cut depends on the samples alone, not on how they come in blocks.

    Args:
        blocks: (n,) samples each, 16 kHz, read no further than needed.
        longest_s: No piece is longer, and of several none is shorter than a sixth of it: a word by itself at the end of
            a recording would be hard to tell from noise.

    Yields:
        Pieces in order; put together, they are the recording.
    """
    longest = max(4 * _STEP, round(longest_s * RATE_HZ))
    quarter = longest // 4
    start, held, blocks = 0, np.zeros(0, np.float32), iter(blocks)
    while True:
        pieces, n_held = [held], len(held)
        while n_held <= longest + quarter and (block := next(blocks, None)) is not None:
            pieces.append(block)
            n_held += len(block)
        held = np.concatenate(pieces)
        if len(held) <= longest:
            break
        n = quietest(held[: min(longest, len(held) - quarter)])
        yield Piece(start, held[:n].copy(), False)
        start, held = start + n, held[n:]
    if len(held):
        yield Piece(start, held.copy(), True)


def quietest(samples: Samples) -> int:
    """Where to cut samples (N,): a place from a quarter on, in the middle of the last of the quietest stretches."""
    n_steps, n_pause = len(samples) // _STEP, min(round(PAUSE_S * RATE_HZ) // _STEP, len(samples) // _STEP // 2)
    steps = samples[: n_steps * _STEP].reshape(n_steps, _STEP)
    sums = np.concatenate([[0.0], np.cumsum(np.square(steps, dtype=np.float64).mean(axis=1))])
    levels = 10 * np.log10((sums[n_pause:] - sums[:-n_pause]).clip(0.0) / n_pause + _FLOOR)
    first = max(0, -(-n_steps // 4) - n_pause // 2)
    good = np.flatnonzero(levels[first:] <= levels[first:].min() + NEARLY_DB)
    gaps = np.flatnonzero(np.diff(good) > 1)
    start = good[gaps[-1] + 1] if len(gaps) else good[0]
    return int(first + (start + good[-1]) // 2 + n_pause // 2) * _STEP
