"""Additive energies and their kin against the papers' equations, number by number in float64."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from asr.models.attention import additive
from asr.models.attention.additive import AdditiveAttention, CoverageAttention, LocationAttention

MAKE: dict[str, Callable[[int], AdditiveAttention]] = {
    "additive": lambda n_heads: AdditiveAttention(6, 5, 4, n_heads),
    "location": lambda n_heads: LocationAttention(6, 5, 4, n_filters=3, filter_width=5, n_heads=n_heads),
    "coverage": lambda n_heads: CoverageAttention(6, 5, 4, n_heads),
}


def literal_energies(attention: AdditiveAttention, query: Tensor, past: list[Tensor], states: Tensor) -> Tensor:
    """e_s = v · tanh(W q + V h_s + b + U f_s) of each head, (H, S).

    f is what filters find around s in the last weights (location), or the sum of all weights at s (coverage).
    """
    compare, n = attention.compare, len(states)
    n_heads, d_head = compare.v.shape
    energies = torch.zeros(n_heads, n, dtype=torch.float64)
    for s in range(n):
        total = compare.to_query.weight @ query + compare.to_key.weight @ states[s] + compare.to_key.bias
        if isinstance(attention, LocationAttention) and past:
            filters = attention.convolution.weight  # (n_filters, H, width)
            found = torch.zeros(len(filters), dtype=torch.float64)
            for j in range(filters.shape[2]):
                place = s + j - filters.shape[2] // 2
                if 0 <= place < n:
                    found += filters[:, :, j] @ past[-1][:, place]
            total = total + attention.to_location.weight @ found
        if isinstance(attention, CoverageAttention) and past:
            total = total + attention.to_covered.weight @ sum(weights[:, s] for weights in past)
        for h in range(n_heads):
            energies[h, s] = compare.v[h] @ total[h * d_head : (h + 1) * d_head].tanh()
    return energies


@torch.no_grad()
@pytest.mark.parametrize("n_heads", [1, 2])
@pytest.mark.parametrize("kind", MAKE)
def test_matches_the_paper(kind: str, n_heads: int) -> None:
    torch.manual_seed(0)
    attention = MAKE[kind](n_heads).double()
    states, lens, queries = torch.randn(2, 9, 5).double(), [9, 6], torch.randn(2, 2, 3, 6).double()
    memory = attention.memory(states, torch.tensor(lens))
    state, steps = attention.start(memory, 2), []
    for query in queries.unbind(2):
        _, weights, state = attention(query, state, memory)
        steps.append(weights)
    for b, n in enumerate(lens):
        for w in range(2):
            past: list[Tensor] = []
            for u in range(3):
                energies = literal_energies(attention, queries[b, w, u], past, states[b, :n])
                rows = [[math.exp(e) / sum(math.exp(o) for o in row) for e in row] for row in energies.tolist()]
                past.append(torch.tensor(rows, dtype=torch.float64))
                torch.testing.assert_close(steps[u][b, w, :, :n], past[-1], atol=1e-10, rtol=0)
                assert steps[u][b, w, :, n:].eq(0).all()


@torch.no_grad()
@pytest.mark.parametrize("kind", MAKE)
def test_pieces_are_what_they_are_together(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU compares as many utterances at once as its caches hold: here one, then all."""
    torch.manual_seed(0)
    attention = MAKE[kind](2)
    memory = attention.memory(torch.randn(3, 9, 5), torch.tensor([9, 6, 2]))
    query, state = torch.randn(3, 2, 6), attention.start(memory, 2)
    state = state + torch.rand_like(state)
    together = attention.energies(query, state, memory)
    monkeypatch.setattr(additive, "IN_CACHE", 1)
    torch.testing.assert_close(attention.energies(query, state, memory), together, atol=1e-6, rtol=0)


def test_filters_see_the_last_weights_alone() -> None:
    """Location looks one step back, coverage all the way."""
    torch.manual_seed(0)
    weights = torch.rand(1, 1, 2, 5)
    location, coverage = MAKE["location"](2), MAKE["coverage"](2)
    before = torch.rand(1, 1, 2, 5)
    assert location.after(before, weights) is weights
    torch.testing.assert_close(coverage.after(before, weights), before + weights)
