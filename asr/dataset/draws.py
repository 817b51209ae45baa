"""Random draws that depend only on what they are for, never on who draws, when, or how often before."""

import hashlib
import random


def draw_key(*parts: int | str) -> int:
    """Hashes what a draw is for (seed, epoch, utterance id, purpose) to a 63-bit key, equal on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: int | str) -> random.Random:
    """A private generator for the draws that `parts` name."""
    return random.Random(draw_key(*parts))
