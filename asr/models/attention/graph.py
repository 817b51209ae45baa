"""Graph attention over a sparse graph of states: near neighbours and, ever more rarely, far ones; cost O(S · log S)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.multi_head import check_heads, join_heads, split_heads
from asr.models.attention.relative import encode_distances
from asr.models.linear import Linear
from asr.models.masks import length_mask, zero_padding

IN_CACHE = 1 << 17
"""Numbers of the sum that a CPU works on at once: half a megabyte."""
LEAK = 0.2
"""Slope of the leaky ReLU below zero, as in the paper."""


class GraphSelfAttention(nn.Module):
    """Graph attention (Veličković et al. 2018, "Graph attention networks", eq. 1–5) on the states of an utterance.

    The neighbours j of state i are i itself, the `n_near` states to either side, and the states 2^k before and after
    it, for all k that the utterance is long enough for. With W h split into heads,

        e_ij = LeakyReLU(a · [W h_i ‖ W h_j ‖ E R_{i-j}]),   α_ij = softmax_j e_ij,   h'_i = ELU(Σ_j α_ij W h_j),

    the heads' h' joined and projected. The paper's graphs have no distances: E R_{i-j}, the sinusoidal encoding of
    ours projected, is what the third part of a sees, so a · E is one row of weights for each head. With n neighbours
    near and far, time and memory are O(S · n), n ≤ 1 + 2 n_near + 2 log2(S).

    Since e is a sum of what i and j give to it, all queries of a head rank two states at given distances alike
    (Brody et al. 2022, "How attentive are graph attention networks?"): cheaper than a dot product, and weaker.

    Args:
        d_model: Width D, even.
        n_heads: Heads H.
        n_near: Neighbours to either side, 0 or more.

    Raises:
        ValueError: Heads do not divide the width.
    """

    def __init__(self, d_model: int, n_heads: int, n_near: int) -> None:
        super().__init__()
        check_heads(d_model, n_heads)
        self.n_heads, self.n_near = n_heads, n_near
        self.to_node = Linear(d_model, d_model, bias=False)
        self.from_query = nn.Parameter(torch.empty(n_heads, d_model // n_heads, 1))
        self.from_key = nn.Parameter(torch.empty(n_heads, d_model // n_heads, 1))
        for part in (self.from_query, self.from_key):
            nn.init.xavier_uniform_(part)
        self.from_distance = Linear(d_model, n_heads, bias=False)
        self.to_output = Linear(d_model, d_model)

    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Lets each state look at its neighbours.

        Args:
            inputs: (B, S, D); values beyond a length are ignored.
            lens: (B,) int64.

        Returns:
            (B, S, D); values beyond a length are meaningless but finite.
        """
        nodes, weights, offsets = self._look(inputs, lens)
        found: Tensor = SumOfNeighbours.apply(nodes, weights, offsets)
        return self.to_output(join_heads(F.elu(found)))

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where `forward` looks: (B, H, S, S), rows sum to one over an utterance."""
        _, weights, offsets = self._look(inputs, lens)
        n_states = inputs.shape[1]
        dense = weights.new_zeros(*weights.shape[:3], n_states)
        for number, offset in enumerate(offsets):
            first, last = max(0, -offset), min(n_states, n_states - offset)
            dense.diagonal(offset, -2, -1).copy_(weights[..., first:last, number])
        return dense

    def _look(self, inputs: Tensor, lens: Tensor) -> tuple[Tensor, Tensor, list[int]]:
        """Nodes W h (B, H, S, K), the weight of each neighbour (B, H, S, n) and how far it is."""
        n_states = inputs.shape[1]
        offsets = offsets_of(self.n_near, n_states)
        nodes = split_heads(self.to_node(zero_padding(inputs, lens)), self.n_heads)
        with torch.autocast(inputs.device.type, enabled=False):  # energies need more than bf16's three digits
            nodes = nodes.to(torch.promote_types(nodes.dtype, torch.float32))
            distances = -torch.tensor(offsets, device=nodes.device, dtype=nodes.dtype)
            by_distance = self.from_distance(encode_distances(distances, inputs.shape[-1]))  # (n, H)
            of_keys = torch.cat(list(shifted(nodes @ self.from_key, offsets)), -1)
            energies = nodes @ self.from_query + of_keys + by_distance.T[:, None]
            real = length_mask(lens, n_states)[:, None, :, None]
            seen = torch.cat(list(shifted(real, offsets)), -1)
            energies = F.leaky_relu(energies, LEAK).masked_fill(~seen, torch.finfo(energies.dtype).min)
            return nodes, energies.softmax(-1).masked_fill(~seen, 0.0), offsets


class SumOfNeighbours(torch.autograd.Function):
    """Σ_n weights[..., i, n] · nodes[..., i + offsets[n], :], with no tensor that has an axis for n and one for K.

    Autograd by itself would write a gradient of the length of the utterance for each neighbour and add those up. Here
    a stretch of states meets all its neighbours before the next does, so that its sum, and whoever is near, stay in a
    CPU's cache however long the utterance is.
    """

    @staticmethod
    def forward(ctx: Any, nodes: Tensor, weights: Tensor, offsets: list[int]) -> Tensor:
        """Nodes (B, H, S, K) and weights (B, H, S, n) -> (B, H, S, K)."""
        ctx.save_for_backward(nodes, weights)
        ctx.offsets = offsets
        padded, found = pad_by(max(offsets), nodes), torch.zeros_like(nodes)
        for first, n_states in stretches(nodes):
            sums, by = found.narrow(-2, first, n_states), weights.narrow(-2, first, n_states)
            for number, offset in enumerate(offsets):
                neighbours = padded.narrow(-2, max(offsets) + first + offset, n_states)
                sums.addcmul_(by[..., number, None], neighbours)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradient (B, H, S, K) of the sum -> those of nodes and weights."""
        nodes, weights = ctx.saved_tensors
        furthest = max(ctx.offsets)
        padded, of_weights = pad_by(furthest, nodes), torch.empty_like(weights)
        of_nodes = torch.zeros_like(padded)
        for first, n_states in stretches(nodes):
            of_sums, by = gradient.narrow(-2, first, n_states), weights.narrow(-2, first, n_states)
            for number, offset in enumerate(ctx.offsets):
                start = furthest + first + offset
                of_nodes.narrow(-2, start, n_states).addcmul_(by[..., number, None], of_sums)
                products = (of_sums * padded.narrow(-2, start, n_states)).sum(-1)
                of_weights[..., first : first + n_states, number] = products
        return of_nodes.narrow(-2, furthest, nodes.shape[-2]), of_weights, None


