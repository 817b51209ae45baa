"""Monotonic and chunkwise attention against the papers' definitions in float64, and that they never go back."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.models.attention.monotonic import MochaAttention, MonotonicAttention, look_back, stopping


def literal_energies(compare: torch.nn.Module, query: Tensor, states: Tensor) -> Tensor:
    """g v / |v| · tanh(W q + V h_s + b) + r of each head, (H, S); chunks have v alone."""
    n_heads, d_head = compare.v.shape
    energies = torch.zeros(n_heads, len(states), dtype=torch.float64)
    for s, state in enumerate(states):
        total = (compare.to_query.weight @ query + compare.to_key.weight @ state + compare.to_key.bias).tanh()
        for h in range(n_heads):
            v, units = compare.v[h], total[h * d_head : (h + 1) * d_head]
            if hasattr(compare, "g"):
                energies[h, s] = compare.g[h] * (v @ units) / math.sqrt(sum(v**2)) + compare.r[h]
            else:
                energies[h, s] = v @ units
    return energies


def literal_stops(energies: list[float], before: list[float]) -> list[float]:
    """P(stop at s) = Σ over where it stopped before, r ≤ s, of P(r) Π_{r ≤ k < s} (1 - p_k) p_s, p = 1 at the end."""
    p = [1 / (1 + math.exp(-energy)) for energy in energies[:-1]] + [1.0]
    return [
        sum(before[r] * math.prod(1 - p[k] for k in range(r, s)) * p[s] for r in range(s + 1)) for s in range(len(p))
    ]


def literal_look(stops: list[float], energies: list[float], width: int) -> list[float]:
    """Sum over where it may have stopped of the softmax over the chunk that ends there."""
    weights = [0.0] * len(stops)
    for end, stop in enumerate(stops):
        chunk = range(max(0, end - width + 1), end + 1)
        total = sum(math.exp(energies[s]) for s in chunk)
        for s in chunk:
            weights[s] += stop * math.exp(energies[s]) / total
    return weights


@torch.no_grad()
@pytest.mark.parametrize("n_heads", [1, 2])
@pytest.mark.parametrize("kind", ["monotonic", "mocha"])
def test_matches_the_paper(kind: str, n_heads: int) -> None:
    torch.manual_seed(0)
    given = {"initial_step": 1.5, "noise": 1.0, "n_heads": n_heads}
    attention = MonotonicAttention(6, 5, 4, **given) if kind == "monotonic" else MochaAttention(6, 5, 4, 3, **given)
    attention = attention.double().eval()
    attention.stop.g.data *= 5.0
    states, lens, queries = torch.randn(2, 9, 5).double(), [9, 6], torch.randn(2, 2, 3, 6).double()
    memory = attention.memory(states, torch.tensor(lens))
    state, steps = attention.start(memory, 2), []
    for query in queries.unbind(2):
        _, weights, state = attention(query, state, memory)
        steps.append(weights)
    for b, n in enumerate(lens):
        for w in range(2):
            before = [[1.0] + [0.0] * (n - 1)] * n_heads
            for u in range(3):
                energies = literal_energies(attention.stop, queries[b, w, u], states[b, :n]).tolist()
                before = [literal_stops(*each) for each in zip(energies, before, strict=True)]
                expected = before
                if kind == "mocha":
                    seen = literal_energies(attention.chunk, queries[b, w, u], states[b, :n]).tolist()
                    expected = [literal_look(*each, 3) for each in zip(before, seen, strict=True)]
                found = steps[u][b, w, :, :n]
                torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=0)
                assert steps[u][b, w, :, n:].eq(0).all()


def test_stopping_is_the_recursion_of_the_paper() -> None:
    """stops_s = p_s ((1 - p_{s-1}) stops_{s-1} / p_{s-1} + before_s), which needs no closed form."""
    torch.manual_seed(0)
    energies, before = 3 * torch.randn(40).double(), torch.rand(40).double().softmax(0)
    p, expected = energies.sigmoid(), torch.zeros(40).double()
    for s in range(40):
        carried = (1 - p[s - 1]) * expected[s - 1] / p[s - 1] if s else 0.0
        expected[s] = p[s] * (carried + before[s])
    torch.testing.assert_close(stopping(energies, before.log()).exp(), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("size", [1.0, 10.0, 30.0])
def test_long_walks_are_finite_and_right_in_float32(size: float) -> None:
    """Where the paper's cumulative product is zero, and so its quotient no number, here are values and gradients."""
    torch.manual_seed(0)
    energies = (size * torch.randn(60, 1500)).requires_grad_()
    state, exact = torch.full((1500,), -1e4), torch.zeros(1500).double()
    state[0], exact[0] = 0.0, 1.0
    for each in energies:
        state = stopping(each - 2.0, state)
        p, carried = (each.detach().double() - 2.0).sigmoid(), 0.0
        chances, lasts, rows = p.tolist(), exact.tolist(), []
        for chance, last in zip(chances, lasts, strict=True):
            carried += last
            rows.append(carried * chance)
            carried *= 1 - chance
        exact = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(state.exp().double(), exact, atol=1e-4, rtol=0)
    (state.exp() * torch.arange(1500)).sum().backward()
    assert energies.grad is not None and energies.grad.isfinite().all()


def test_noise_is_for_training_only() -> None:
    torch.manual_seed(0)
    attention = MonotonicAttention(6, 5, 4, initial_step=2.0, noise=1.0)
    memory, query = attention.memory(torch.randn(1, 9, 5), torch.tensor([9])), torch.randn(1, 1, 6)
    state = attention.start(memory, 1)
    assert not torch.equal(attention(query, state, memory)[1], attention(query, state, memory)[1])
    attention.eval()
    assert torch.equal(attention(query, state, memory)[1], attention(query, state, memory)[1])


def test_walks_at_first_as_far_as_it_was_told() -> None:
    attention = MonotonicAttention(6, 5, 4, initial_step=2.5, noise=0.0)
    attention.stop.g.data.zero_()
    memory = attention.memory(torch.randn(1, 200, 5), torch.tensor([200]))
    state = attention.start(memory, 1)
    for u in range(1, 5):
        _, weights, state = attention(torch.randn(1, 1, 6), state, memory)
        torch.testing.assert_close((weights * torch.arange(200.0)).sum(), torch.tensor(2.5 * u), atol=1e-3, rtol=0)


def test_a_chunk_of_one_state_is_where_it_stops() -> None:
    torch.manual_seed(0)
    stops = torch.rand(2, 9).softmax(-1)
    torch.testing.assert_close(look_back(stops, 50 * torch.randn(2, 9), 1), stops)


@settings(max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.1, 60.0), st.integers(1, 9))
def test_never_moves_back(seed: int, scale: float, width: int) -> None:
    """By each state, no more can have stopped now than before; and chunks reach back by their width less one."""
    torch.manual_seed(seed)
    state = torch.full((2, 8), -1e4).double()
    state[:, 0] = 0.0
    for _ in range(4):
        after = stopping(scale * torch.randn(2, 8).double(), state)
        weights = look_back(after.exp(), scale * torch.randn(2, 8).double(), width)
        before, now, seen = (each.cumsum(-1) for each in (state.exp(), after.exp(), weights))
        assert (now <= before + 1e-9).all()
        assert (seen >= now - 1e-9).all()
        assert (seen[:, : 9 - width] <= now[:, width - 1 :] + 1e-9).all()
        torch.testing.assert_close(seen[:, -1], now[:, -1])
        state = after
