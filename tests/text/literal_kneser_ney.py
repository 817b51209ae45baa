"""Modified Kneser-Ney as Chen & Goodman wrote it down, with dictionaries of tuples, word by word."""

from collections import Counter

Ngram = tuple[int, ...]


class LiteralKneserNey:
    """Counts everything and keeps everything; `predicted` are the tokens that may follow."""

    def __init__(self, sentences: list[list[int]], order: int, sos: int, eos: int, predicted: list[int]) -> None:
        self.order, self.predicted = order, predicted
        often: Counter[Ngram] = Counter()
        for sentence in sentences:
            said = ([sos] if order > 1 else []) + sentence + [eos]
            for end in range(1, len(said) + 1):
                for n in range(1, min(order, end) + 1):
                    if said[end - 1] != sos:
                        often[tuple(said[end - n : end])] += 1
        self.often = often
        before: dict[Ngram, set[int]] = {}
        for ngram in often:
            before.setdefault(ngram[1:], set()).add(ngram[0])
        self.counts: dict[Ngram, int] = {}
        for ngram, number in often.items():
            if len(ngram) == order or ngram[0] == sos:
                self.counts[ngram] = number
            else:
                self.counts[ngram] = len(before[ngram])
        self.followers: dict[Ngram, list[Ngram]] = {}
        for ngram in self.counts:
            self.followers.setdefault(ngram[:-1], []).append(ngram)
        self.discounts = {n: self._discounts(n) for n in range(1, order + 1)}

    def _discounts(self, n: int) -> list[float]:
        of = Counter(count for ngram, count in self.counts.items() if len(ngram) == n)
        if all(of[i] for i in (1, 2, 3, 4)):
            y = of[1] / (of[1] + 2 * of[2])
            found = [1 - 2 * y * of[2] / of[1], 2 - 3 * y * of[3] / of[2], 3 - 4 * y * of[4] / of[3]]
            if all(0 <= d <= i for i, d in enumerate(found, 1)):
                return found
        return [0.5, 1.0, 1.5]

    def p(self, token: int, history: Ngram, left_out: frozenset[Ngram] = frozenset()) -> float:
        """The probability of a token after a history, which may be longer than the model's order or unseen."""
        history = history[len(history) - self.order + 1 :] if len(history) >= self.order else history
        followers = self.followers.get(history, [])
        lower = 1 / len(self.predicted) if not history else None
        if not followers:
            return lower if lower is not None else self.p(token, history[1:], left_out)
        total = sum(self.counts[ngram] for ngram in followers)
        own = given = 0.0
        for ngram in followers:
            count = self.counts[ngram]
            discount = self.discounts[len(ngram)][min(count, 3) - 1]
            if ngram in left_out:
                discount = count
            given += discount
            if ngram[-1] == token:
                own = (count - discount) / total
        return own + given / total * (lower if lower is not None else self.p(token, history[1:], left_out))
