"""Attention pooling: a whole utterance as one vector, by learnt queries over the listener's states."""

import torch
from torch import Tensor, nn

from asr.models.linear import Linear
from asr.models.masks import length_mask


class AttentivePooling(nn.Module):
    """Structured self-attention (Lin et al. 2017, "A structured self-attentive sentence embedding", eq. 5–6).

    A = softmax(W_2 tanh(W_1 H^T)) over the states, one row per head, and M = A H, laid out as one vector. W_1 has a
    bias here.

    Args:
        d_states: Width D of the states.
        d_attention: Width of the space in which states are judged.
        n_heads: Rows H of A: places that an utterance can be looked at for different things.
    """

    def __init__(self, d_states: int, d_attention: int, n_heads: int) -> None:
        super().__init__()
        self.d_output = n_heads * d_states
        self.head_names = ["attention"] if n_heads == 1 else [f"head {head}" for head in range(1, n_heads + 1)]
        self.to_key = Linear(d_states, d_attention)
        self.to_energy = Linear(d_attention, n_heads, bias=False)

    def forward(self, states: Tensor, state_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Pools.

        Args:
            states: (B, S, D), finite in the padding.
            state_lens: (B,) int64, at least 1.

        Returns:
            pooled (B, H D), head after head; weights (B, H, S), zero on padding, rows sum to one.
        """
        keys = self.to_key(states)
        with torch.autocast(keys.device.type, enabled=False):  # energies need more than bf16's three digits
            keys = keys.to(torch.promote_types(keys.dtype, torch.float32))
            energies = self.to_energy(keys.tanh()).transpose(1, 2)  # (B, H, S)
        mask = length_mask(state_lens, states.shape[1])
        weights = energies.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        return (weights @ states.to(weights.dtype)).flatten(1), weights
