"""Sights of made-up models, for tests of what is drawn."""

import numpy as np

from asr.recognizer.sight import Sight

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]


def diagonal(n_rows: int, n_states: int, sharpness: float = 30.0) -> np.ndarray:
    """(R, S) a walk from one end to the other; sharpness 0 is even attention."""
    peaks = np.linspace(0, n_states - 1, n_rows).round().astype(int)
    weights = np.ones((n_rows, n_states))
    weights[np.arange(n_rows), peaks] += sharpness * n_states
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def sight_of(
    pieces: list[str],
    duration_s: float = 3.0,
    heads: list[str] | None = None,
    sharpness: list[float] | None = None,
    listener: tuple[int, int] | None = None,
) -> Sight:
    """A sight in which every token has its share of the time.

    Args:
        pieces: Tokens, without the end.
        duration_s: Of the audio.
        heads: Names of the speller's heads.
        sharpness: Of each.
        listener: Layers and heads of its self-attention.
    """
    rng = np.random.default_rng(0)
    n_frames = max(int(duration_s * 100), 1)
    n_states, n_rows = (n_frames + 3) // 4, len(pieces) + 1
    heads = heads or ["attention"]
    vocabulary = SPECIAL + [piece for piece in dict.fromkeys(pieces) if piece not in SPECIAL]
    posteriors = np.full((n_states, len(vocabulary)), 1e-3)
    posteriors[:, 0] = 1.0
    for number, piece in enumerate(pieces):
        posteriors[int((number + 0.5) / len(pieces) * n_states), vocabulary.index(piece)] = 9.0
    maps = None
    if listener:
        maps = rng.random((*listener, n_states, n_states), dtype=np.float32)
        maps /= maps.sum(-1, keepdims=True)
    return Sight(
        duration_s=duration_s,
        features=rng.normal(size=(n_frames, 80)).astype(np.float32),
        frames_s=(0.011, 0.011 + 0.01 * n_frames),
        states_s=(0.011, 0.011 + 0.04 * n_states),
        pieces=[*pieces, "</s>"],
        heads=heads,
        attention=np.stack([diagonal(n_rows, n_states, each) for each in sharpness or [30.0] * len(heads)]),
        vocabulary=vocabulary,
        posteriors=(posteriors / posteriors.sum(axis=1, keepdims=True)).astype(np.float32),
        listener=maps,
    )
