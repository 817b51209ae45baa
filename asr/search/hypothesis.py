"""What a search returns."""

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

Finish = Literal["eos", "max_length"]


@dataclass(frozen=True)
class Hypothesis:
    """A candidate transcript.

    Attributes:
        tokens: Token ids without start and end of sentence.
        score: Joint score: the weighted sum of `scores`.
        scores: Unweighted sum of each scorer that took part, end of sentence included: "attention" and "ctc" are
            natural-log probabilities, "length" counts tokens, "coverage" states.
        finish: "eos" when the end was chosen, "max_length" when the bound on tokens was reached and the end forced.
        gains: What each of `scores` is a sum of: one number per token, the end's last. "ctc" of the best path has none,
            since it judges states.
    """

    tokens: tuple[int, ...]
    score: float
    scores: dict[str, float]
    finish: Finish
    gains: dict[str, tuple[float, ...]] = field(default_factory=dict, compare=False)


def max_lengths(state_lens: Tensor, max_length_ratio: float) -> Tensor:
    """Bounds each hypothesis by its own utterance, never by the padded batch.

    Args:
        state_lens: (B,) int64 lengths of the listener states.
        max_length_ratio: Tokens per state.

    Returns:
        (B,) int64 largest number of tokens, at least 1.
    """
    return (state_lens.double() * max_length_ratio).floor().clamp(min=1).to(torch.int64)


def finish_of(n_tokens: int, max_length: int) -> Finish:
    """Says how a hypothesis of `n_tokens` ended, given its utterance's bound."""
    return "max_length" if n_tokens >= max_length else "eos"


def check_finite(score: float, utterance: int) -> None:
    """Raises ValueError if the best score of an utterance, the n-th of its batch, is none."""
    if not math.isfinite(score):
        raise ValueError(
            f"utterance {utterance} of the batch has no transcript with a finite score: check its states for NaN"
        )
