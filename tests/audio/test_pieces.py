"""Pieces put together are the recording: no sample lost, none twice, whatever it holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.pieces import PAUSE_S, cut_at_pauses, quietest
from asr.audio.read import RATE_HZ


def in_blocks(samples: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    places = np.cumsum(sizes)
    return [block for block in np.split(samples, places[places < len(samples)]) if len(block)]


@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(1, 60_000),
    sizes=st.lists(st.integers(1, 30_000), max_size=20),
    longest_s=st.floats(0.05, 3.0),
    kind=st.sampled_from(["noise", "zeros", "gaps"]),
)
@settings(max_examples=200, deadline=None)
def test_exact_cover(seed: int, n_samples: int, sizes: list[int], longest_s: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.uniform(-1, 1, n_samples).astype(np.float32) * (kind != "zeros")
    if kind == "gaps":
        samples *= np.repeat(rng.uniform(0, 1, n_samples // 1000 + 1) > 0.5, 1000)[:n_samples]
    pieces = list(cut_at_pauses(in_blocks(samples, sizes), longest_s))
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), samples)
    longest = max(640, round(longest_s * RATE_HZ))
    start = 0
    for piece in pieces:
        assert piece.start == start
        assert 0 < len(piece.samples) <= longest
        assert len(pieces) == 1 or len(piece.samples) >= longest / 6 - 160
        start += len(piece.samples)
    assert [piece.is_last for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert (len(pieces) == 1) == (n_samples <= longest)
    whole = list(cut_at_pauses([samples], longest_s))
    assert [piece.start for piece in whole] == [piece.start for piece in pieces]


def test_nothing_has_no_pieces() -> None:
    assert list(cut_at_pauses([], 1.0)) == []


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_cuts_go_through_the_pauses(noise: float) -> None:
    """Utterances of 2 to 6 s between pauses of 0.4 s: every cut is in a pause."""
    rng = np.random.default_rng(0)
    parts, pauses = [], []
    for _ in range(20):
        parts.append(rng.normal(0, 0.1, round(rng.uniform(2, 6) * RATE_HZ)))
        parts.append(np.zeros(round(0.4 * RATE_HZ)))
        end = sum(map(len, parts))
        pauses.append((end - len(parts[-1]), end))
    samples = np.concatenate(parts) + noise * rng.standard_normal(sum(map(len, parts)))
    cuts = [piece.start for piece in cut_at_pauses([samples.astype(np.float32)], 10.0)][1:]
    assert len(cuts) >= 7
    assert all(any(start < cut < end for start, end in pauses) for cut in cuts)


def test_the_middle_of_a_long_silence() -> None:
    samples = np.ones(10 * RATE_HZ, np.float32)
    samples[5 * RATE_HZ : 8 * RATE_HZ] = 0.0
    assert quietest(samples) == pytest.approx(6.5 * RATE_HZ, abs=PAUSE_S * RATE_HZ)


def test_memory_holds_little_more_than_a_piece() -> None:
    """Blocks are asked for only when they are needed."""
    n_read = n_given = 0

    def blocks():
        nonlocal n_read
        for _ in range(1000):
            n_read += 1600
            yield np.zeros(1600, np.float32)

    for piece in cut_at_pauses(blocks(), 1.0):
        n_given += len(piece.samples)
        assert n_read - n_given <= 1.25 * RATE_HZ + 1600
