"""Attention against literal transcriptions of the papers' equations, in float64."""

import math

import pytest
import torch

from asr.models.attention.additive import AdditiveAttention, LocationAttention


def literal_energies(attention, query, previous, states) -> list[float]:
    """e_s = v · tanh(W q + V h_s + U f_s + b), f = F * previous weights, one number at a time."""
    width = attention.convolution.kernel_size[0] if isinstance(attention, LocationAttention) else 0
    energies = []
    for s, state in enumerate(states):
        total = attention.to_query.weight @ query + attention.to_key.weight @ state + attention.to_key.bias
        if width:
            filters = attention.convolution.weight[:, 0]
            around = [
                previous[s + j - width // 2] if 0 <= s + j - width // 2 < len(previous) else 0.0 for j in range(width)
            ]
            f = torch.stack([sum(w * a for w, a in zip(row, around, strict=True)) for row in filters])
            total = total + attention.to_location.weight @ f
        energies.append(float((attention.to_energy.weight[0] * total.tanh()).sum().detach()))
    return energies


@pytest.mark.parametrize("kind", ["additive", "location"])
def test_matches_the_paper(kind: str) -> None:
    torch.manual_seed(0)
    make = {
        "additive": lambda: AdditiveAttention(d_query=6, d_states=5, d_attention=4),
        "location": lambda: LocationAttention(d_query=6, d_states=5, d_attention=4, n_filters=3, filter_width=5),
    }
    attention = make[kind]().double()
    states, lens = torch.randn(2, 9, 5, dtype=torch.float64), torch.tensor([9, 6])
    query, previous = torch.randn(2, 3, 6).double(), torch.rand(2, 3, 9).double()
    memory = attention.memory(states, lens)
    previous = previous.masked_fill(~memory.mask[:, None], 0.0)
    context, weights, _ = attention(query, previous, memory)
    for b in range(2):
        for w in range(3):
            n = int(lens[b])
            energies = literal_energies(attention, query[b, w], previous[b, w].tolist(), states[b, :n])
            total = sum(math.exp(e) for e in energies)
            expected = torch.tensor([math.exp(e) / total for e in energies], dtype=torch.float64)
            torch.testing.assert_close(weights[b, w, 0, :n], expected, atol=1e-10, rtol=0)
            assert weights[b, w, 0, n:].eq(0).all()
            torch.testing.assert_close(context[b, w], expected @ states[b, :n], atol=1e-10, rtol=0)


def test_gradients() -> None:
    torch.manual_seed(0)
    attention = LocationAttention(d_query=3, d_states=3, d_attention=2, n_filters=2, filter_width=3).double()
    lens = torch.tensor([4, 2])

    def attend(query: torch.Tensor, states: torch.Tensor, previous: torch.Tensor) -> torch.Tensor:
        context, weights, _ = attention(query, previous, attention.memory(states, lens))
        return torch.cat([context.flatten(), weights.flatten()])

    inputs = [
        torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 1, 3), (2, 4, 3), (2, 1, 4))
    ]
    assert torch.autograd.gradcheck(attend, inputs)


def test_energies_are_float32_under_bf16() -> None:
    """In bf16 the gradient of attention was wrong by a tenth."""
    torch.manual_seed(0)
    attention = LocationAttention(d_query=4, d_states=6, d_attention=5, n_filters=2, filter_width=3)
    seen: list[torch.dtype] = []
    attention.to_energy.register_forward_hook(lambda _module, _inputs, energies: seen.append(energies.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        memory = attention.memory(torch.randn(2, 7, 6), torch.tensor([7, 3]))
        _, weights, _ = attention(torch.randn(2, 1, 4), attention.start(memory, 1), memory)
    assert seen == [torch.float32]
    assert weights.dtype == torch.float32
