"""CTC's n-best list against sums over all paths, and against a search by dictionaries, prefix by prefix."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.search.ctc_beam import Prefixes, ctc_n_best
from tests.search.fakes import BLANK, EOS, SOS, collate, ctc_distribution, log

SEEDS = st.integers(0, 99_999)


def random_log_probs(n_states: int, n_tokens: int, seed: int, sharpness: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n_states, n_tokens, generator=generator, dtype=torch.float64) * sharpness
    logits[:, [SOS, EOS]] = -torch.inf  # which no transcript holds
    return logits.log_softmax(-1)


def listed(found: Prefixes, b: int) -> list[tuple[tuple[int, ...], float]]:
    """Transcripts of an utterance with their scores, the best first."""
    rows = zip(found.tokens[b].tolist(), found.lens[b].tolist(), found.total[b].tolist(), strict=True)
    return [(tuple(tokens[:n]), score) for tokens, n, score in rows if score > -math.inf]


def by_dictionaries(log_probs: Tensor, width: int, bound: int) -> list[tuple[tuple[int, ...], float]]:
    """The textbook's search: probabilities of paths that end in blank, and in a token, of each prefix."""
    beam = {(): (1.0, 0.0)}
    for row in log_probs.exp().tolist():
        best = sorted((t for t in range(len(row)) if t not in (BLANK, SOS, EOS)), key=lambda t: -row[t])[:width]
        after: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, token) in beam.items():
            stays = after.setdefault(prefix, [0.0, 0.0])
            stays[0] += (blank + token) * row[BLANK]
            stays[1] += token * row[prefix[-1]] if prefix else 0.0
            for t in range(len(row)):
                longer = (*prefix, t)
                if len(longer) <= bound and t not in (BLANK, SOS, EOS) and (t in best or longer in beam):
                    paths = blank if prefix[-1:] == (t,) else blank + token
                    after.setdefault(longer, [0.0, 0.0])[1] += paths * row[t]
        ranked = sorted(after.items(), key=lambda item: -sum(item[1]))[:width]
        beam = {prefix: (blank, token) for prefix, (blank, token) in ranked}
    found = [(prefix, log(sum(paths))) for prefix, paths in beam.items()]
    return sorted((row for row in found if row[1] > -math.inf), key=lambda row: -row[1])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_a_wide_beam_finds_every_transcript_with_its_probability(seed: int, n_states: int) -> None:
    log_probs = random_log_probs(n_states, 7, seed)
    found = listed(ctc_n_best(log_probs[None], torch.tensor([n_states]), 1000, torch.tensor([n_states])), 0)
    truth = {tokens: p for tokens, p in ctc_distribution(log_probs).items() if p > 0}
    assert [tokens for tokens, _ in found] == sorted(truth, key=lambda tokens: -truth[tokens])
    assert [score for _, score in found] == pytest.approx([log(truth[tokens]) for tokens, _ in found], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 30), st.integers(1, 6), st.floats(0.3, 6), st.integers(1, 12))
def test_a_narrow_beam_equals_the_textbook(seed: int, n: int, width: int, sharpness: float, bound: int) -> None:
    log_probs = random_log_probs(n, 9, seed, sharpness)
    found = listed(ctc_n_best(log_probs[None], torch.tensor([n]), width, torch.tensor([bound])), 0)
    expected = by_dictionaries(log_probs, width, bound)
    assert [tokens for tokens, _ in found] == [tokens for tokens, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.lists(st.integers(1, 25), min_size=2, max_size=5), st.integers(0, 4))
def test_the_batch_changes_nothing(seed: int, lens: list[int], extra: int) -> None:
    utterances = [random_log_probs(n, 8, seed + number) for number, n in enumerate(lens)]
    batch, state_lens = collate(utterances, extra)
    together = ctc_n_best(batch, state_lens, 5, state_lens)
    for b, log_probs in enumerate(utterances):
        alone = ctc_n_best(log_probs[None], state_lens[b : b + 1], 5, state_lens[b : b + 1])
        assert [tokens for tokens, _ in listed(together, b)] == [tokens for tokens, _ in listed(alone, 0)]
        torch.testing.assert_close(together.total[b], alone.total[0], rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 40), st.integers(1, 8))
def test_scores_are_those_of_ctc_or_less_and_no_transcript_comes_twice(seed: int, n: int, width: int) -> None:
    log_probs = random_log_probs(n, 8, seed)
    found = listed(ctc_n_best(log_probs[None], torch.tensor([n]), width, torch.tensor([n])), 0)
    assert len({tokens for tokens, _ in found}) == len(found) > 0
    for tokens, score in found:
        lens = torch.tensor(n), torch.tensor(len(tokens))
        whole = -torch.nn.functional.ctc_loss(log_probs, torch.tensor(tokens), *lens, reduction="sum").item()
        assert score <= whole + 1e-9
