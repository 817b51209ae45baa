"""What the recurrent speller attends with: one interface, (query, state, memory) -> (context, weights, state).

Everything that depends on the states alone (the keys and values) is computed once per utterance and shared by its
hypotheses; queries carry a hypothesis axis W, which is 1 in training.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """What attention can look at, per utterance.

    Attributes:
        states: (B, S, D) listener states.
        keys: What queries are compared with, of whatever shape the attention wants.
        values: (B, H, S, K) what each head sums: the states themselves where there is one head.
        mask: (B, S) bool, true where a state is real.
    """

    states: Tensor
    keys: Tensor
    values: Tensor
    mask: Tensor


class SpellerAttention(Protocol):
    """Where a recurrent speller looks, step by step."""

    d_context: int
    """Width of the context."""

    @property
    def head_names(self) -> list[str]:
        """What each of the H rows of weights is called, in their order."""

    def memory(self, states: Tensor, state_lens: Tensor) -> Memory:
        """Projects keys and values, once: states (B, S, D), finite in the padding, and state_lens (B,) int64."""

    def start(self, memory: Memory, width: int) -> Tensor:
        """The state before the first step of `width` hypotheses per utterance: (B, W, ...), empty if none is kept."""

    def __call__(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Attends once.

        Args:
            query: (B, W, d_query).
            state: (B, W, ...) from `start` or the last call.
            memory: From `memory`.

        Returns:
            context (B, W, d_context); weights (B, W, H, S) of each head, zero on padding; the next state.
        """
