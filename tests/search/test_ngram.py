"""An n-gram model in the beam."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models.ngram import NgramModel
from asr.search.beam import SearchSettings, beam_search
from asr.search.ngram import NgramScorer
from asr.search.scorers import OtherScorer
from tests.models.literal_ngram import WORDS, Literal, random_arpa
from tests.search.fakes import EOS, SOS, UNK, FakeModel, collate, transcripts

TOKENS = (UNK, 4, 5)


@settings(max_examples=40)
@given(st.integers(0, 9999), st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.2, 1.0, 3.0]))
def test_a_wide_beam_equals_exhaustive_search(seed: int, n_states: int, order: int, weight: float) -> None:
    model = FakeModel(n_tokens=6, seed=seed)
    words = [word for word, token in WORDS.items() if token < 6]
    arpa = random_arpa(seed, order, words)
    ngram = NgramModel(arpa, [WORDS[word] for word in words], 6, SOS, UNK)
    other = OtherScorer("ngram", weight, lambda states, lens: NgramScorer(ngram, lens))
    # Back-off weights above one make "probabilities" above one: the search is told, as it would be of any scorer.
    other = other._replace(most=weight * 20)
    literal = Literal(arpa, {word: WORDS[word] for word in words})
    states = model.utterance(n_states)
    search = SearchSettings(200, 0.0, 0.0, math.inf, max_length_ratio=1.0, n_best=5)
    batch = collate([model.utterance(3), states], extra=1)
    truth = []
    for tokens in transcripts(TOKENS, n_states):
        memory = model.speller.memory(*collate([states]))
        state, attention = model.speller.start(memory, 1), 0.0
        for before, token in zip((SOS, *tokens), (*tokens, EOS), strict=True):
            log_probs, _, state = model.speller.step(torch.tensor([[before]]), state, memory)
            attention += log_probs[0, 0, token].item()
        truth.append((attention + weight * literal.sentence(tokens), literal.sentence(tokens), tokens))
    truth = sorted(truth, reverse=True)[:5]
    found = beam_search(model, *batch, search, [other])[1]
    assert [hypothesis.tokens for hypothesis in found] == [tokens for _, _, tokens in truth]
    for hypothesis, (score, listed, _) in zip(found, truth, strict=True):
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.scores["ngram"] == pytest.approx(listed, abs=1e-4)
