"""Lists of phrases as one automaton, in tensors, that tokens of any cut walk through."""

import unicodedata
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from asr.text.phrases import Phrase
from asr.text.tokenizer import Tokenizer

EDGE, OTHER = 0, 1
"""Columns of the word boundary and of every character that no phrase has."""


@dataclass(frozen=True)
class PhraseTrie:
    """The automaton of Aho & Corasick 1975 over characters.

    A node says which beginning of a phrase the text so far ends in, the longest there is. Tokens are read character by
    character, so that it does not matter how a phrase is cut into tokens. Most moves of a node are those of its list's
    root, which are kept once; its others are found in a sorted table.

    Attributes:
        spelled: (V, L) int64 columns of each token's characters, -1 behind the last.
        starts: (n_lists,) int64 node at the start of a text: that behind a word boundary.
        keys: (n_moves,) int64, ascending: node · n_columns + column of the moves that are not the root's.
        targets: (n_moves,) int64 nodes that they lead to.
        first: (n_lists, n_columns) int64 nodes that the root's moves lead to.
        found: (n_nodes,) float64 worth of the phrases that end where the node is reached.
        promise: (n_nodes,) float64 worth of what there is so far of the most valuable phrase that has begun.
    """

    spelled: Tensor
    starts: Tensor
    keys: Tensor
    targets: Tensor
    first: Tensor
    found: Tensor
    promise: Tensor

    def walk(self, nodes: Tensor, tokens: Tensor, lists: Tensor) -> tuple[Tensor, Tensor]:
        """Reads one token in each place.

        Args:
            nodes: (...) int64.
            tokens: (...) int64; the end of sentence reads as a word boundary.
            lists: (...) int64 list that each node belongs to.

        Returns:
            The next nodes, and the worth (float64) of the phrases that have come to their end.
        """
        shape, n_columns = nodes.shape, self.first.shape[1]
        nodes, tokens, lists = nodes.flatten().clone(), tokens.flatten(), lists.flatten()
        worth = torch.zeros(nodes.shape, dtype=torch.float64, device=nodes.device)
        places = torch.arange(len(nodes), device=nodes.device)
        for spelled in self.spelled.unbind(-1):
            places = places[spelled[tokens[places]] >= 0]  # few tokens are long
            columns, before = spelled[tokens[places]], nodes[places]
            keys = before * n_columns + columns
            index = torch.searchsorted(self.keys, keys).clamp_(max=len(self.keys) - 1)
            after = torch.where(self.keys[index] == keys, self.targets[index], self.first[lists[places], columns])
            # A boundary behind a boundary is none: blanks collapse.
            read = (columns != EDGE) | (after != before)
            worth[places] += torch.where(read, self.found[after], 0.0)
            nodes[places] = after
        return nodes.unflatten(0, shape), worth.unflatten(0, shape)

    def to(self, device: torch.device) -> "PhraseTrie":
        """The same on a device."""
        return PhraseTrie(**{name: value.to(device) for name, value in vars(self).items()})


def build_trie(lists: Sequence[Sequence[Phrase]], surfaces: Sequence[str]) -> PhraseTrie:
    """Makes one automaton of several lists, of which each utterance uses one.

    A phrase begins and ends at word boundaries, but for an edge whose character is as wide as an ideograph
    (Unicode's East Asian Width), since its script does not part words.

    Args:
        lists: Phrases; an empty list finds nothing.
        surfaces: Of the tokenizer: what each token adds to a text.
    """
    columns = {" ": EDGE}
    for char in sorted({char for phrases in lists for phrase in phrases for char in phrase.text} - {" "}):
        columns[char] = len(columns) + 1  # after OTHER
    trie = _Nodes()
    starts = [trie.add_list(phrases, columns) for phrases in lists]
    n_columns = len(columns) + 1
    keys, order = (torch.tensor(trie.sources) * n_columns + torch.tensor(trie.columns)).sort()
    first = torch.tensor(trie.roots)[:, None].repeat(1, n_columns)
    for number, root in enumerate(trie.roots):
        for column, child in trie.children[root].items():
            first[number, column] = child
    return PhraseTrie(
        _spell(surfaces, columns),
        torch.tensor(starts),
        keys,
        torch.tensor(trie.targets)[order],
        first,
        torch.tensor(trie.found, dtype=torch.float64),
        torch.tensor(trie.promise, dtype=torch.float64),
    )


def _spell(surfaces: Sequence[str], columns: dict[str, int]) -> Tensor:
    """Columns of each token's characters: (V, L) int64, -1 behind the last."""
    rows = [[columns.get(char, OTHER) for char in surface] for surface in surfaces]
    rows[Tokenizer.eos] = [EDGE]
    longest = max(map(len, rows))
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows])


class _Nodes:
    """The automaton while it grows: of each node its children, `found` and `promise`; and all moves, not yet sorted."""

    def __init__(self) -> None:
        self.children: list[dict[int, int]] = []
        self.found: list[float] = []
        self.promise: list[float] = []
        self.sources: list[int] = []
        self.columns: list[int] = []
        self.targets: list[int] = []
        self.roots: list[int] = []

    def add_list(self, phrases: Sequence[Phrase], columns: dict[str, int]) -> int:
        """Adds a list and returns where its texts start."""
        root = self._add()
        self.roots.append(root)
        start = self.children[root][EDGE] = self._add()
        for phrase in phrases:
            self._spell(root, phrase, columns)
        self._connect(root)
        return start

    def _add(self) -> int:
        self.children.append({})
        self.found.append(0.0)
        self.promise.append(0.0)
        return len(self.found) - 1

    def _spell(self, root: int, phrase: Phrase, columns: dict[str, int]) -> None:
        """Walks a phrase from the root, adding what is missing; it promises its weight for each of its characters."""
        before, after = ([] if _stands_alone(char) else [EDGE] for char in (phrase.text[0], phrase.text[-1]))
        path = [*before, *(columns[char] for char in phrase.text), *after]
        node = root
        for depth, column in enumerate(path, 1):
            if column not in self.children[node]:
                self.children[node][column] = self._add()
            node = self.children[node][column]
            if depth < len(path):
                promise = phrase.weight * min(depth - len(before), len(phrase.text))
                self.promise[node] = max(self.promise[node], promise)
        self.found[node] += phrase.weight * len(phrase.text)

    def _connect(self, root: int) -> None:
        """Finds, breadth first, where each node goes on when no child of its own does: to its longest proper suffix."""
        moves: dict[int, dict[int, int]] = {root: {}}  # those that differ from the root's
        todo = deque((child, root, column) for column, child in self.children[root].items())
        while todo:
            node, suffix, last = todo.popleft()
            self.found[node] += self.found[suffix]
            moves[node] = moves[suffix] | self.children[node]
            if last == EDGE:
                moves[node][EDGE] = node
            for column, child in self.children[node].items():
                follows = moves[suffix].get(column, self.children[root].get(column, root))
                todo.append((child, follows, column))
            self.sources += [node] * len(moves[node])
            self.columns += moves[node].keys()
            self.targets += moves[node].values()


def _stands_alone(char: str) -> bool:
    """Whether a character needs no word boundary beside it."""
    return unicodedata.east_asian_width(char) in "WF"
