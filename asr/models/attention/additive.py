"""Attention by comparison in a space of its own: additive, and additive that knows where it looked last."""

import torch
from torch import Tensor, nn

from asr.models.attention.memory import Memory
from asr.models.masks import length_mask


class AdditiveAttention(nn.Module):
    """Content-based attention (Bahdanau et al. 2015): e_s = v · tanh(W q + V h_s + b), softmax over the states.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int) -> None:
        super().__init__()
        self.d_context = d_states
        self.to_key = nn.Linear(d_states, d_attention)
        self.to_query = nn.Linear(d_query, d_attention, bias=False)
        self.to_energy = nn.Linear(d_attention, 1, bias=False)

    head_names = ["attention"]

    def memory(self, states: Tensor, state_lens: Tensor) -> Memory:
        """Projects the keys, once per utterance.

        Args:
            states: (B, S, D), finite in the padding.
            state_lens: (B,) int64.
        """
        return Memory(states, self.to_key(states), length_mask(state_lens, states.shape[1]))

    def start(self, memory: Memory, width: int) -> Tensor:
        """The state before the first step: the last weights, (B, W, S), all zero."""
        n_utterances, n_states = memory.mask.shape
        return memory.states.new_zeros(n_utterances, width, n_states)

    def forward(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Attends once.

        Args:
            query: (B, W, d_query).
            state: (B, W, S) from `start` or the last call.
            memory: From `memory`.

        Returns:
            context (B, W, D); weights (B, W, 1, S), zero on padding, rows sum to one; the next state (B, W, S).
        """
        compared = self.compare(query, state, memory)
        with torch.autocast(compared.device.type, enabled=False):  # energies need more than bf16's three digits
            compared = compared.to(torch.promote_types(compared.dtype, torch.float32))
            energies = self.to_energy(compared.tanh()).squeeze(-1)
        weights = energies.masked_fill(~memory.mask[:, None], -torch.inf).softmax(-1)
        return weights @ memory.states, weights[:, :, None], weights

    def compare(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """Sums what goes into the tanh: (B, W, S, A)."""
        return memory.keys[:, None] + self.to_query(query)[:, :, None]


class LocationAttention(AdditiveAttention):
    """Location-aware attention (Chorowski et al. 2015, eq. 8–9): the last weights, convolved, join the comparison.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared.
        n_filters: Convolution filters over the last weights.
        filter_width: Their width in states, odd.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_filters: int, filter_width: int) -> None:
        super().__init__(d_query, d_states, d_attention)
        self.convolution = nn.Conv1d(1, n_filters, filter_width, padding=filter_width // 2, bias=False)
        self.to_location = nn.Linear(n_filters, d_attention, bias=False)

    def compare(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """Sums what goes into the tanh: (B, W, S, A)."""
        filtered = self.convolution(state.flatten(0, 1)[:, None])  # (B W, n_filters, S)
        location = self.to_location(filtered.transpose(1, 2)).unflatten(0, state.shape[:2])
        return super().compare(query, state, memory) + location
