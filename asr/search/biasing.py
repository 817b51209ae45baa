"""Contextual biasing: phrases of a list are likelier than the model thinks (Zhao et al. 2019; Le et al. 2021)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from asr.search.phrase_trie import PhraseTrie, build_trie
from asr.search.scorers import OtherScorer
from asr.text.phrases import Phrase
from asr.text.tokenizer import Tokenizer

NAME = "phrases"


def bias(lists: Sequence[Sequence[Phrase]], surfaces: Sequence[str], weight: float) -> list[OtherScorer]:
    """Makes the scorer that favours phrases.

    It adds `weight` for each character of a phrase as it is written, times the phrase's own weight, and takes all of it
    back when the phrase breaks off. What remains at the end is weight · sum over occurrences of weight_p · length_p.
    The search does not go on for the sake of phrases that have not begun when it would otherwise stop.

    Args:
        lists: One list for all utterances, or one for each utterance of the batch that will be searched.
        surfaces: Of the tokenizer: what each token adds to a text.
        weight: Score per character.

    Returns:
        The scorer; none if all lists are empty.
    """
    if not any(lists):
        return []
    trie = build_trie(lists, surfaces)
    return [OtherScorer(NAME, weight, lambda _, state_lens: PhraseScorer(trie.to(state_lens.device), len(state_lens)))]


class PhraseScorer:
    """Follows how far each hypothesis has come with a phrase; its part of a score counts characters.

    Args:
        trie: Of one list, or of as many as there are utterances.
        n_utterances: B.

    Raises:
        ValueError: Another number of lists.
    """

    def __init__(self, trie: PhraseTrie, n_utterances: int) -> None:
        n_lists = len(trie.starts)
        if n_lists not in (1, n_utterances):
            raise ValueError(f"{n_lists} lists of phrases for {n_utterances} utterances: expected one for all or each")
        self._trie = trie
        self._lists = torch.arange(n_lists, device=trie.starts.device).expand(n_utterances)

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        self._nodes = self._trie.starts[self._lists][:, None].expand(-1, width)

    def score(self, candidates: Tensor) -> Tensor:
        """See `Scorer.score`: what is found, and how the promise changes; at the end no promise is left."""
        nodes = self._nodes[..., None].expand(candidates.shape)
        after, found = self._trie.walk(nodes, candidates, self._lists[:, None, None].expand(candidates.shape))
        promise = torch.where(candidates == Tokenizer.eos, 0.0, self._trie.promise[after])
        return found + promise - self._trie.promise[nodes]

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        lists = self._lists[:, None].expand(tokens.shape)
        self._nodes, _ = self._trie.walk(self._nodes.gather(1, parents), tokens, lists)
