"""Dot products against the papers' equations, number by number in float64, and against the formula."""

import math

import pytest
import torch

from asr.models.attention.dot import DotAttention, ScaledDotAttention
from asr.models.attention.formula import attention_weights
from asr.models.attention.multi_head import split_heads


@pytest.mark.parametrize("n_heads", [1, 2])
@pytest.mark.parametrize("cls", [DotAttention, ScaledDotAttention])
def test_matches_the_paper(cls: type[DotAttention], n_heads: int) -> None:
    torch.manual_seed(0)
    attention, d_head = cls(6, 5, 4, n_heads).double(), 4 // n_heads
    states, lens, query = torch.randn(2, 9, 5).double(), [9, 6], torch.randn(2, 3, 6).double()
    memory = attention.memory(states, torch.tensor(lens))
    _, weights, _ = attention(query, attention.start(memory, 3), memory)
    for b, n in enumerate(lens):
        keys = [(attention.to_key.weight @ states[b, s]).tolist() for s in range(n)]
        for w in range(3):
            asked = (attention.to_query.weight @ query[b, w]).tolist()
            for h in range(n_heads):
                units = range(h * d_head, (h + 1) * d_head)
                energies = [sum(asked[k] * key[k] for k in units) for key in keys]
                if cls is ScaledDotAttention:
                    energies = [energy / math.sqrt(d_head) for energy in energies]
                total = sum(math.exp(energy) for energy in energies)
                expected = torch.tensor([math.exp(energy) / total for energy in energies], dtype=torch.float64)
                torch.testing.assert_close(weights[b, w, h, :n], expected, atol=1e-10, rtol=0)
                assert weights[b, w, h, n:].eq(0).all()


def test_scaled_dot_is_the_formula() -> None:
    torch.manual_seed(0)
    attention = ScaledDotAttention(6, 5, 8, n_heads=2).double()
    states, query = torch.randn(2, 9, 5).double(), torch.randn(2, 3, 6).double()
    memory = attention.memory(states, torch.tensor([9, 6]))
    _, weights, _ = attention(query, attention.start(memory, 3), memory)
    queries, keys = split_heads(attention.to_query(query), 2), split_heads(attention.to_key(states), 2)
    expected = attention_weights(queries, keys, memory.mask[:, None, None])
    torch.testing.assert_close(weights.transpose(1, 2), expected, atol=1e-10, rtol=0)
