"""Counts of n-grams, as sorted columns of numbers instead of dictionaries of tuples."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_MERGE_FROM = 1 << 24  # rows not yet merged; bounds the memory


class OrderError(ValueError):
    """N-grams longer than can be counted."""


class NgramKeys:
    """How an n-gram of tokens becomes one number: the last token in its highest bits, the first in its lowest.

    So n-grams with the same end stand side by side when sorted; cutting off the lowest token gives the n-gram without
    its first token, and cutting off the highest gives it without its last.

    Args:
        n_tokens: Size V of the vocabulary; token 0 stands for nothing, before the start of a sentence.
        order: Length of the longest n-grams.

    Raises:
        OrderError: They do not fit 63 bits.
    """

    def __init__(self, n_tokens: int, order: int) -> None:
        self.bits = (n_tokens - 1).bit_length()
        self.order = order
        if self.bits * order > 63:
            raise OrderError(
                f"order {order}: expected at most {63 // self.bits}, since {n_tokens} tokens take {self.bits} bits "
                "each and n-grams are counted as numbers of 63 bits"
            )

    def of(self, columns: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
        """Keys from the n-grams' first tokens, second tokens, and so on."""
        keys = np.zeros(len(columns[0]), np.int64)
        for place, column in enumerate(columns):
            keys |= column.astype(np.int64) << place * self.bits
        return keys

    def rows(self, keys: NDArray[np.int64], n: int) -> NDArray[np.int32]:
        """The n tokens of each key: (R, n)."""
        return np.stack([(keys >> place * self.bits & self.token_mask) for place in range(n)], 1).astype(np.int32)

    @property
    def token_mask(self) -> int:
        """The bits of the first token."""
        return (1 << self.bits) - 1

    def without_first(self, keys: NDArray[np.int64], n_dropped: int = 1) -> NDArray[np.int64]:
        """The ends of n-grams."""
        return keys >> n_dropped * self.bits

    def without_last(self, keys: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        """The beginnings of n-grams of length n."""
        return keys & (1 << (n - 1) * self.bits) - 1


def count_ngrams(
    batches: Iterable[Sequence[Sequence[int]]], keys: NgramKeys, sos: int, eos: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts the longest n-grams of a text: one ends at every token and at every end of sentence.

    Those near the start of their sentence have token 0 in the places before `sos`.

    Args:
        batches: Some sentences at a time, as tokens without start and end.
        keys: How to write n-grams.
        sos: Start of sentence.
        eos: End of sentence.

    Returns:
        The keys of all n-grams, sorted, and how often each is there.
    """
    pending: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    n_rows = n_merged = 0
    for sentences in batches:
        pending.append(np.unique(_keys_of(sentences, keys, sos, eos), return_counts=True))
        n_rows += len(pending[-1][0])
        if n_rows > n_merged + _MERGE_FROM:
            pending = [_merge(pending)]
            n_rows = n_merged = len(pending[0][0])
    return _merge(pending)


def _keys_of(sentences: Sequence[Sequence[int]], keys: NgramKeys, sos: int, eos: int) -> NDArray[np.int64]:
    before = [0] * (keys.order - 2) + [sos] if keys.order > 1 else []
    stream = np.array([token for sentence in sentences for token in (*before, *sentence, eos)], np.int64)
    places = np.flatnonzero((stream != 0) & (stream != sos))  # all others are preceded by as many as a key needs
    return keys.of([stream[places - back] for back in range(keys.order - 1, -1, -1)])


def _merge(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    keys, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.add.reduceat(counts, starts)
