"""Error counts as NIST sclite gives them, so that figures can be set beside papers that used it.

sclite minimises a weighted distance (substitution 4, insertion 3, deletion 3), which at times prefers an insertion and
a deletion to two substitutions: the total can exceed the minimum edit distance, and never falls below it.
"""

import numpy as np

from asr.scoring.errors import ErrorCounts

_SUBSTITUTION = 4
_GAP = 3  # an insertion or a deletion


def sclite_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Counts word errors by sclite's weights.

    Among equal paths, traced from the end, the diagonal goes before an insertion and that before a deletion.
    Words are separated by white space and compared exactly: fold case first, as sclite does by default.
    """
    ref, hyp = reference.split(), hypothesis.split()
    numbers = {word: i for i, word in enumerate(dict.fromkeys(ref + hyp))}
    ref_ids = np.array([numbers[word] for word in ref], dtype=np.int64)
    hyp_ids = np.array([numbers[word] for word in hyp], dtype=np.int64)
    costs = _cost_table(ref_ids, hyp_ids)
    i, j = len(ref), len(hyp)
    substitutions = deletions = insertions = hits = 0
    while i or j:
        diagonal = 0 if i and j and ref_ids[i - 1] == hyp_ids[j - 1] else _SUBSTITUTION
        if i and j and costs[i, j] == costs[i - 1, j - 1] + diagonal:
            hits += diagonal == 0
            substitutions += diagonal != 0
            i, j = i - 1, j - 1
        elif j and costs[i, j] == costs[i, j - 1] + _GAP:
            insertions += 1
            j -= 1
        else:
            deletions += 1
            i -= 1
    return ErrorCounts(substitutions, deletions, insertions, hits)


def _cost_table(ref_ids: np.ndarray, hyp_ids: np.ndarray) -> np.ndarray:
    """Least cost of turning the first i reference words into the first j hypothesis words, int32 (R+1, H+1)."""
    gaps = _GAP * np.arange(len(hyp_ids) + 1, dtype=np.int32)
    costs = np.empty((len(ref_ids) + 1, len(hyp_ids) + 1), dtype=np.int32)
    costs[0] = gaps
    for i, word in enumerate(ref_ids, start=1):
        costs[i] = costs[i - 1] + _GAP
        np.minimum(costs[i, 1:], costs[i - 1, :-1] + _SUBSTITUTION * (hyp_ids != word), out=costs[i, 1:])
        # A run of insertions along the row: min over k <= j of cost[k] + 3 (j - k), for all j at once.
        costs[i] = np.minimum.accumulate(costs[i] - gaps) + gaps
    return costs
