"""Attention by place alone: a mixture of Gaussians whose means only ever move ahead."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from asr.models.attention.heads import HeadedAttention, at_least_float32
from asr.models.attention.memory import Memory
from asr.models.linear import Linear

LEAST_WIDTH = 0.5


class GmmAttention(HeadedAttention):
    """Mixture of Gaussians over places (Graves 2013, eq. 46–51), in the stable form V2 of Battenberg et al. 2020, §2.2.

    From a query q come, for each of the mixture's components, a share ω, a step ahead Δ and a width σ:

        (ω̂, Δ̂, σ̂) = V tanh(W q + b) + c      ω = softmax(ω̂), Δ = softplus(Δ̂), σ = softplus(σ̂) + ½
        μ' = μ + Δ                             weight of state s = Σ ω exp(-(s - μ')² / 2σ²) / (σ √2π)

    V2 is normalised and has softplus where Graves has exp, which overflows. The ½ is ours: a component much narrower
    than a state falls between two states, or weighs one of them many times. So rows sum to 1.02 at most; to less where
    a component has left the utterance, which is how the end is felt. The states' content plays no part, monotonicity is
    by construction, and a step costs a few operations per state whatever the widths.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the layer W and, where there are several heads, of what they sum, together.
        n_components: Gaussians of each head.
        initial_step: Δ at first, in states: as many as there are per token, about.
        initial_width: σ at first, in states, above ½: wide enough that a wrong place still feels the right one.
        n_heads: Heads H, each a mixture.
    """

    def __init__(
        self,
        d_query: int,
        d_states: int,
        d_attention: int,
        n_components: int,
        initial_step: float,
        initial_width: float,
        n_heads: int = 1,
    ) -> None:
        super().__init__(d_states, d_attention, n_heads)
        self.n_components = n_components
        self.to_hidden = Linear(d_query, d_attention)
        self.to_components = Linear(d_attention, 3 * n_heads * n_components)
        starts = (0.0, _inverse_softplus(initial_step), _inverse_softplus(initial_width - LEAST_WIDTH))
        with torch.no_grad():
            self.to_components.bias.copy_(torch.tensor(starts).repeat_interleave(n_heads * n_components))

    def keys(self, states: Tensor) -> Tensor:
        """The places of the states, 0, 1, 2 …: (S,), in float32 or better."""
        return torch.arange(states.shape[1], device=states.device, dtype=at_least_float32(states).dtype)

    def start(self, memory: Memory, width: int) -> Tensor:
        """The means, (B, W, H, components): all at the first state."""
        return memory.keys.new_zeros(len(memory.states), width, self.n_heads, self.n_components)

    def forward(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """See `SpellerAttention.__call__`; weights are at least zero, and their rows sum to 1.02 at most."""
        with torch.autocast(query.device.type, enabled=False):
            components = self.to_components(self.to_hidden(at_least_float32(query)).tanh())
            share, step, width = components.unflatten(-1, (3, self.n_heads, self.n_components)).unbind(-3)
            means = state + F.softplus(step)
            widths = F.softplus(width) + LEAST_WIDTH
            heights = share.softmax(-1) / (widths * math.sqrt(2 * math.pi))
            deviations = (memory.keys - means[..., None]) / widths[..., None]  # (B, W, H, components, S)
            weights = (heights[..., None, :] @ (-0.5 * deviations.square()).exp()).squeeze(-2)
        weights = weights.masked_fill(~memory.mask[:, None, None], 0.0)
        return self.context(weights, memory), weights, means


def _inverse_softplus(value: float) -> float:
    """What softplus turns into a positive value."""
    return value + math.log(-math.expm1(-value))
