"""Is one recogniser better than another, or luckier? Two tests on the same utterances.

Both look at differences alone: an utterance that is hard for both, or easy, says nothing about which is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.scoring.errors import AlignedPair, ErrorCounts

_BLOCK_CELLS = 4_000_000  # as in asr.scoring.corpus
MIN_GOOD_WORDS = 2  # that both have right, one after the other, part two segments, as in NIST's sc_stats


@dataclass(frozen=True, slots=True)
class PairedBootstrap:
    """What becomes of the difference when utterances are drawn again.

    Attributes:
        difference: Error rate of B less that of A, as a fraction: below zero B is better.
        interval: Its 95 % interval.
        p_value: Two-sided: how often corpora drawn again contradict the sign of the difference, twice, at most 1.
        b_better: Share of the drawn corpora in which B has fewer errors (Bisani and Ney's probability of improvement);
            equal ones count half.
        n_resamples: How many were drawn.
    """

    difference: float
    interval: tuple[float, float]
    p_value: float
    b_better: float
    n_resamples: int


def paired_bootstrap(
    a: Sequence[ErrorCounts], b: Sequence[ErrorCounts], *, n_resamples: int = 10_000, seed: int = 0
) -> PairedBootstrap:
    """Draws utterances with replacement, the same ones for both, and looks at the difference of the error rates.

    Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004,
    section 4. Where no reference word was drawn, errors more or less make the difference infinite.

    Args:
        a: Errors per utterance of one recogniser.
        b: Of the other, the same utterances in the same order.
        n_resamples: How many corpora are drawn.
        seed: Seed of the draw.
    """
    extra = np.array([y.n_errors - x.n_errors for x, y in zip(a, b, strict=True)], dtype=np.int64)
    n_words = np.array([each.n_reference for each in a], dtype=np.int64)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // len(extra))
    drawn = []
    for start in range(0, n_resamples, block):
        chosen = rng.integers(len(extra), size=(min(block, n_resamples - start), len(extra)))
        drawn.append(_rate(extra[chosen].sum(axis=1), n_words[chosen].sum(axis=1)))
    differences = np.concatenate(drawn)
    low, high = np.quantile(differences, [0.025, 0.975], method="nearest")
    n_below, n_above = int((differences < 0).sum()), int((differences > 0).sum())
    n_equal = n_resamples - n_below - n_above
    # One more of each, as if the corpus itself had been drawn: no finite number of draws proves p = 0.
    p_value = min(1.0, 2 * (min(n_below, n_above) + n_equal + 1) / (n_resamples + 1))
    difference = float(_rate(extra.sum(keepdims=True), n_words.sum(keepdims=True))[0])
    b_better = (n_below + n_equal / 2) / n_resamples
    return PairedBootstrap(difference, (float(low), float(high)), p_value, b_better, n_resamples)


def _rate(n_errors: np.ndarray, n_words: np.ndarray) -> np.ndarray:
    without_words = np.select([n_errors > 0, n_errors < 0], [np.inf, -np.inf], 0.0)
    return np.where(n_words > 0, n_errors / np.maximum(n_words, 1), without_words)


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """The matched-pairs sentence-segment word error test.

    Attributes:
        n_segments: Segments in which either made an error.
        mean: Mean of A's errors less B's in them: above zero B is better.
        deviation: Standard deviation of that difference.
        statistic: The mean over its standard error: standard normal if neither is better. None where nothing varies.
        p_value: Two-sided. 1 where the two never differ, 0 where they differ by the same everywhere.
    """

    n_segments: int
    mean: float
    deviation: float
    statistic: float | None
    p_value: float


def matched_pairs(differences: Sequence[int]) -> MatchedPairs:
    """Tests whether differences of errors in independent segments have a mean of zero.

    Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms", ICASSP 1989, section
    3: the mean over its standard error is about normal where there are enough segments, some fifty.

    Args:
        differences: A's errors less B's, of each segment; see `segment_differences`.
    """
    n = len(differences)
    values = np.array(differences, dtype=np.float64)
    mean = float(values.mean()) if n else 0.0
    deviation = float(values.std(ddof=1)) if n > 1 else 0.0
    if deviation == 0.0:
        return MatchedPairs(n, mean, deviation, None, 1.0 if mean == 0 or n < 2 else 0.0)
    statistic = mean / (deviation / math.sqrt(n))
    return MatchedPairs(n, mean, deviation, statistic, math.erfc(abs(statistic) / math.sqrt(2)))


def segment_differences(a: Sequence[AlignedPair], b: Sequence[AlignedPair]) -> list[int]:
    """Cuts one utterance where both are right for `MIN_GOOD_WORDS`, and gives A's errors less B's of each segment.

    Errors on both sides of such a stretch are taken for independent; segments without any error are left out.

    Args:
        a: The reference laid against A's hypothesis.
        b: The same reference against B's.
    """
    slots_a, slots_b = _slots(a), _slots(b)
    assert len(slots_a) == len(slots_b), "two references"
    found: list[int] = []
    errors = [0, 0]
    n_good = 0
    for place, (x, y) in enumerate(zip(slots_a, slots_b, strict=True)):
        if x or y:
            if n_good >= MIN_GOOD_WORDS and any(errors):
                found.append(errors[0] - errors[1])
                errors = [0, 0]
            errors[0] += x
            errors[1] += y
            n_good = 0
        elif place % 2:
            n_good += 1
    if any(errors):
        found.append(errors[0] - errors[1])
    return found


def _slots(pairs: Sequence[AlignedPair]) -> list[int]:
    """Errors at each of 2 R + 1 places: before the first word, at it, between it and the second, …, after the last."""
    slots = [0]
    for pair in pairs:
        if pair.operation == "insert":
            slots[-1] += 1
        else:
            slots += [int(pair.operation != "equal"), 0]
    return slots
