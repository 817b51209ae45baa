"""The mixture of Gaussians against its equations, number by number in float64; and that it never goes back."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.models.attention.gmm import LEAST_WIDTH, GmmAttention


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


@torch.no_grad()
@pytest.mark.parametrize("n_heads", [1, 2])
def test_matches_the_paper(n_heads: int) -> None:
    torch.manual_seed(0)
    n = 3  # Gaussians
    attention = GmmAttention(4, 5, 6, n, initial_step=1.2, initial_width=1.5, n_heads=n_heads).double()
    states, lens, queries = torch.randn(2, 9, 5).double(), [9, 6], torch.randn(2, 2, 3, 4).double()
    memory = attention.memory(states, torch.tensor(lens))
    state, steps = attention.start(memory, 2), []
    for query in queries.unbind(2):
        _, weights, state = attention(query, state, memory)
        steps.append(weights)
    inner, outer = attention.to_hidden, attention.to_components
    for b in range(2):
        for w in range(2):
            means = [[0.0] * n for _ in range(n_heads)]
            for u in range(3):
                hidden = (inner.weight @ queries[b, w, u] + inner.bias).tanh()
                numbers = (outer.weight @ hidden + outer.bias).tolist()
                for h in range(n_heads):
                    share, step, width = (numbers[(i * n_heads + h) * n : (i * n_heads + h + 1) * n] for i in range(3))
                    total = sum(math.exp(each) for each in share)
                    means[h] = [mean + softplus(each) for mean, each in zip(means[h], step, strict=True)]
                    for s in range(9):
                        expected = 0.0
                        for k in range(n):
                            sigma = softplus(width[k]) + LEAST_WIDTH
                            height = math.exp(share[k]) / total / math.sqrt(2 * math.pi * sigma**2)
                            expected += height * math.exp(-((s - means[h][k]) ** 2) / (2 * sigma**2))
                        expected *= s < lens[b]
                        assert abs(steps[u][b, w, h, s].item() - expected) <= 1e-10


def test_starts_with_the_steps_and_widths_it_was_told() -> None:
    attention = GmmAttention(4, 5, 6, 3, initial_step=2.5, initial_width=4.0)
    attention.to_components.weight.data.zero_()
    memory = attention.memory(torch.randn(1, 40, 5), torch.tensor([40]))
    state = attention.start(memory, 1)
    for u in range(1, 9):
        _, weights, state = attention(torch.randn(1, 1, 4), state, memory)
        torch.testing.assert_close(state, torch.full((1, 1, 1, 3), 2.5 * u))
    places = torch.arange(40.0)
    mean = (weights * places).sum()
    torch.testing.assert_close(mean, torch.tensor(20.0), atol=1e-3, rtol=0)
    torch.testing.assert_close((weights * (places - mean) ** 2).sum().sqrt(), torch.tensor(4.0), atol=1e-2, rtol=0)


@given(st.integers(0, 2**31), st.floats(0.1, 30.0), st.integers(1, 2))
def test_means_never_move_back_and_rows_stay_small(seed: int, scale: float, n_heads: int) -> None:
    """Whatever the weights and queries, however large."""
    torch.manual_seed(seed)
    attention = GmmAttention(4, 5, 6, 3, initial_step=1.0, initial_width=1.0, n_heads=n_heads)
    for parameter in attention.parameters():
        parameter.data *= scale
    memory = attention.memory(torch.randn(2, 12, 5), torch.tensor([12, 7]))
    state = attention.start(memory, 2)
    for _ in range(5):
        _, weights, after = attention(scale * torch.randn(2, 2, 4), state, memory)
        assert after.ge(state).all()
        assert weights.isfinite().all() and weights.ge(0).all()
        assert weights.sum(-1).le(1.02).all()
        state = after
