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
    """Tokens, parents and scores of every step, from which a hypothesis is read backwards."""

    def __init__(self) -> None:
        self._steps: list[tuple[Tensor, Tensor, Tensor]] = []

    def append(self, parents: Tensor, tokens: Tensor, parts: Tensor) -> None:
        """Records a step: parents and tokens (B, W) int64, parts (B, W, n_scorers) as they are after it."""
        self._steps.append((parents, tokens, parts))

    def read(self, finished: Finished) -> tuple[Tensor, Tensor]:
        """Reads what ended hypotheses are made of.

        Returns:
            Their tokens (B, N, steps) int64 and what each scorer gave them and the end, (B, N, steps + 1, n_scorers)
            float64. Beyond `finished.n_tokens`, and for the scores beyond one more, the values mean nothing.
        """
        slots, tokens, sums = finished.slots, [], [finished.parts]
        for step in range(len(self._steps) - 1, -1, -1):
            parents, chosen, parts = self._steps[step]
            lasts = step < finished.n_tokens
            tokens.append(chosen.gather(1, slots))
            index = slots[..., None].expand(-1, -1, parts.shape[-1])
            sums.append(torch.where(lasts[..., None], parts.gather(1, index), finished.parts))
            slots = torch.where(lasts, parents.gather(1, slots), slots)
        gains = torch.stack(sums[::-1], -2).diff(dim=-2, prepend=torch.zeros_like(finished.parts)[..., None, :])
        if not tokens:
            return slots.new_zeros(*slots.shape, 0), gains
        return torch.stack(tokens[::-1], -1), gains
