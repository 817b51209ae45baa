"""Sound as it comes from a microphone, cut into utterances."""

import queue
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from asr.audio.pieces import Piece, quietest
from asr.audio.read import RATE_HZ, AudioError, Samples
from asr.audio.speech import may_be_speech

BLOCK_S = 0.1
PAUSE_S = 0.7
"""Silence after which an utterance has ended."""

AROUND_S = 0.3
"""Of the silence before and behind an utterance so much is kept: consonants are soft."""

_QUIET_SHARE = 0.1  # a pause is quieter than the utterance by 20 dB, or near to the background


def microphone(device: str | None = None) -> Iterator[Samples]:
    """Listens until nobody asks any more.

    Args:
        device: Its name, part of it, or its number; None takes the system's.

    Yields:
        (n,) float32, mono, 16 kHz, a tenth of a second each.

    Raises:
        AudioError: There is no microphone, or what is needed to hear it is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError("a microphone needs sounddevice: pip install 'asr[record]'") from error
    except OSError as error:
        raise AudioError(f"no sound on this machine ({error}); install PortAudio, such as libportaudio2") from error
    heard: queue.SimpleQueue[Samples] = queue.SimpleQueue()

    def keep(block: Any, *_: object) -> None:
        heard.put(block[:, 0].copy())

    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        with sounddevice.InputStream(
            RATE_HZ, round(BLOCK_S * RATE_HZ), chosen, channels=1, dtype="float32", callback=keep
        ):
            while True:
                yield heard.get()
    except (sounddevice.PortAudioError, ValueError) as error:
        raise AudioError(f"no microphone that can be used ({error}); name one with --microphone") from error


def utterances(blocks: Iterable[Samples], longest_s: float) -> Iterator[Piece]:
    """Cuts sound that goes on and on into utterances, each told when the pause after it is long enough.

    What lies between utterances is left out: nothing there sounds like speech.

    Args:
        blocks: (n,) samples each, 16 kHz.
        longest_s: An utterance without pause is cut at its quietest moment before it gets longer.

    Yields:
        Utterances with the numbers of their first samples, in order, without overlap.
    """
    start, held = 0, np.zeros(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        spoken = may_be_speech(held)
        if spoken and _has_paused(held):
            n = len(held) - round((PAUSE_S - AROUND_S) * RATE_HZ)
            yield Piece(start, held[:n], False)
            start, held = start + n, held[n:]
        elif not spoken:
            n_old = max(0, len(held) - round(AROUND_S * RATE_HZ))
            start, held = start + n_old, held[n_old:]
        elif len(held) > longest_s * RATE_HZ:
            n = quietest(held)
            yield Piece(start, held[:n], False)
            start, held = start + n, held[n:]
    if may_be_speech(held):
        yield Piece(start, held, True)


def _has_paused(samples: Samples) -> bool:
    """Whether the level has stayed low since `PAUSE_S`, or nothing sounds like speech there."""
    n_pause, n_window = round(PAUSE_S * RATE_HZ), round(BLOCK_S * RATE_HZ)
    if len(samples) < n_pause + n_window:
        return False
    pause, before = samples[-n_pause:], samples[: len(samples) - n_pause]
    n_windows = len(before) // n_window
    loudest = np.square(before[: n_windows * n_window].reshape(n_windows, n_window), dtype=np.float64).mean(1).max()
    quiet = float(np.square(pause, dtype=np.float64).mean()) <= _QUIET_SHARE**2 * loudest
    return quiet or not may_be_speech(pause)