def offsets_of(n_near: int, n_states: int) -> list[int]:
    """How far the neighbours are: -n_near to n_near, and powers of two beyond; none that no state has."""
    near = range(min(n_near, n_states - 1) + 1)
    far = [2**k for k in range(n_states.bit_length()) if n_near < 2**k < n_states]
    return sorted({sign * distance for distance in (*near, *far) for sign in (-1, 1)})


def stretches(values: Tensor) -> Iterator[tuple[int, int]]:
    """Where each stretch of the states of (..., S, K) begins and how long it is."""
    n_states = values.shape[-2]
    n_each = max(1, IN_CACHE * n_states // max(1, values.numel())) if values.is_cpu else n_states
    for first in range(0, n_states, n_each):
        yield first, min(n_each, n_states - first)


def pad_by(furthest: int, values: Tensor) -> Tensor:
    """Puts zeros where there are no states: (..., S, K) -> (..., furthest + S + furthest, K)."""
    return F.pad(values, (0, 0, furthest, furthest))


def shifted(values: Tensor, offsets: list[int]) -> Iterator[Tensor]:
    """For each offset the states that far ahead, zeros where there are none: views of (..., S, K), shaped alike."""
    padded = pad_by(max(offsets), values)
    for offset in offsets:
        yield padded.narrow(-2, max(offsets) + offset, values.shape[-2])
