"""Attention that walks ahead and stops: monotonic, by its expectation, and chunkwise where it looks back a little."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.additive import AdditiveEnergies
from asr.models.attention.heads import HeadedAttention
from asr.models.attention.memory import Memory

NEVER = -1e4
"""Log-probability of what cannot be: its exp is exactly zero, and its gradient is a number."""


class StopEnergies(AdditiveEnergies):
    """Additive energies of bounded size and a bias: g v / |v| · tanh(W q + V h_s + b) + r (Raffel et al. 2017, §2.4).

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        n_heads: Heads H, each with v, g and r of its own.
        bias: r at first. g is 1, so that energies are about one from r; from 1 / √K, as there, it takes long to grow.
    """

    def __init__(self, d_query: int, d_states: int, d_attention: int, n_heads: int, bias: float) -> None:
        super().__init__(d_query, d_states, d_attention, n_heads)
        self.g = nn.Parameter(torch.ones(n_heads, 1))
        self.r = nn.Parameter(torch.full((n_heads, 1), bias))

    def forward(self, query: Tensor, keys: Tensor, more: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """See `AdditiveEnergies.forward`."""
        return super().forward(query, keys, more) + self.r

    def vectors(self) -> Tensor:
        """Of each head g v / |v|: (H, K)."""
        return self.g * self.v / self.v.norm(dim=-1, keepdim=True)


class MonotonicAttention(HeadedAttention):
    """Monotonic attention (Raffel et al. 2017): from where it stopped last, it walks ahead and stops at a state or not.

    Weights are the probabilities of having stopped at each state, in training as in use, so that what is decoded is
    what was trained. Who reaches the last state stops there, so that rows sum to one; there, who walks past it sees
    nothing, and the speller learns late that words were left out. In training, noise on the energies (there, §2.5)
    makes the speller prefer to be sure, and weights near zero and one.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        initial_step: States it walks at first from stop to stop, on average: as many as there are per token, about.
        noise: Standard deviation of the noise.
        n_heads: Heads H, each of which walks by itself.
    """

    def __init__(
        self, d_query: int, d_states: int, d_attention: int, initial_step: float, noise: float, n_heads: int = 1
    ) -> None:
        super().__init__(d_states, d_attention, n_heads)
        # A walk that stops with probability p at each state makes (1 - p) / p steps.
        bias = -float(torch.tensor(initial_step, device="cpu").log())
        self.stop = StopEnergies(d_query, d_states, d_attention, n_heads, bias)
        self.noise = noise

    def keys(self, states: Tensor) -> Tensor:
        """States (B, S, D) -> (B, S, A)."""
        return self.stop.keys(states)

    def start(self, memory: Memory, width: int) -> Tensor:
        """Log-probabilities of having stopped last, (B, W, H, S), float32 or better: surely at the first state."""
        n_utterances, n_states = memory.mask.shape
        dtype = torch.promote_types(memory.states.dtype, torch.float32)
        state = memory.states.new_full((n_utterances, width, self.n_heads, n_states), NEVER, dtype=dtype)
        state[..., 0] = 0.0
        return state

    def forward(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """See `SpellerAttention.__call__`."""
        stops = self.walk(query, state, memory.keys, memory.mask)
        weights = stops.exp()
        return self.context(weights, memory), weights, stops

    def walk(self, query: Tensor, state: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """Walks on: log-probabilities of stopping at each state, (B, W, H, S), `NEVER` or less on padding.

        Args:
            query: (B, W, d_query).
            state: (B, W, H, S) log-probabilities of having stopped there last.
            keys: (B, S, A).
            mask: (B, S).
        """
        energies = self.stop(query, keys)
        if self.training and self.noise:
            energies = energies + self.noise * torch.randn_like(energies)
        last = mask & ~F.pad(mask[:, 1:], (0, 1))
        energies = energies.masked_fill(~mask[:, None, None], NEVER).masked_fill(last[:, None, None], -NEVER)
        return stopping(energies, state)


class MochaAttention(MonotonicAttention):
    """Monotonic chunkwise attention (Chiu & Raffel 2018): where it stops, a softmax over the last few states.

    Weights are those expected over all places where it may have stopped.

    Args:
        d_query: Width of the query.
        d_states: Width D of the listener states.
        d_attention: Width A of the space in which they are compared, split among the heads.
        chunk_width: States in a chunk, the one where it stops being the last.
        initial_step: See `MonotonicAttention`.
        noise: See `MonotonicAttention`.
        n_heads: Heads H, each of which walks by itself and has chunks of its own.
    """

    def __init__(
        self,
        d_query: int,
        d_states: int,
        d_attention: int,
        chunk_width: int,
        initial_step: float,
        noise: float,
        n_heads: int = 1,
    ) -> None:
        super().__init__(d_query, d_states, d_attention, initial_step, noise, n_heads)
        self.chunk = AdditiveEnergies(d_query, d_states, d_attention, n_heads)
        self.chunk_width = chunk_width

    def keys(self, states: Tensor) -> Tensor:
        """Keys of both comparisons, side by side: (B, S, 2 A)."""
        return torch.cat([self.stop.keys(states), self.chunk.keys(states)], -1)

    def forward(self, query: Tensor, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """See `SpellerAttention.__call__`."""
        stop_keys, chunk_keys = memory.keys.chunk(2, -1)
        stops = self.walk(query, state, stop_keys, memory.mask)
        energies = self.chunk(query, chunk_keys).masked_fill(~memory.mask[:, None, None], NEVER)
        weights = look_back(stops.exp(), energies, self.chunk_width)
        return self.context(weights, memory), weights, stops


def stopping(energies: Tensor, before: Tensor) -> Tensor:
    """Where a walk stops that began where it stopped last: the recursion of Raffel et al. 2017, §2.3, in closed form.

    With p_s = sigmoid(e_s) and log-probabilities a_s of having stopped at s before, those of stopping at s now are

        log p_s + L_s + log Σ_{r ≤ s} exp(a_r - L_r)        L_s = Σ_{r < s} log(1 - p_r)

    as a walk that begins at r passes r … s - 1 and stops at s. The paper divides by exp(L), which is soon zero in
    floating point; logarithms neither underflow nor need its clipping.

    Args:
        energies: (..., S); `NEVER` where it cannot stop.
        before: (..., S) log-probabilities.

    Returns:
        (..., S) log-probabilities.
    """
    passed = F.logsigmoid(-energies).cumsum(-1)
    reached = F.pad(passed[..., :-1], (1, 0))
    return F.logsigmoid(energies) + reached + (before - reached).logcumsumexp(-1)


def look_back(stops: Tensor, energies: Tensor, width: int) -> Tensor:
    """Expected weights of a softmax over the `width` states up to a stop (Chiu & Raffel 2018, §2.4, the moving sums).

        weight_s = Σ_{k = s}^{s + width - 1} stops_k exp(u_s) / Σ_{r = k - width + 1}^{k} exp(u_r)

    No exp here exceeds one: chunk sums are kept as logarithms, and u_s is part of each that it is divided by.

    Args:
        stops: (..., S) probabilities.
        energies: (..., S); `NEVER` where there is nothing to see.
        width: States in a chunk.

    Returns:
        (..., S); each row sums to what `stops` sums to.
    """
    sums = F.pad(energies, (width - 1, 0), value=NEVER).unfold(-1, width, 1).logsumexp(-1)
    sums = F.pad(sums, (0, width - 1), value=-NEVER).unfold(-1, width, 1)
    stops = F.pad(stops, (0, width - 1)).unfold(-1, width, 1)
    return (stops * (energies[..., None] - sums).exp()).sum(-1)
