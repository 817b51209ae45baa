"""What the kinds of a speller's attention share: heads, and the context that they bring back."""

import torch
from torch import Tensor, nn

from asr.models.attention.memory import Memory
from asr.models.attention.multi_head import check_heads, join_heads, split_heads
from asr.models.linear import Linear
from asr.models.masks import length_mask


class HeadedAttention(nn.Module):
    """H heads, each with weights of its own over the states.

    One head brings back the sum of the states that it weighs. Several sum projections of the states, each K = A / H
    wide, which are joined and projected to the width of a state (Vaswani et al. 2017, §3.2.2; Chiu et al. 2018).

    Args:
        d_states: Width D of the listener states.
        d_attention: Width A of all heads together.
        n_heads: Heads H.

    Raises:
        ValueError: Heads do not divide the width.
    """

    def __init__(self, d_states: int, d_attention: int, n_heads: int) -> None:
        super().__init__()
        check_heads(d_attention, n_heads)
        self.d_context = d_states
        self.n_heads = n_heads
        if n_heads > 1:
            self.to_value = Linear(d_states, d_attention, bias=False)
            self.to_context = Linear(d_attention, d_states)

    @property
    def head_names(self) -> list[str]:
        """See `SpellerAttention.head_names`."""
        return ["attention"] if self.n_heads == 1 else [f"head {number + 1}" for number in range(self.n_heads)]

    def memory(self, states: Tensor, state_lens: Tensor) -> Memory:
        """Projects keys and values, once per utterance.

        Args:
            states: (B, S, D), finite in the padding.
            state_lens: (B,) int64.
        """
        values = states[:, None] if self.n_heads == 1 else split_heads(self.to_value(states), self.n_heads).contiguous()
        return Memory(states, self.keys(states), values, length_mask(state_lens, states.shape[1]))

    def keys(self, states: Tensor) -> Tensor:
        """What queries are compared with, from states (B, S, D)."""
        raise NotImplementedError

    def context(self, weights: Tensor, memory: Memory) -> Tensor:
        """What the heads saw: weights (B, W, H, S) -> (B, W, D)."""
        context = join_heads(weights.transpose(1, 2) @ memory.values)
        return context if self.n_heads == 1 else self.to_context(context)


class SoftmaxAttention(HeadedAttention):
    """Attention whose weights are the softmax of energies over the states: every row sums to one."""

    def start(self, memory: Memory, width: int) -> Tensor:
        """Nothing to keep from step to step: (B, W, 0)."""
        return memory.states.new_zeros(len(memory.states), width, 0)

    def forward(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """See `SpellerAttention.__call__`."""
        energies = self.energies(query, state, memory)
        weights = energies.masked_fill(~memory.mask[:, None, None], -torch.inf).softmax(-1)
        return self.context(weights, memory), weights, self.after(state, weights)

    def energies(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """How well each state answers the query: (B, W, H, S), in float32 or better."""
        raise NotImplementedError

    def after(self, state: Tensor, weights: Tensor) -> Tensor:
        """The next state, from the last one and the weights (B, W, H, S) of this step."""
        return state


def at_least_float32(values: Tensor) -> Tensor:
    """Energies need more than bf16's three digits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
