"""Set long pauses of a piece apart, so that nobody has to listen to them."""

from collections.abc import Iterator

import numpy as np

from asr.audio.pieces import Piece
from asr.audio.read import RATE_HZ

LONG_PAUSE_S = 2.0
"""Shorter ones are heard; people pause for a second between sentences."""

AROUND_S = 0.5
"""Of a long pause so much is left to what is said before it and behind it."""

QUIET_DB = 6.0
"""A pause stays this close to the quiet tenth of its piece."""

_STEP = RATE_HZ // 10
_FLOOR = 1e-10


def set_pauses_apart(piece: Piece) -> Iterator[Piece]:
    """Cuts a piece at the edges of its long pauses.

    Whatever is taken for a pause stays a piece of its own, to be judged like any other: a word in loud noise may be in
    it.

    Yields:
        Pieces in order; put together, they are the piece. A piece without a long pause stays whole.
    """
    n_steps = len(piece.samples) // _STEP
    steps = piece.samples[: n_steps * _STEP].reshape(n_steps, _STEP)
    levels = 10 * np.log10(np.square(steps, dtype=np.float64).mean(axis=1) + _FLOOR)
    is_quiet = levels < (np.quantile(levels, 0.1) + QUIET_DB if n_steps else 0.0)
    edges = np.flatnonzero(np.diff(is_quiet, prepend=False, append=False))
    around, cuts = round(AROUND_S * RATE_HZ), [0]
    for first, end in zip(edges[::2] * _STEP, edges[1::2] * _STEP, strict=True):
        if end - first >= LONG_PAUSE_S * RATE_HZ:
            cuts += [
                int(first) + around if first else 0,
                int(end) - around if end < n_steps * _STEP else len(piece.samples),
            ]
    places = sorted({*cuts, len(piece.samples)})
    for start, end in zip(places, places[1:], strict=False):
        is_last = piece.is_last and end == len(piece.samples)
        yield Piece(piece.start + start, piece.samples[start:end], is_last)
