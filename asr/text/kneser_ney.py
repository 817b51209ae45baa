"""Modified Kneser-Ney smoothing: an n-gram model from counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.text.arpa import LN_10, NgramTable
from asr.text.ngram_counts import NgramKeys

FALLBACK = (0.5, 1.0, 1.5)  # discounts where there is too little text to estimate them
NEVER = -99 * LN_10  # what ARPA files give the start of sentence

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """N-grams of one length, sorted by key; of unigrams all tokens but 0.

    Attributes:
        keys: (R,) int64.
        counts: (R,) int64, c in `modified_kneser_ney`.
        kept: (R,) bool, whether the model will list it.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int64]
    kept: NDArray[np.bool_]


def modified_kneser_ney(
    counted: NDArray[np.int64],
    counts: NDArray[np.int64],
    keys: NgramKeys,
    n_tokens: int,
    sos: int,
    prune_from: int | None = None,
) -> list[NgramTable]:
    """Estimates an interpolated back-off model: modified Kneser-Ney smoothing, Chen & Goodman 1998.

    With h' for h without its first token, and c(h w) for the count of an n-gram of the longest or at the start of a
    sentence, else for the number of different tokens that stand before it,

        p(w | h) = (c(h w) - D(c(h w))) / c(h •) + gamma(h) p(w | h')
        gamma(h) = (D_1 N_1(h •) + D_2 N_2(h •) + D_3+ N_3+(h •)) / c(h •)
        D_i = i - (i + 1) Y n_{i+1} / n_i  for i = 1, 2, 3+  and  Y = n_1 / (n_1 + 2 n_2)

    where n_i is how many n-grams of that length have the count i, and N_i(h •) how many of those begin with h. Unigrams
    are interpolated with 1/V over all tokens but 0 and `sos`, which nothing predicts. Where a length has no n-grams of
    a count up to four, or a discount is not between 0 and its count, its discounts are `FALLBACK`.

    N-grams that are left out give all of their count to gamma(h), so that probabilities still sum to one.

    Args:
        counted: Keys of the longest n-grams, from `count_ngrams`.
        counts: How often each is there.
        keys: How they are written.
        n_tokens: Size V of the vocabulary.
        sos: Start of sentence.
        prune_from: N-grams of this length (at least 2) and longer that occur once are left out; None keeps all.

    Returns:
        The n-grams by length; numbers in their rows are tokens. All tokens but 0 are unigrams.
    """
    levels = _levels(counted, counts, keys, n_tokens, sos, prune_from)
    own, rest = _discounted(levels[0], np.zeros(len(levels[0].keys), np.int64), 1)
    probs = [np.where(levels[0].keys == sos, 0.0, own + rest[0] / (n_tokens - 2))]
    gammas = []
    for n, (shorter, level) in enumerate(zip(levels, levels[1:], strict=False), 2):
        history = np.searchsorted(shorter.keys, keys.without_last(level.keys, n))
        end = np.searchsorted(shorter.keys, keys.without_first(level.keys))
        own, rest = _discounted(level, history, len(shorter.keys))
        probs.append(own + rest[history] * probs[-1][end])
        gammas.append(rest)
    gammas.append(np.ones(len(levels[-1].keys)))
    return [
        NgramTable(keys.rows(level.keys[level.kept], n), _logs(p[level.kept]), _logs(gamma[level.kept]))
        for n, (level, p, gamma) in enumerate(zip(levels, probs, gammas, strict=True), 1)
    ]


def _levels(
    counted: NDArray[np.int64],
    counts: NDArray[np.int64],
    keys: NgramKeys,
    n_tokens: int,
    sos: int,
    prune_from: int | None,
) -> list[_Level]:
    """N-grams of every length, from the longest ones: sorted, those with the same end are neighbours."""
    levels: list[_Level] = []
    for n in range(keys.order, 0, -1):
        ends = keys.without_first(counted, keys.order - n)
        firsts = np.flatnonzero(np.diff(ends, prepend=-1))
        found, often = ends[firsts], np.add.reduceat(counts, firsts) if len(firsts) else counts
        whole = (found & keys.token_mask) != 0  # those with 0 in them begin before their sentence
        found, often = found[whole], often[whole]
        if n == 1:
            found, often = np.arange(1, n_tokens), np.bincount(found, often, minlength=n_tokens)[1:].astype(np.int64)
        smoothed = often
        if n < keys.order:
            places = np.searchsorted(found, keys.without_first(levels[-1].keys))
            before = np.bincount(places, minlength=len(found))
            smoothed = np.where((found & keys.token_mask) == sos, often, before)
        kept = often > 1 if prune_from is not None and n >= prune_from else np.ones(len(found), np.bool_)
        levels.append(_Level(found, smoothed, kept))
    return levels[::-1]


def _discounted(level: _Level, history: NDArray[np.int64], n_histories: int) -> tuple[Numbers, Numbers]:
    """What is left of each n-gram's share of its history, (c - D) / c(h •), and each history's gamma."""
    discounts = _discounts(level.counts)[level.counts.clip(max=3)]
    totals = np.bincount(history, level.counts, n_histories)
    given = np.bincount(history, np.where(level.kept, discounts, level.counts), n_histories)
    gammas = np.divide(given, totals, out=np.ones(n_histories), where=totals > 0)
    return (level.counts - discounts) / totals[history], gammas


def _discounts(counts: NDArray[np.int64]) -> Numbers:
    """Discounts of counts 0 (none), 1, 2, and 3 or more."""
    n = np.bincount(counts.clip(max=5), minlength=6).astype(np.float64)
    if n[1:5].all():
        share = n[1] / (n[1] + 2 * n[2])
        found = [i - (i + 1) * share * n[i + 1] / n[i] for i in (1, 2, 3)]
        if all(0 <= discount <= i for i, discount in enumerate(found, 1)):
            return np.array([0.0, *found])
    return np.array([0.0, *FALLBACK])


def _logs(values: Numbers) -> Numbers:
    with np.errstate(divide="ignore"):
        return np.log(values).clip(min=NEVER)
