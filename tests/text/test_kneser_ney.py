"""Modified Kneser-Ney against its equations, and against the law that probabilities sum to one."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models.ngram import NgramModel
from asr.text.arpa import Arpa, NgramTable
from asr.text.kneser_ney import modified_kneser_ney
from asr.text.ngram_counts import NgramKeys, OrderError, count_ngrams
from tests.text.literal_kneser_ney import LiteralKneserNey

UNK, SOS, EOS, N_TOKENS = 1, 2, 3, 13
PREDICTED = [UNK, EOS, *range(4, N_TOKENS)]


def draw_text(seed: int, n_sentences: int) -> list[list[int]]:
    """Sentences with habits: what comes next depends on the last two tokens; some are empty, token 12 never comes."""
    rng = np.random.default_rng(seed)
    habits = rng.dirichlet([0.5] * 9, (N_TOKENS, N_TOKENS))
    text = []
    for _ in range(n_sentences):
        said = [0, SOS]
        while len(said) < 12 and (token := rng.choice([1, *range(4, 12)], p=habits[said[-2], said[-1]])) != 1:
            said.append(int(token))
        text.append(said[2:])
    return text


def estimate(text: list[list[int]], order: int, prune_from: int | None = None, at_once: int = 7) -> list[NgramTable]:
    keys = NgramKeys(N_TOKENS, order)
    batches = [text[start : start + at_once] for start in range(0, len(text), at_once)]
    return modified_kneser_ney(*count_ngrams(batches, keys, SOS, EOS), keys, N_TOKENS, SOS, prune_from)


def as_model(tables: list[NgramTable]) -> NgramModel:
    words = [str(token) for token in range(1, N_TOKENS)]
    tables = [NgramTable(table.rows - 1, table.log_probs, table.backoffs) for table in tables]
    return NgramModel(Arpa(tuple(words), tables), range(1, N_TOKENS), N_TOKENS, SOS, UNK)


@given(st.integers(0, 9999), st.integers(1, 5), st.sampled_from([1, 4, 40]))
def test_listed_n_grams_have_the_probabilities_of_the_equations(seed: int, order: int, n_sentences: int) -> None:
    text = draw_text(seed, n_sentences)
    tables = estimate(text, order)
    literal = LiteralKneserNey(text, order, SOS, EOS, PREDICTED)
    for n, table in enumerate(tables, 1):
        listed = {tuple(row) for row in table.rows.tolist()}
        assert listed == {ngram for ngram in literal.often if len(ngram) == n} | (
            {(token,) for token in range(1, N_TOKENS)} if n == 1 else set()
        )
        for row, log_prob in zip(table.rows.tolist(), table.log_probs.tolist(), strict=True):
            if row != [SOS]:
                assert np.exp(log_prob) == pytest.approx(literal.p(row[-1], tuple(row[:-1])), abs=1e-12, rel=1e-10)


@settings(max_examples=25)
@given(st.integers(0, 9999), st.integers(2, 4), st.sampled_from([1, 4, 40]), st.sampled_from([None, 2, 3]))
def test_back_off_gives_the_equations_after_any_history_and_sums_to_one(
    seed: int, order: int, n_sentences: int, prune_from: int | None
) -> None:
    text = draw_text(seed, n_sentences)
    model = as_model(estimate(text, order, prune_from))
    literal = LiteralKneserNey(text, order, SOS, EOS, PREDICTED)
    pruned = {ngram for ngram, n in literal.often.items() if n == 1 and prune_from and len(ngram) >= prune_from}
    for said in product([4, 5, 12], repeat=3):
        state = torch.tensor([model.start])
        for token in said:
            state = model.after(state, torch.tensor([token]))
        found = model.log_probs(state, torch.tensor(PREDICTED)).exp()
        assert found.sum().item() == pytest.approx(1.0, abs=1e-5)
        for token, p in zip(PREDICTED, found.tolist(), strict=True):
            assert p == pytest.approx(literal.p(token, (SOS, *said), frozenset(pruned)), rel=1e-4)


@given(st.integers(0, 999), st.integers(1, 4))
def test_how_the_text_is_cut_into_batches_changes_nothing(seed: int, order: int) -> None:
    text = draw_text(seed, 30)
    for one, other in zip(estimate(text, order, at_once=1), estimate(text, order, at_once=100), strict=True):
        assert (one.rows == other.rows).all() and (one.log_probs == other.log_probs).all()


def test_estimated_discounts_are_used_where_there_is_enough_text() -> None:
    literal = LiteralKneserNey(draw_text(0, 40), 3, SOS, EOS, PREDICTED)
    assert any(discounts != [0.5, 1.0, 1.5] for discounts in literal.discounts.values())


def test_too_long_an_n_gram_is_refused_with_the_longest_that_is_not() -> None:
    with pytest.raises(OrderError, match="order 5: expected at most 4, since 5000 tokens take 13 bits"):
        NgramKeys(5000, 5)
    assert NgramKeys(30, 12).order == 12
