"""An n-gram model as tensors: all hypotheses of a beam are scored at once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.text.arpa import LN_10, Arpa, NgramTable

UNSEEN = -100 * LN_10  # of a token that a model without "<unk>" does not know; kenlm's value, too


class NgramError(ValueError):
    """An n-gram model that cannot be used; the message names the n-gram."""


class NgramModel:
    """Back-off n-grams (Katz 1987) as a trie laid out in sorted columns.

    The log-probability of w after the words h = h_1 … h_m is

        log p(w | h) = log p(h w)                            if the n-gram h w is listed
                     = log b(h) + log p(w | h_2 … h_m)       if not, where log b(h) = 0 for an h that is not listed

    A state is the longest listed end of what was said; no more of it matters. States are nodes of the trie, 0 being
    that of no words. Node k + 1 is the n-gram whose key, (node of all but the last word) · V + last word, is the k-th
    of the sorted keys. `_shorter` leads from a node to that of its longest listed end without the first word. So a
    back-off is a search for keys, then a step to `_shorter`, of all hypotheses and candidates together, and at most as
    many of them as the model's order.

    Args:
        arpa: The model.
        tokens: For each of its words, which token it is; no token twice.
        n_tokens: Size V of the vocabulary.
        sos: Token before the first one; it starts a sentence if the model has it.
        unk: Token in whose place others stand that the model does not have.

    Raises:
        NgramError: An n-gram is there twice, or without its first words.
    """

    def __init__(self, arpa: Arpa, tokens: Sequence[int], n_tokens: int, sos: int, unk: int) -> None:
        self.order = arpa.order
        self.n_tokens = n_tokens
        token_of = np.array(tokens, np.int64)
        known = np.zeros(n_tokens, np.bool_)
        known[token_of] = True
        tables = [(token_of[table.rows], table) for table in arpa.tables]
        if not known[unk]:
            rows, unigrams = tables[0]
            more = NgramTable(unigrams.rows, np.append(unigrams.log_probs, UNSEEN), np.append(unigrams.backoffs, 0.0))
            tables[0] = np.append(rows, [[unk]], 0), more
        self._alias = torch.from_numpy(np.where(known, np.arange(n_tokens), unk))
        self._build(tables, [*arpa.words, "<unk>"], np.append(token_of, unk))
        self.start = int(self._next[self._find(torch.tensor([0]), torch.tensor([sos]))]) if known[sos] else 0

    def _build(self, tables: Sequence[tuple[NDArray[np.int64], NgramTable]], words: list[str], tokens: NDArray) -> None:
        """Lays the nodes out, shorter n-grams first, for their longer ones refer to them."""
        self._keys = torch.full((1,), torch.iinfo(torch.int64).max)  # the last one is nobody's key
        self._log_probs = torch.zeros(1)
        self._backoffs = torch.zeros(1)
        self._shorter = torch.zeros(1, dtype=torch.int64)
        for rows, table in tables:
            columns = torch.from_numpy(rows)
            parents = torch.zeros(len(rows), dtype=torch.int64)
            for column in columns.unbind(1)[:-1]:
                parents = self._find(parents, column)
                if bool((parents < 0).any()):
                    fault = "stands there without its first words as an n-gram of their own"
                    raise NgramError(f"n-gram {_named(rows[int(parents.argmin())], words, tokens)}: {fault}")
            last = columns[:, -1]
            keys, order = (parents * self.n_tokens + last).sort()
            if bool((keys[1:] == keys[:-1]).any()):
                twice = int(order[int((keys[1:] == keys[:-1]).to(torch.uint8).argmax())])
                raise NgramError(f"n-gram {_named(rows[twice], words, tokens)}: is there twice")
            _, shorter = self._back_off(self._shorter[parents[order]], last[order])
            if rows.shape[1] == 1:
                shorter = torch.zeros_like(shorter)
            values, backoffs = (torch.from_numpy(each)[order].float() for each in (table.log_probs, table.backoffs))
            self._keys = torch.cat([self._keys[:-1], keys, self._keys[-1:]])
            self._log_probs = torch.cat([self._log_probs, values])
            self._backoffs = torch.cat([self._backoffs, backoffs])
            self._shorter = torch.cat([self._shorter, shorter])
        # Nothing follows the longest n-grams: whoever reaches one goes on from its end.
        self._next = torch.arange(len(self._shorter))
        n_longest = len(tables[-1][0])
        if self.order == 1:
            self._next[1:] = 0
        elif n_longest:
            self._next[-n_longest:] = self._shorter[-n_longest:]

    def to(self, device: torch.device) -> "NgramModel":
        """Moves all tensors, and gives itself."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self

    def log_probs(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Log-probabilities, float64, of tokens after states; both int64, of shapes that broadcast."""
        return self._back_off(*torch.broadcast_tensors(states, self._alias[tokens]))[0]

    def after(self, states: Tensor, tokens: Tensor) -> Tensor:
        """The states that tokens lead to, both int64 of one shape."""
        return self._next[self._back_off(states, self._alias[tokens])[1]]

    def score(self, sentences: Tensor, lens: Tensor) -> Tensor:
        """Log-probabilities (B,), float64, of whole sentences.

        Args:
            sentences: (B, U) int64, ends of sentence included, padded.
            lens: (B,) int64, ends included.
        """
        states = torch.full_like(lens, self.start)
        totals = torch.zeros_like(lens, dtype=torch.float64)
        for place, tokens in enumerate(sentences.unbind(1)):
            totals += self.log_probs(states, tokens).where(place < lens, 0.0)
            states = self.after(states, tokens)
        return totals

    def _find(self, nodes: Tensor, tokens: Tensor) -> Tensor:
        """The node of one more token, -1 if there is none."""
        keys = nodes * self.n_tokens + tokens
        places = torch.searchsorted(self._keys, keys)
        return torch.where(self._keys[places] == keys, places + 1, -1)

    def _back_off(self, nodes: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Walks to shorter and shorter ends of nodes until tokens are found.

        Returns:
            Log-probabilities (...), float64, and the nodes (...) of the n-grams that were found.
        """
        shape, nodes, tokens = nodes.shape, nodes.flatten().clone(), tokens.flatten()
        found = torch.full_like(nodes, -1)
        weights = torch.zeros_like(nodes, dtype=torch.float64)
        left = torch.arange(len(nodes), device=nodes.device)
        for _ in range(self.order):
            found[left] = self._find(nodes[left], tokens[left])
            left = left[found[left] < 0]
            if not len(left):
                break
            weights[left] += self._backoffs[nodes[left]]
            nodes[left] = self._shorter[nodes[left]]
        return (self._log_probs[found] + weights).view(shape), found.view(shape)


def _named(row: NDArray[np.int64], words: Sequence[str], tokens: NDArray) -> str:
    return repr(" ".join(words[int(np.flatnonzero(tokens == token)[0])] for token in row))
