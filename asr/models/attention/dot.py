"""Attention by dot product, plain and scaled: the cheapest comparison, one matrix product per step."""

from torch import Tensor, autocast

from asr.models.attention.heads import SoftmaxAttention, at_least_float32
from asr.models.attention.memory import Memory
from asr.models.attention.multi_head import split_heads
from asr.models.linear import Linear


class DotAttention(SoftmaxAttention):
    """Dot product (Luong et al. 2015, eq. 7–8) of query and states, both projected: e_s = W q · V h_s.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int = 1) -> None:
        super().__init__(d_states, d_attention, n_heads)
        self.to_key = Linear(d_states, d_attention, bias=False)
        self.to_query = Linear(d_query, d_attention, bias=False)
        self.scale = 1.0

    def keys(self, states: Tensor) -> Tensor:
        """States (B, S, D) -> (B, H, S, K), in float32 or better."""
        return at_least_float32(split_heads(self.to_key(states), self.n_heads)).contiguous()

    def energies(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """See `SoftmaxAttention.energies`."""
        heads = split_heads(self.to_query(query), self.n_heads)
        with autocast(query.device.type, enabled=False):
            energies = self.scale * at_least_float32(heads) @ memory.keys.transpose(-1, -2)
        return energies.transpose(1, 2)


class ScaledDotAttention(DotAttention):
    """Dot product divided by √K, so that its spread does not grow with the width (Vaswani et al. 2017, eq. 1).

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H, each K = A / H wide.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int = 1) -> None:
        super().__init__(d_query, d_states, d_attention, n_heads)
        self.scale = (d_attention // n_heads) ** -0.5
