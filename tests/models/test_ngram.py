"""N-gram models as tensors against back-off scoring as it is defined, one word at a time."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.models.ngram import NgramError, NgramModel
from asr.text.arpa import Arpa, NgramTable
from tests.models.literal_ngram import EOS, SOS, UNK, WORDS, Literal, random_arpa

N_TOKENS = 9  # 7 and 8 are not among the words


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 5), st.booleans(), st.booleans())
def test_every_continuation_is_scored_as_defined(seed: int, order: int, has_unk: bool, has_sos: bool) -> None:
    left_out = {"<unk>": has_unk, "<s>": has_sos}
    words = [word for word in WORDS if left_out.get(word, True)]
    arpa = random_arpa(seed, order, words)
    model = NgramModel(arpa, [WORDS[word] for word in words], N_TOKENS, SOS, UNK)
    literal = Literal(arpa, {word: WORDS[word] for word in words})
    rng = np.random.default_rng(seed)
    histories = rng.integers(4, N_TOKENS, (6, 2, 7))
    states = torch.full((6, 2), model.start)
    candidates = torch.tensor([EOS, UNK, 4, 5, 6, 7, 8])
    for length in range(8):
        found = model.log_probs(states[..., None], candidates.expand(6, 2, -1))
        assert found.dtype == torch.float64
        for b, w, c in itertools.product(range(6), range(2), range(7)):
            history = ((SOS,) if has_sos else ()) + tuple(histories[b, w, :length].tolist())
            assert found[b, w, c].item() == pytest.approx(literal.score(history, int(candidates[c])), abs=1e-5)
        if length < 7:
            states = model.after(states, torch.from_numpy(histories[:, :, length]))


def test_a_sentence_by_hand() -> None:
    """Chosen so that log10 p and b are written down: p(a | <s>) listed, p(c | <s> a) = b(<s> a) b(a) p(c)."""
    ln10 = math.log(10)
    unigrams = NgramTable(
        np.array([[0], [1], [2], [3]], np.int32),
        -ln10 * np.array([99, 1.5, 0.5, 1.0]),
        -ln10 * np.array([0.3, 0, 0.2, 0.1]),
    )
    bigrams = NgramTable(np.array([[0, 2]], np.int32), np.array([-0.25 * ln10]), np.array([-0.125 * ln10]))
    trigrams = NgramTable(np.array([[0, 2, 2]], np.int32), np.array([-0.75 * ln10]), np.zeros(1))
    model = NgramModel(
        Arpa(("<s>", "</s>", "a", "c"), [unigrams, bigrams, trigrams]), [SOS, EOS, 4, 6], N_TOKENS, SOS, UNK
    )
    state, total = torch.tensor([model.start]), 0.0
    for token in (4, 6, EOS):
        total += model.log_probs(state, torch.tensor([token])).item()
        state = model.after(state, torch.tensor([token]))
    assert total == pytest.approx(-ln10 * (0.25 + (0.125 + 0.2 + 1.0) + (0.1 + 1.5)), abs=1e-5)


def test_what_cannot_be_is_told() -> None:
    unigrams = NgramTable(np.array([[0], [1]], np.int32), np.array([-1.0, -1.0]), np.zeros(2))

    def model(rows: list[list[int]]) -> NgramModel:
        longer = NgramTable(np.array(rows, np.int32), -np.ones(len(rows)), np.zeros(len(rows)))
        tables = (
            [unigrams, longer]
            if len(rows[0]) == 2
            else [unigrams, NgramTable(np.zeros((0, 2), np.int32), np.zeros(0), np.zeros(0)), longer]
        )
        return NgramModel(Arpa(("a", "b"), tables), [4, 5], N_TOKENS, SOS, UNK)

    with pytest.raises(NgramError, match="n-gram 'b a': is there twice"):
        model([[1, 0], [0, 1], [1, 0]])
    with pytest.raises(NgramError, match="n-gram 'b a b': stands there without its first words"):
        model([[1, 0, 1]])
