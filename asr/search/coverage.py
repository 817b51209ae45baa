"""How much of the utterance a hypothesis has looked at."""

import torch
from torch import Tensor

from asr.search.scorers import AttentionScorer

SEEN = 0.5  # attention, summed over the tokens, from which a state counts as covered (Chorowski & Jaitly 2017, §3.3)


class CoverageBonus:
    """Counts the states that attention has covered, against transcripts that leave out a part of the utterance.

    Chorowski & Jaitly 2017 ("Towards better decoding and language model integration in sequence to sequence models"),
    equation 11: the number of states whose attention, summed over the tokens so far, exceeds a half. Looking at a state
    twice brings nothing more, so a loop gains nothing. Of several heads the mean counts.

    Args:
        attention: Of the same search; it has to look.
    """

    def __init__(self, attention: AttentionScorer) -> None:
        self._attention = attention

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        self._sums: Tensor | None = None  # (B, W, S)

    def score(self, candidates: Tensor) -> Tensor:
        """States newly covered by the look at which the candidates were proposed, the same for all of them."""
        looked = self._attention.weights.mean(2)
        before = torch.zeros_like(looked) if self._sums is None else self._sums
        self._sums = before + looked
        newly = (self._sums > SEEN).sum(-1) - (before > SEEN).sum(-1)
        return newly.double()[..., None].expand(candidates.shape)

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        assert self._sums is not None
        self._sums = self._sums.gather(1, parents[..., None].expand(-1, -1, self._sums.shape[-1]))
