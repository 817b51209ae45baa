"""Forced alignment against every path there is, against a literal Viterbi, and against the laws of paths."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from asr.search.ctc_align import Alignment, ctc_align
from tests.search.fakes import BLANK, collate


def random_log_probs(n_states: int, n_tokens: int, seed: int) -> Tensor:
    logits = 3 * torch.randn(n_states, n_tokens, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return logits.log_softmax(-1)


def align(log_probs: Tensor, tokens: list[int]) -> Alignment | None:
    (found,) = ctc_align(log_probs[None], torch.tensor([len(log_probs)]), [tokens])
    return found


def path_of(found: Alignment, tokens: list[int]) -> list[int]:
    """The label of each state."""
    path = [BLANK] * len(found.log_probs)
    for token, start, end in zip(tokens, found.starts, found.ends, strict=True):
        path[start:end] = [token] * (end - start)
    return path


def best_of_all_paths(log_probs: Tensor, tokens: list[int]) -> float:
    """The score of the best of all V ** S paths that collapse to the tokens; -inf where none does."""
    rows, best = log_probs.tolist(), -math.inf
    for path in itertools.product({BLANK, *tokens}, repeat=len(rows)):
        if [label for label, _ in itertools.groupby(path) if label != BLANK] == tokens:
            best = max(best, math.fsum(row[label] for row, label in zip(rows, path, strict=True)))
    return best


def literal_viterbi(log_probs: Tensor, tokens: list[int]) -> float:
    """The same by the recursion over tokens with blanks around them (Graves et al. 2006, with max for the sum)."""
    extended = [BLANK, *(label for token in tokens for label in (token, BLANK))]
    rows = log_probs.tolist()
    scores = [rows[0][label] if place < 2 else -math.inf for place, label in enumerate(extended)]
    for row in rows[1:]:
        before, scores = scores, []
        for place, label in enumerate(extended):
            sources = before[max(place - 1, 0) : place + 1]
            if place >= 2 and label not in (BLANK, extended[place - 2]):
                sources = before[place - 2 : place + 1]
            scores.append(max(sources) + row[label])
    return max(scores[-2:])


@given(
    st.lists(st.integers(1, 3), max_size=3),
    st.integers(1, 6),
    st.integers(0, 10_000),
)
def test_no_path_is_better(tokens: list[int], n_states: int, seed: int) -> None:
    log_probs = random_log_probs(n_states, 4, seed)
    found, best = align(log_probs, tokens), best_of_all_paths(log_probs, tokens)
    assert literal_viterbi(log_probs, tokens) == pytest.approx(best, abs=1e-10)
    if found is None:
        assert best == -math.inf
    else:
        assert found.log_probs.sum() == pytest.approx(best, abs=1e-10)


@given(st.lists(st.integers(1, 7), max_size=25), st.integers(1, 60), st.integers(0, 10_000))
def test_laws_of_paths(tokens: list[int], n_states: int, seed: int) -> None:
    log_probs = random_log_probs(n_states, 8, seed)
    found = align(log_probs, tokens)
    if found is None:
        assert n_states < len(tokens) + sum(one == other for one, other in itertools.pairwise(tokens))
        return
    path = path_of(found, tokens)
    assert [label for label, _ in itertools.groupby(path) if label != BLANK] == tokens
    assert (found.starts < found.ends).all()
    assert (found.ends[:-1] <= found.starts[1:]).all()
    assert found.log_probs == pytest.approx(log_probs[range(n_states), path].numpy())
    assert found.log_probs.sum() == pytest.approx(literal_viterbi(log_probs, tokens), abs=1e-10)


def test_the_batch_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(3)
    utterances = [random_log_probs(n_states, 9, n_states).float() for n_states in (40, 7, 25, 1, 33)]
    transcripts = [torch.randint(1, 9, (n,), generator=generator).tolist() for n in (12, 7, 0, 1, 20)]
    transcripts[1] = [5, 5, 5, 5, 1, 2, 3]  # no room for the blanks between
    together = ctc_align(*collate(utterances, extra=3), transcripts)
    assert together[1] is None
    for found, log_probs, tokens in zip(together, utterances, transcripts, strict=True):
        alone = align(log_probs, tokens)
        assert (found is None) == (alone is None)
        if found and alone:
            for one, other in zip(vars(found).values(), vars(alone).values(), strict=True):
                np.testing.assert_array_equal(one, other)
