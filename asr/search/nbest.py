"""The book-keeping of a beam: who descends from whom, and which hypotheses have ended."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Finished:
    """The best N ended hypotheses of each utterance, best first; empty places score -inf.

    Attributes:
        scores: (B, N) float64 joint scores.
        parts: (B, N, n_scorers) float64 unweighted sums of each scorer.
        n_tokens: (B, N) int64 tokens without end of sentence.
        slots: (B, N) int64 place in the beam that it ended from, after `n_tokens` steps.
    """

    scores: Tensor
    parts: Tensor
    n_tokens: Tensor
    slots: Tensor

    @staticmethod
    def empty(n_utterances: int, n_best: int, n_scorers: int, device: torch.device) -> "Finished":
        """Nothing has ended yet."""
        scores = torch.full((n_utterances, n_best), -torch.inf, dtype=torch.float64, device=device)
        nothing = torch.zeros(n_utterances, n_best, dtype=torch.int64, device=device)
        return Finished(scores, scores[..., None].expand(-1, -1, n_scorers), nothing, nothing)

    def merge(self, other: "Finished") -> "Finished":
        """Keeps the best N of both; among equals, the earlier."""
        n_best = self.scores.shape[1]
        scores, order = torch.cat([self.scores, other.scores], 1).sort(dim=1, descending=True, stable=True)
        order = order[:, :n_best]
        deep = order[..., None].expand(-1, -1, self.parts.shape[-1])
        return Finished(
            scores[:, :n_best],
            torch.cat([self.parts, other.parts], 1).gather(1, deep),
            torch.cat([self.n_tokens, other.n_tokens], 1).gather(1, order),
            torch.cat([self.slots, other.slots], 1).gather(1, order),
        )


class Lineage:
    """Tokens and parents of every step, from which a hypothesis is read backwards."""

    def __init__(self) -> None:
        self._steps: list[tuple[Tensor, Tensor]] = []

    def append(self, parents: Tensor, tokens: Tensor) -> None:
        """Records a step: both (B, W) int64."""
        self._steps.append((parents, tokens))

    def tokens(self, finished: Finished) -> Tensor:
        """Reads the tokens of ended hypotheses.

        Returns:
            (B, N, steps) int64; beyond `finished.n_tokens` the values mean nothing.
        """
        slots, columns = finished.slots, []
        for step in range(len(self._steps) - 1, -1, -1):
            parents, tokens = self._steps[step]
            columns.append(tokens.gather(1, slots))
            slots = torch.where(step < finished.n_tokens, parents.gather(1, slots), slots)
        if not columns:
            return slots.new_zeros(*slots.shape, 0)
        return torch.stack(columns[::-1], -1)
