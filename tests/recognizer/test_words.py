"""Words and their times, from tokens that are somewhere."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.recognizer.words import MAX_LEAD_S, words_of
from asr.search.ctc_align import ctc_align
from asr.text.tokenizer import Tokenizer

TEXTS = ["the cat sat on the mat", "a dog's life", "cats and dogs", "mats for cats", "it's on"] * 3
STATE_S = 0.04


@pytest.fixture(scope="module", params=[("char", None), ("unigram", 24), ("bpe", 30)], ids=lambda p: p[0])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return Tokenizer.train(TEXTS, *request.param)


def second_of(n_states: int) -> float:
    return n_states * STATE_S


@given(st.text("acdefghilmnorst' x", max_size=25), st.integers(1, 80), st.integers(0, 1000))
def test_words_cover_their_tokens_in_order(tokenizer: Tokenizer, text: str, n_states: int, seed: int) -> None:
    tokens = tokenizer.encode(text)
    logits = torch.randn(1, n_states, tokenizer.n_tokens, generator=torch.Generator().manual_seed(seed))
    (alignment,) = ctc_align(4 * logits, torch.tensor([n_states]), [tokens])
    words = words_of(tokenizer, tokens, alignment, second_of)
    assert [word.text for word in words] == tokenizer.decode(tokens).split()
    if alignment is None:
        assert not any(word.start_s or word.end_s for word in words)
        return
    times = list(itertools.chain.from_iterable((word.start_s, word.end_s) for word in words))
    assert times == sorted(times)
    for word, (_, places) in zip(words, tokenizer.words(tokens), strict=True):
        first = second_of(alignment.starts[places[0]])
        assert 0 <= word.start_s <= first <= word.start_s + MAX_LEAD_S + 1e-9
        assert word.end_s == second_of(alignment.ends[places[-1]]) <= second_of(n_states)


def test_a_word_starts_between_its_boundary_and_its_first_character() -> None:
    tokenizer = Tokenizer.train(TEXTS, "char")
    log_probs = torch.full((1, 40, tokenizer.n_tokens), -20.0)
    spoken = {0: "▁", 4: "a", 5: "▁", 30: "o", 31: "n"}
    for state in range(40):
        wanted = tokenizer.pieces(range(tokenizer.n_tokens)).index(spoken[state]) if state in spoken else 0
        log_probs[0, state, wanted] = 0.0
    tokens = tokenizer.encode("a on")
    (alignment,) = ctc_align(log_probs, torch.tensor([40]), [tokens])
    a, on = words_of(tokenizer, tokens, alignment, second_of)
    assert (a.start_s, a.end_s) == pytest.approx((2 * STATE_S, 5 * STATE_S))
    assert (on.start_s, on.end_s) == pytest.approx((30 * STATE_S - MAX_LEAD_S, 32 * STATE_S)), "not back to the pause"
