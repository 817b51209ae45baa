"""Word alignments and error counts as NIST sclite gives them, so that figures can be set beside papers that used it.

sclite minimises a weighted distance (substitution 4, insertion 3, deletion 3), which at times prefers an insertion and
a deletion to two substitutions: the total can exceed the minimum edit distance, and never falls below it.
"""

import numpy as np

from asr.scoring.errors import AlignedPair, ErrorCounts, Operation

_SUBSTITUTION = 4
_GAP = 3  # an insertion or a deletion
_DIAGONAL, _INSERT, _DELETE = 0, 1, 2


def sclite_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Counts word errors by sclite's weights; see `sclite_alignment`."""
    operations = [pair.operation for pair in sclite_alignment(reference, hypothesis)]
    return ErrorCounts(*(operations.count(name) for name in ("substitute", "delete", "insert", "equal")))


def sclite_alignment(reference: str, hypothesis: str) -> list[AlignedPair]:
    """Lays the words of both texts against each other, as sclite does.

    Among equal paths, traced from the end, the diagonal goes before an insertion and that before a deletion.
    Words are separated by white space and compared exactly: fold case first, as sclite does by default.
    """
    ref, hyp = reference.split(), hypothesis.split()
    numbers = {word: i for i, word in enumerate(dict.fromkeys(ref + hyp))}
    ref_ids = np.array([numbers[word] for word in ref], dtype=np.int64)
    hyp_ids = np.array([numbers[word] for word in hyp], dtype=np.int64)
    moves = _moves(ref_ids, hyp_ids)
    i, j = len(ref), len(hyp)
    pairs: list[AlignedPair] = []
    while i or j:
        move = moves[i, j] if i and j else _INSERT if j else _DELETE
        if move == _DIAGONAL:
            i, j = i - 1, j - 1
            operation: Operation = "equal" if ref[i] == hyp[j] else "substitute"
            pairs.append(AlignedPair(operation, ref[i], hyp[j]))
        elif move == _INSERT:
            j -= 1
            pairs.append(AlignedPair("insert", None, hyp[j]))
        else:
            i -= 1
            pairs.append(AlignedPair("delete", ref[i], None))
    return pairs[::-1]


def _moves(ref_ids: np.ndarray, hyp_ids: np.ndarray) -> np.ndarray:
    """The last move of a cheapest way to the first i reference and the first j hypothesis words, uint8 (R+1, H+1).

    A byte per cell, so that ten thousand words against as many take 100 MB.
    """
    gaps = _GAP * np.arange(len(hyp_ids) + 1, dtype=np.int32)
    moves = np.zeros((len(ref_ids) + 1, len(hyp_ids) + 1), dtype=np.uint8)
    above = gaps.copy()
    for i, word in enumerate(ref_ids, start=1):
        diagonal = above[:-1] + _SUBSTITUTION * (hyp_ids != word).astype(np.int32)
        costs = above + _GAP
        np.minimum(costs[1:], diagonal, out=costs[1:])
        # A run of insertions along the row: min over k <= j of cost[k] + 3 (j - k), for all j at once.
        costs = np.minimum.accumulate(costs - gaps) + gaps
        inserted = np.where(costs[1:] == costs[:-1] + _GAP, _INSERT, _DELETE)
        moves[i, 1:] = np.where(costs[1:] == diagonal, _DIAGONAL, inserted)
        above = costs
    return moves
