import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.search.ctc_prefix import FLOOR, CtcPrefixScorer
from tests.search.fakes import BLANK, EOS, SOS, UNK, ctc_distribution, log, prefix_score

A, B = 4, 5
TOKENS = (UNK, A, B)


def random_log_probs(n_states: int, n_tokens: int, seed: int, sharpness: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n_states, n_tokens, generator=generator, dtype=torch.float64)
    return (logits * sharpness).log_softmax(-1)


def follow(log_probs: Tensor, prefix: tuple[int, ...], lens: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Prefix scores: of the prefix itself (B,) and of all its continuations by any token (B, V)."""
    lens = torch.full((len(log_probs),), log_probs.shape[1]) if lens is None else lens
    scorer = CtcPrefixScorer(log_probs, lens)
    scorer.start(1)
    sums = torch.zeros(len(log_probs), dtype=torch.float64)
    everything = torch.arange(log_probs.shape[-1]).expand(len(log_probs), 1, -1)
    for token in prefix:
        sums = sums + scorer.score(everything)[:, 0, token]
        scorer.select(torch.zeros(len(log_probs), 1, dtype=torch.int64), torch.full((len(log_probs), 1), token))
    return sums, sums[:, None] + scorer.score(everything)[:, 0]


def frame_loop(log_probs: Tensor, prefix: tuple[int, ...]) -> tuple[float, float]:
    """Algorithm 2 of Watanabe et al. (2017), state by state: scores of the prefix and of the whole transcript.

    In numbers of 64 bits of mantissa where the machine has them, so that float64 can be told right from wrong.
    """
    rows = log_probs.double().numpy().astype(np.longdouble)
    zero, nothing = np.longdouble(0), np.longdouble(-np.inf)
    r_n, r_b, psi, last = [nothing] * (len(rows) + 1), [zero], zero, None
    for row in rows:
        r_b.append(r_b[-1] + row[BLANK])
    for token in prefix:
        new_n, new_b, psi = [nothing], [nothing], nothing
        for t, row in enumerate(rows):
            phi = r_b[t] if token == last else np.logaddexp(r_n[t], r_b[t])
            psi = np.logaddexp(psi, phi + row[token])
            new_b.append(np.logaddexp(new_b[t], new_n[t]) + row[BLANK])
            new_n.append(np.logaddexp(new_n[t], phi) + row[token])
        r_n, r_b, last = new_n, new_b, token
    return psi, np.logaddexp(r_n[-1], r_b[-1])


@pytest.mark.parametrize("prefix", [(), (A,), (A, A), (A, B), (A, A, B), (B, A, A), (UNK, UNK, UNK), (A, B, A, B, A)])
@pytest.mark.parametrize("n_states", [1, 2, 5])
def test_equals_the_sum_over_all_alignments(prefix: tuple[int, ...], n_states: int) -> None:
    log_probs = random_log_probs(n_states, 6, seed=n_states)
    truth = ctc_distribution(log_probs)
    score, continuations = follow(log_probs[None], prefix)
    assert score.item() == pytest.approx(prefix_score(truth, prefix), abs=1e-10)
    for token in TOKENS:
        assert continuations[0, token].item() == pytest.approx(prefix_score(truth, (*prefix, token)), abs=1e-10)
    assert continuations[0, EOS].item() == pytest.approx(log(truth.get(prefix, 0.0)), abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 80),
    st.lists(st.sampled_from(TOKENS), max_size=12),
    st.integers(0, 999),
    st.floats(0.1, 30),
    st.sampled_from([torch.float64, torch.float32]),
)
def test_equals_the_loop_over_states(
    n_states: int, prefix: list[int], seed: int, sharpness: float, dtype: torch.dtype
) -> None:
    """To the last digits of float64: 1e-14 of the largest sum on the way; given float32, to 1e-5. Tokens repeat."""
    log_probs = random_log_probs(n_states, 7, seed, sharpness).to(dtype)
    score, continuations = follow(log_probs[None], tuple(prefix))
    largest = -float(log_probs.double().sum(0).amin())
    near = {"rel": 1e-14, "abs": 1e-14 * largest} if dtype == torch.float64 else {"rel": 0, "abs": 1e-5}
    prefix_truth, whole_truth = frame_loop(log_probs, tuple(prefix))
    assert score.item() == pytest.approx(float(prefix_truth), **near)
    assert continuations[0, EOS].item() == pytest.approx(float(whole_truth), **near)


def test_stays_exact_over_thousands_of_states_in_float32() -> None:
    """Running sums of log p pass -1e5 here, where float32 resolves no better than 0.008."""
    log_probs = random_log_probs(4000, 8, seed=3, sharpness=15.0).float()
    assert log_probs[:, A].sum() < -5e4
    prefix = (A, B, B, A, 6, 7, 7) * 4
    score, continuations = follow(log_probs[None], prefix)
    prefix_truth, whole_truth = frame_loop(log_probs, prefix)
    assert score.item() == pytest.approx(prefix_truth, abs=1e-5)
    assert continuations[0, EOS].item() == pytest.approx(whole_truth, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=4), st.lists(st.sampled_from(TOKENS), max_size=5))
def test_padding_changes_nothing(lens: list[int], prefix: list[int]) -> None:
    alone = [random_log_probs(n_states, 6, seed=n_states) for n_states in lens]
    batch = torch.full((len(lens), max(lens) + 3, 6), torch.nan, dtype=torch.float64)
    for row, log_probs in zip(batch, alone, strict=True):
        row[: len(log_probs)] = log_probs
    score, continuations = follow(batch, tuple(prefix), torch.tensor(lens))
    for b, log_probs in enumerate(alone):
        single_score, single_continuations = follow(log_probs[None], tuple(prefix))
        torch.testing.assert_close(score[b], single_score[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(continuations[b], single_continuations[0], rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.lists(st.sampled_from(TOKENS), max_size=6), st.integers(0, 999))
def test_continuations_and_end_share_the_prefix(n_states: int, prefix: list[int], seed: int) -> None:
    log_probs = random_log_probs(n_states, 6, seed)
    log_probs[:, [SOS, EOS]] = -torch.inf  # so that tokens and the end are all there is
    log_probs = log_probs.log_softmax(-1)
    score, continuations = follow(log_probs[None], tuple(prefix))
    total = continuations[0, [*TOKENS, EOS]].logsumexp(-1)
    torch.testing.assert_close(total, score[0], rtol=1e-12, atol=1e-12)


def test_selection_reorders_and_repeats_hypotheses() -> None:
    log_probs = random_log_probs(12, 6, seed=1)
    scorer = CtcPrefixScorer(log_probs[None], torch.tensor([12]))
    scorer.start(3)
    scorer.select(torch.tensor([[0, 0, 0]]), torch.tensor([[UNK, A, B]]))
    scorer.select(torch.tensor([[2, 2, 0]]), torch.tensor([[B, A, A]]))
    gains = scorer.score(torch.tensor([[[EOS, A]] * 3]))
    for w, prefix in enumerate([(B, B), (B, A), (UNK, A)]):
        score, continuations = follow(log_probs[None], prefix)
        torch.testing.assert_close(gains[0, w], continuations[0, [EOS, A]] - score[0], rtol=0, atol=1e-12)


def test_impossible_tokens_and_prefixes_are_not_nan() -> None:
    log_probs = random_log_probs(4, 6, seed=1)
    log_probs[:, A] = -torch.inf
    score, continuations = follow(log_probs[None], (A,))
    assert FLOOR - 20 < score.item() < FLOOR / 2
    assert not continuations.isnan().any()
    score, continuations = follow(log_probs[None], (B, B, B, B, UNK, B))  # five states too few
    assert score.item() == -math.inf
    assert (continuations == -math.inf).all()
