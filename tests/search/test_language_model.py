"""Neural language models in the beam, and the speller's own taken off."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models.language_models.language_model import LanguageModel
from asr.models.language_models.lstm import LstmLanguageModel
from asr.models.language_models.transformer import TransformerLanguageModel
from asr.recognizer.language_models import internal_lm
from asr.search.beam import SearchSettings, beam_search
from asr.search.language_model import LEAST_INTERNAL, InternalLanguageModel, LanguageModelScorer
from asr.search.scorers import OtherScorer
from tests.models.spellers.test_contract import D_STATES, SPELLERS
from tests.search.fakes import EOS, SOS, UNK, FakeModel, collate, transcripts

SEEDS, TOKENS = st.integers(0, 9999), (UNK, 4, 5)
KINDS: dict[str, Callable[[int], LanguageModel]] = {
    "lstm": lambda n_tokens: LstmLanguageModel(n_tokens, 4, 6, 2, 0.1),
    "transformer": lambda n_tokens: TransformerLanguageModel(n_tokens, 8, 1, 2, 8, 0.1),
}


def make(kind: str, n_tokens: int, seed: int) -> LanguageModel:
    torch.manual_seed(seed)
    model = KINDS[kind](n_tokens).double().eval()
    for weights in model.parameters():
        weights.data *= 3  # opinions worth having
    return model


def fusion(model: LanguageModel, weight: float) -> OtherScorer:
    return OtherScorer("lm", weight, lambda states, lens: LanguageModelScorer(model, lens))


@torch.inference_mode()
def forced(model: LanguageModel, tokens: tuple[int, ...]) -> float:
    """The log-probability of a sentence in one pass."""
    log_probs = model(torch.tensor([[SOS, *tokens]]))[0].log_softmax(-1)
    return sum(row[token].item() for row, token in zip(log_probs, (*tokens, EOS), strict=True))


def spelled(model: FakeModel, states: torch.Tensor, tokens: tuple[int, ...], least: float = -math.inf) -> float:
    memory = model.speller.memory(*collate([states]))
    state, total = model.speller.start(memory, 1), 0.0
    for before, token in zip((SOS, *tokens), (*tokens, EOS), strict=True):
        log_probs, _, state = model.speller.step(torch.tensor([[before]]), state, memory)
        total += max(log_probs[0, 0, token].item(), least)
    return total


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 4), st.sampled_from(list(KINDS)), st.floats(0.1, 2), st.sampled_from([0, 0.4, 1]))
def test_a_wide_beam_equals_exhaustive_search(seed: int, n_states: int, kind: str, weight: float, off: float) -> None:
    """By log p(y | X) + weight · log p_LM(y) - off · log p_ILM(y)."""
    model, lm = FakeModel(n_tokens=6, seed=seed), make(kind, 6, seed)
    states = model.utterance(n_states)
    truth = []
    for tokens in transcripts(TOKENS, n_states):
        own = spelled(model, torch.zeros(1, 6, dtype=torch.float64), tokens, LEAST_INTERNAL)
        parts = {"attention": spelled(model, states, tokens), "lm": forced(lm, tokens), "internal_lm": own}
        truth.append((parts["attention"] + weight * parts["lm"] - off * own, tokens, parts))
    truth = sorted(truth, key=lambda each: each[:2], reverse=True)[:4]
    search = SearchSettings(200, 0.0, 0.0, math.inf, max_length_ratio=1.0, n_best=4)
    others = [fusion(lm, weight), internal_lm(model, off)]
    found = beam_search(model, *collate([states, model.utterance(2)], extra=1), search, others)[0]
    assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens, _ in truth]
    for hypothesis, (score, _, parts) in zip(found, truth, strict=True):
        assert hypothesis.score == pytest.approx(score, abs=1e-9)
        for name in ("lm", *(["internal_lm"] if off else [])):
            assert hypothesis.scores[name] == pytest.approx(parts[name], abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_narrow_beam_follows_its_hypotheses_and_no_utterance_sees_another(kind: str) -> None:
    model, lm = FakeModel(n_tokens=12, seed=3), make(kind, 12, 3)
    utterances = [model.utterance(n) for n in (14, 3, 9)]
    search, others = SearchSettings(4, 0.3, 0.1, n_best=4), [fusion(lm, 0.7), internal_lm(model, 0.2)]
    together = beam_search(model, *collate(utterances, extra=2), search, others)
    for states, n_best in zip(utterances, together, strict=True):
        (alone,) = beam_search(model, *collate([states]), search, others)
        assert [each.tokens for each in n_best] == [each.tokens for each in alone]
        for each in n_best:
            assert each.scores["lm"] == pytest.approx(forced(lm, each.tokens), abs=1e-9)


@pytest.mark.parametrize("kind", SPELLERS)
def test_zero_states_say_the_same_however_many_they_are(kind: str) -> None:
    torch.manual_seed(0)
    speller: Any = SPELLERS[kind]().double().eval()
    states = torch.randn(2, 7, D_STATES, dtype=torch.float64)
    internal = InternalLanguageModel(speller, states)
    memory = speller.memory(torch.zeros_like(states), torch.tensor([7, 4]))
    heard = speller.memory(states, torch.tensor([7, 4]))
    tokens = torch.randint(4, 11, (4, 2, 3))
    tokens[0] = SOS
    state, many, real = internal.start(2, 3), speller.start(memory, 3), speller.start(heard, 3)
    for last in tokens:
        found, state = internal.step(last, state)
        expected, _, many = speller.step(last, many, memory)
        with_audio, _, real = speller.step(last, real, heard)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert (found - with_audio).abs().max() > 1e-4
