"""N-grams drawn at random, and back-off scoring as it is defined, one word at a time."""

import numpy as np

from asr.models.ngram import UNSEEN
from asr.text.arpa import Arpa, NgramTable

UNK, SOS, EOS = 1, 2, 3
WORDS = {"</s>": EOS, "<s>": SOS, "b": 5, "a": 4, "<unk>": UNK, "c": 6}


def random_arpa(seed: int, order: int, words: list[str], share: float = 0.3) -> Arpa:
    """Closed under leaving out the last word, as ARPA files are, and not under leaving out the first."""
    rng = np.random.default_rng(seed)
    kept = [(number,) for number in range(len(words))]
    tables = []
    for n in range(1, order + 1):
        if n > 1:
            longer = [(*row, w) for row in kept for w in range(len(words)) if words[row[-1]] != "</s>"]
            kept = [row for row in longer if rng.random() < share]
            rng.shuffle(kept)
        rows = np.array(kept, np.int32).reshape(-1, n)
        tables.append(NgramTable(rows, -3 * rng.random(len(rows)), rng.normal(size=len(rows)) * (n < order)))
    return Arpa(tuple(words), tables)


class Literal:
    """Katz 1987, as it stands there: p(w | h) is listed, or b(h) p(w | h without its first word)."""

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

    def sentence(self, tokens: tuple[int, ...]) -> float:
        """With its end, after a start if there is one."""
        said = ((SOS,) if SOS in self.known else ()) + tokens + (EOS,)
        first = len(said) - len(tokens) - 1
        return sum(self.score(said[:place], said[place]) for place in range(first, len(said)))
