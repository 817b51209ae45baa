"""Long pauses are set apart: nothing is lost, nothing said is cut, and what has no long pause stays whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.pauses import AROUND_S, LONG_PAUSE_S, SEAM_S, SILENT, set_pauses_apart
from asr.audio.pieces import Piece
from asr.audio.read import RATE_HZ


@given(
    seed=st.integers(0, 2**32 - 1),
    parts_s=st.lists(st.floats(0.001, 6.0), min_size=1, max_size=8),
    noise=st.sampled_from([0.0, 0.001, 0.1]),
    start=st.integers(0, 10**9),
    is_last=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_exact_cover(seed: int, parts_s: list[float], noise: float, start: int, is_last: bool) -> None:
    rng = np.random.default_rng(seed)
    loud = [np.full(max(1, round(part_s * RATE_HZ)), number % 2) for number, part_s in enumerate(parts_s)]
    on = np.concatenate(loud)
    samples = ((0.3 * on + noise) * rng.standard_normal(len(on))).astype(np.float32)
    parts = list(set_pauses_apart(Piece(start, samples, is_last)))
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts]), samples)
    assert [part.start for part in parts] == [start, *(start + np.cumsum([len(part.samples) for part in parts])[:-1])]
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [is_last]
    assert all(len(part.samples) for part in parts)
    if noise == 0.001:  # where it is as loud, pauses are hard to tell; where there is none, they end to the sample
        for cut in [part.start - start for part in parts[1:]]:
            assert not on[
                max(0, cut - round((AROUND_S - 0.1) * RATE_HZ)) : cut + round((AROUND_S - 0.1) * RATE_HZ)
            ].any()


@pytest.mark.parametrize("noise", [0.001, 0.02])
def test_a_word_in_half_a_minute(noise: float) -> None:
    rng = np.random.default_rng(0)
    samples = noise * rng.standard_normal(30 * RATE_HZ)
    samples[12 * RATE_HZ : 13 * RATE_HZ] += 0.2 * rng.standard_normal(RATE_HZ)
    before, word, behind = set_pauses_apart(Piece(0, samples.astype(np.float32), True))
    assert word.start == pytest.approx((12 - AROUND_S) * RATE_HZ, abs=1600)
    assert behind.start == pytest.approx((13 + AROUND_S) * RATE_HZ, abs=1600)
    assert (before.is_last, word.is_last, behind.is_last) == (False, False, True)


@pytest.mark.parametrize("pause_s", [0.3, 1.0, LONG_PAUSE_S - 0.2])
def test_shorter_pauses_are_heard(pause_s: float) -> None:
    rng = np.random.default_rng(0)
    word, pause = 0.2 * rng.standard_normal(RATE_HZ), 0.001 * rng.standard_normal(round(pause_s * RATE_HZ))
    piece = Piece(7, np.concatenate([pause, word, pause, word, pause]).astype(np.float32), False)
    assert [part.start for part in set_pauses_apart(piece)] == [7]


def test_steady_sound_is_one_pause() -> None:
    noise = np.random.default_rng(0).standard_normal(10 * RATE_HZ).astype(np.float32)
    (part,) = set_pauses_apart(Piece(0, noise, True))
    assert len(part.samples) == len(noise)


@given(
    seed=st.integers(0, 2**32 - 1),
    gaps_s=st.lists(st.floats(SEAM_S + 0.001, 5.0), min_size=1, max_size=5),
    dither=st.floats(0.0, SILENT * 0.999),
    around=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_joined_recordings_are_cut_where_they_were_joined(
    seed: int, gaps_s: list[float], dither: float, around: bool
) -> None:
    rng = np.random.default_rng(seed)
    words = [(0.1 + rng.random(rng.integers(800, 40_000))).astype(np.float32) for _ in range(len(gaps_s) + 1)]
    gaps = [rng.uniform(-dither, dither, round(gap_s * RATE_HZ)).astype(np.float32) for gap_s in gaps_s]
    parts = [part for pair in zip(words, [*gaps, gaps[0]], strict=True) for part in pair]
    expected = [gaps[-1], *parts] if around else parts[:-1]
    got = list(set_pauses_apart(Piece(5, np.concatenate(expected), True)))
    assert [len(piece.samples) for piece in got] == [len(part) for part in expected]
    for piece, part in zip(got, expected, strict=True):
        np.testing.assert_array_equal(piece.samples, part)


def test_a_short_gap_of_silence_is_heard() -> None:
    word, gap = np.full(RATE_HZ, 0.2), np.zeros(round((SEAM_S - 0.01) * RATE_HZ))
    assert len(list(set_pauses_apart(Piece(0, np.concatenate([word, gap, word]).astype(np.float32), True)))) == 1
