"""Set pauses of a piece apart that nobody has to listen to: long ones, and the seams between joined recordings."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from asr.audio.pieces import Piece
from asr.audio.read import RATE_HZ

LONG_PAUSE_S = 2.0
"""Shorter ones are heard; people pause for a second between sentences."""

AROUND_S = 0.5
"""Of a long pause so much is left to what is said before it and behind it."""

QUIET_DB = 6.0
"""A pause stays this close to the quiet tenth of its piece."""

SEAM_S = 0.4
"""So long no microphone gives digital silence: what is before it and behind it are recordings of their own."""

SILENT = 2.5 / 2**15
"""Digital silence stays within this, dither of 16 bits included."""

_STEP = RATE_HZ // 10
_FLOOR = 1e-10


def set_pauses_apart(piece: Piece) -> Iterator[Piece]:
    """Cuts a piece at the edges of its seams and within its long pauses.

    Seams are left to neither neighbour, to the sample: features are normalised over a piece, and digital silence would
    shift their mean and deviation. Whatever is taken for a pause stays a piece of its own, to be judged like any other:
    a word in loud noise may be in it.

    Yields:
        Pieces in order; put together, they are the piece. A piece without either stays whole.
    """
    seams = _seams(piece.samples)
    within = [cut for cut in _long_pauses(piece.samples) if not any(start < cut < end for start, end in seams)]
    places = sorted({0, len(piece.samples), *within, *(edge for seam in seams for edge in seam)})
    for start, end in zip(places, places[1:], strict=False):
        is_last = piece.is_last and end == len(piece.samples)
        yield Piece(piece.start + start, piece.samples[start:end], is_last)


def _seams(samples: NDArray[np.float32]) -> list[tuple[int, int]]:
    """First sample of each stretch of digital silence, and the first behind it."""
    return [run for run in _runs(np.abs(samples) <= SILENT) if run[1] - run[0] >= SEAM_S * RATE_HZ]


def _long_pauses(samples: NDArray[np.float32]) -> Iterator[int]:
    """Where to cut for long pauses: some way behind each beginning and before each end."""
    n_steps = len(samples) // _STEP
    steps = samples[: n_steps * _STEP].reshape(n_steps, _STEP)
    levels = 10 * np.log10(np.square(steps, dtype=np.float64).mean(axis=1) + _FLOOR)
    is_quiet = levels < (np.quantile(levels, 0.1) + QUIET_DB if n_steps else 0.0)
    around = round(AROUND_S * RATE_HZ)
    for first, end in _runs(is_quiet):
        if (end - first) * _STEP >= LONG_PAUSE_S * RATE_HZ:
            yield first * _STEP + around if first else 0
            yield end * _STEP - around if end < n_steps else len(samples)


def _runs(is_so: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Every stretch of true values: its first place, and the first behind it."""
    edges = np.flatnonzero(np.diff(is_so, prepend=False, append=False))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(end)
