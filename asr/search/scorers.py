"""What a hypothesis is judged by. A scorer belongs to one search over one batch and follows its hypotheses."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from asr.models.spellers.interface import Speller
from asr.text.tokenizer import Tokenizer

TIE = 1e-12  # per token id: too small to re-order float32 scores that differ, enough to order those that do not


def ranking(log_probs: Tensor) -> Tensor:
    """Makes log-probabilities (..., V) comparable as next tokens.

    Returns:
        (..., V) float64 to rank by: -inf for blank, start and end of sentence, which no search writes; of equal tokens
        the lower id ranks higher.
    """
    handicap = torch.arange(log_probs.shape[-1], device=log_probs.device, dtype=torch.float64) * -TIE
    for special in (Tokenizer.blank, Tokenizer.sos, Tokenizer.eos):
        handicap[special] = -torch.inf
    return log_probs + handicap


class Scorer(Protocol):
    """Judges continuations of hypotheses; its scores add up along a hypothesis."""

    def start(self, width: int) -> None:
        """Begins with `width` empty hypotheses per utterance."""

    def score(self, candidates: Tensor) -> Tensor:
        """What each continuation adds.

        Args:
            candidates: (B, W, C) int64 next tokens of each hypothesis, end of sentence among them.

        Returns:
            (B, W, C) float64; -inf for what cannot be.
        """

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """Moves on: hypothesis w becomes hypothesis `parents[b, w]` followed by `tokens[b, w]`, both (B, W) int64."""


class OtherScorer(NamedTuple):
    """A scorer that joins a search from outside: a language model, a list of phrases.

    Attributes:
        name: What its part of a hypothesis' score is called in `Hypothesis.scores`.
        weight: By which its scores are multiplied; at 0 it takes no part.
        begin: (states (B, S, D), state_lens (B,) int64) -> the scorer of one search over that batch.
        most: The most that one token, or the end, can add to the joint score: 0 for log-probabilities of positive
            weight. The search goes on as long as a hypothesis could still win at this rate.
    """

    name: str
    weight: float
    begin: Callable[[Tensor, Tensor], Scorer]
    most: float = 0.0


class AttentionScorer:
    """Log-probabilities of the speller, which also proposes the candidates that other scorers see.

    Args:
        speller: Of any kind.
        states: (B, S, D) listener states; what the speller makes of them is made once and shared by all hypotheses.
        state_lens: (B,) int64.
        look: Whether `weights` are wanted, at a cost to some spellers.
    """

    weights: Tensor
    """(B, W, H, S) where the speller looked at its last step; only if it was to look."""

    def __init__(self, speller: Speller, states: Tensor, state_lens: Tensor, look: bool = False) -> None:
        self._speller = speller
        self._look = look
        self._memory = speller.memory(states, state_lens)
        self._sos = torch.full_like(state_lens, Tokenizer.sos)

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        self._state = self._speller.start(self._memory, width)
        self._last = self._sos[:, None].expand(-1, width)

    def propose(self, n_candidates: int) -> Tensor:
        """Takes the speller's step and names its best continuations.

        Args:
            n_candidates: Tokens wanted besides the end of sentence.

        Returns:
            (B, W, C) int64: end of sentence, then the speller's best tokens, the best first. Blank and start of
            sentence are never among them. Of equally good tokens the lower id comes first.
        """
        self._log_probs, weights, self._state = self._speller.step(self._last, self._state, self._memory, self._look)
        if self._look:
            assert weights is not None
            self.weights = weights
        n_candidates = min(n_candidates, self._log_probs.shape[-1] - 3)
        best = ranking(self._log_probs).topk(n_candidates).indices
        return torch.cat([torch.full_like(best[..., :1], Tokenizer.eos), best], -1)

    def score(self, candidates: Tensor) -> Tensor:
        """See `Scorer.score`; valid after `propose`."""
        return self._log_probs.gather(-1, candidates).double()

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        self._state = self._state.select(parents)
        self._last = tokens


class LengthBonus:
    """Counts tokens, against the liking of log-probabilities for short transcripts."""

    def start(self, width: int) -> None:
        """See `Scorer.start`."""

    def score(self, candidates: Tensor) -> Tensor:
        """1 for each token, 0 for the end of sentence."""
        return (candidates != Tokenizer.eos).double()

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
