"""Attention by comparison in a space of its own: additive, and additive that knows where it has looked."""

from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.heads import SoftmaxAttention, at_least_float32
from asr.models.attention.memory import Memory
from asr.models.linear import Linear

IN_CACHE = (
    1 << 21
)  # numbers that a CPU compares at once: more would leave its caches between one operation and the next


class AdditiveEnergies(nn.Module):
    """Compares by a small network: e_s = v · tanh(W q + V h_s + b) (Bahdanau et al. 2015, appendix A.1.2).

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H, each with a v of its own, K = A / H wide.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int) -> None:
        super().__init__()
        self.to_key = Linear(d_states, d_attention)
        self.to_query = Linear(d_query, d_attention, bias=False)
        d_head = d_attention // n_heads
        self.v = nn.Parameter(torch.empty(n_heads, d_head).uniform_(-(d_head**-0.5), d_head**-0.5))

    def keys(self, states: Tensor) -> Tensor:
        """Twice what `to_key` makes of the states, once per utterance: (B, S, D) -> (B, S, A)."""
        keys: Tensor = 2 * self.to_key(states)
        return keys

    def forward(self, query: Tensor, keys: Tensor, more: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Compares.

        Args:
            query: (B, W, d_query).
            keys: (B, S, A) from `keys`.
            more: Features (B, W, S, n) and twice the weights (A, n); their product joins the sum in the tanh.

        Returns:
            (B, W, H, S), in float32 or better.
        """
        queries = 2 * self.to_query(query)
        n_each = max(1, IN_CACHE // (queries.shape[1] * keys[0].numel())) if keys.is_cpu else len(keys)
        features = repeat(None) if more is None else more[0].split(n_each)
        found = [
            self._energies(*piece, more and more[1])
            for piece in zip(queries.split(n_each), keys.split(n_each), features, strict=False)
        ]
        return torch.cat(found) if len(found) > 1 else found[0]

    def _energies(self, queries: Tensor, keys: Tensor, features: Tensor | None, weights: Tensor | None) -> Tensor:
        """Energies from twice the sums in the tanh: tanh(x) = 2 sigmoid(2 x) - 1, and torch is slow at tanh."""
        doubled = keys[:, None] + queries[:, :, None]
        if features is not None and weights is not None:
            doubled.flatten(0, 2).addmm_(features.flatten(0, 2).to(doubled.dtype), weights.t().to(doubled.dtype))
        with torch.autocast(doubled.device.type, enabled=False):
            vectors = self.vectors()
            # One matrix for all heads: row h has v_h at the units of head h, and zeros elsewhere.
            matrix = vectors if len(vectors) == 1 else torch.block_diag(*vectors)
            return F.linear(at_least_float32(doubled).sigmoid_(), 2 * matrix, -vectors.sum(-1)).transpose(-1, -2)

    def vectors(self) -> Tensor:
        """The v of each head: (H, K)."""
        return self.v


class AdditiveAttention(SoftmaxAttention):
    """Content-based attention (Bahdanau et al. 2015): the softmax of additive energies.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int = 1) -> None:
        super().__init__(d_states, d_attention, n_heads)
        self.compare = AdditiveEnergies(d_query, d_states, d_attention, n_heads)

    def keys(self, states: Tensor) -> Tensor:
        """States (B, S, D) -> (B, S, A)."""
        return self.compare.keys(states)

    def energies(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """See `SoftmaxAttention.energies`."""
        energies: Tensor = self.compare(query, memory.keys)
        return energies


class LocationAttention(AdditiveAttention):
    """Location-aware attention (Chorowski et al. 2015, eq. 8–9): the last weights, convolved, join the comparison.

    Filters run over the last weights of all heads, and all heads hear of what they found.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_filters: Convolution filters over the last weights.
        filter_width: Their width in states, odd.
        n_heads: Heads H.
    """

    def __init__(
        self, d_query: int, d_states: int, d_attention: int, n_filters: int, filter_width: int, n_heads: int = 1
    ) -> None:
        super().__init__(d_query, d_states, d_attention, n_heads)
        self.convolution = nn.Conv1d(n_heads, n_filters, filter_width, padding=filter_width // 2, bias=False)
        self.to_location = Linear(n_filters, d_attention, bias=False)

    def start(self, memory: Memory, width: int) -> Tensor:
        """The last weights, (B, W, H, S): all zero."""
        return _no_weights(memory, width, self.n_heads)

    def energies(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """See `SoftmaxAttention.energies`."""
        filtered = self.convolution(state.flatten(0, 1))  # (B W, n_filters, S)
        features = filtered.transpose(1, 2).unflatten(0, state.shape[:2])
        energies: Tensor = self.compare(query, memory.keys, (features, 2 * self.to_location.weight))
        return energies

    def after(self, state: Tensor, weights: Tensor) -> Tensor:
        """The weights of this step."""
        return weights


class CoverageAttention(AdditiveAttention):
    """Attention with coverage (See et al. 2017, eq. 10–11; Tu et al. 2016): the sum of all weights so far joins.

    All heads hear of what each has covered.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int = 1) -> None:
        super().__init__(d_query, d_states, d_attention, n_heads)
        self.to_covered = Linear(n_heads, d_attention, bias=False)

    def start(self, memory: Memory, width: int) -> Tensor:
        """The coverage, (B, W, H, S): all zero."""
        return _no_weights(memory, width, self.n_heads)

    def energies(self, query: Tensor, state: Tensor, memory: Memory) -> Tensor:
        """See `SoftmaxAttention.energies`."""
        covered = state.transpose(-1, -2)
        energies: Tensor = self.compare(query, memory.keys, (covered, 2 * self.to_covered.weight))
        return energies

    def after(self, state: Tensor, weights: Tensor) -> Tensor:
        """The coverage with the weights of this step."""
        return state + weights


def _no_weights(memory: Memory, width: int, n_heads: int) -> Tensor:
    n_utterances, n_states = memory.mask.shape
    return memory.states.new_zeros(n_utterances, width, n_heads, n_states)
