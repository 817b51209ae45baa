"""N-gram models as tensors against back-off scoring as it is defined, one word at a time."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.models.ngram import UNSEEN, NgramError, NgramModel
from asr.text.arpa import Arpa, NgramTable

UNK, SOS, EOS = 1, 2, 3
N_TOKENS = 9
WORDS = {"</s>": EOS, "<s>": SOS, "b": 5, "a": 4, "<unk>": UNK, "c": 6}  # tokens 7 and 8 are not among them


def random_arpa(seed: int, order: int, words: list[str], share: float = 0.3) -> Arpa:
    """N-grams drawn at random, closed under leaving out the last word only; numbers without meaning."""
    rng = np.random.default_rng(seed)
    kept = [(number,) for number in range(len(words))]
    tables = []
    for n in range(1, order + 1):
        if n > 1:
            kept = [
                (*row, w)
                for row in kept
                for w in range(len(words))
                if words[row[-1]] != "</s>" and rng.random() < share
            ]
            rng.shuffle(kept)
        rows = np.array(kept, np.int32).reshape(-1, n)
        tables.append(NgramTable(rows, -3 * rng.random(len(rows)), rng.normal(size=len(rows)) * (n < order)))
    return Arpa(tuple(words), tables)


class Literal:
    """Katz 1987, as equations are written: p(w | h) is listed, or b(h) p(w | h without its first word)."""

    def __init__(self, arpa: Arpa, tokens: dict[str, int]) -> None:
        self.known, self.order = set(tokens.values()) | {UNK}, arpa.order
        self.log_p, self.log_b = {(UNK,): UNSEEN}, {}
        for table in arpa.tables:
            for row, p, b in zip(table.rows.tolist(), table.log_probs, table.backoffs, strict=True):
                ngram = tuple(tokens[arpa.words[word]] for word in row)
                self.log_p[ngram], self.log_b[ngram] = p, b

    def score(self, history: tuple[int, ...], token: int) -> float:
        known = [each if each in self.known else UNK for each in (*history, token)]
        return self._score(tuple(known[-self.order : -1]), known[-1])

    def _score(self, history: tuple[int, ...], token: int) -> float:
        if (*history, token) in self.log_p:
            return self.log_p[(*history, token)]
        return self.log_b.get(history, 0.0) + self._score(history[1:], token)


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
