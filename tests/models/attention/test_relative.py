"""Self-attention with relative positions against the paper's energies, summed one number at a time."""

import math

import pytest
import torch
from torch import Tensor

from asr.models.attention.relative import RelativeSelfAttention, align_distances


def draw(n_states: int = 5, d_model: int = 6, n_heads: int = 2) -> tuple[RelativeSelfAttention, Tensor]:
    torch.manual_seed(0)
    attention = RelativeSelfAttention(d_model, n_heads).double()
    with torch.no_grad():
        attention.content_bias.normal_()
        attention.position_bias.normal_()
    return attention, torch.randn(2, n_states, d_model, dtype=torch.float64)


def encode(distance: int, d_model: int) -> Tensor:
    angles = [distance / 10000 ** (2 * i / d_model) for i in range(d_model // 2)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles], dtype=torch.float64)


def literal(attention: RelativeSelfAttention, states: Tensor) -> tuple[Tensor, Tensor]:
    """One utterance (S, D): Dai et al. 2019, §3.3, the four terms (a) to (d) of A^rel, scaled, and what they sum up."""
    n_states, d_model = states.shape
    d_head = d_model // attention.n_heads
    to_q, to_k, to_v = attention.to_query_key_value.weight.chunk(3)
    b_q, b_k, b_v = attention.to_query_key_value.bias.chunk(3)
    weights = torch.zeros(attention.n_heads, n_states, n_states, dtype=torch.float64)
    outputs = torch.zeros(n_states, d_model, dtype=torch.float64)
    for h in range(attention.n_heads):
        own = slice(h * d_head, (h + 1) * d_head)
        u, v = attention.content_bias[h, 0], attention.position_bias[h, 0]
        for i in range(n_states):
            query = (to_q @ states[i] + b_q)[own]
            energies = []
            for j in range(n_states):
                key = (to_k @ states[j] + b_k)[own]
                position = (attention.to_position.weight @ encode(i - j, d_model))[own]
                energies.append(float(query @ key + query @ position + u @ key + v @ position) / math.sqrt(d_head))
            total = sum(math.exp(e) for e in energies)
            for j in range(n_states):
                weights[h, i, j] = math.exp(energies[j]) / total
                outputs[i, own] += weights[h, i, j] * (to_v @ states[j] + b_v)[own]
    return outputs @ attention.to_output.weight.T + attention.to_output.bias, weights


@torch.no_grad()
def test_matches_the_paper() -> None:
    attention, inputs = draw()
    lens = torch.tensor([5, 3])
    found, weights = attention(inputs, lens), attention.weights(inputs, lens)
    for b, n in enumerate(lens.tolist()):
        expected, rows = literal(attention, inputs[b, :n])
        torch.testing.assert_close(found[b, :n], expected, atol=1e-10, rtol=0)
        torch.testing.assert_close(weights[b, :, :n, :n], rows, atol=1e-10, rtol=0)
        assert weights[b, :, :, n:].eq(0).all()


def test_one_state_alone() -> None:
    attention, inputs = draw(n_states=1)
    assert attention.weights(inputs, torch.tensor([1, 1])).eq(1).all()


@pytest.mark.parametrize("n_states", [1, 2, 7])
def test_columns_of_distances_become_columns_of_keys(n_states: int) -> None:
    by_distance = torch.arange(n_states - 1, -n_states - 1, -1).expand(1, 1, n_states, -1)
    found = align_distances(by_distance.contiguous())
    assert found[0, 0].tolist() == [[i - j for j in range(n_states)] for i in range(n_states)]


def test_gradients() -> None:
    attention, inputs = draw(n_states=4, d_model=4)
    lens = torch.tensor([4, 2])
    names = list(dict(attention.named_parameters()))

    def run(inputs: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(attention, given, (inputs, lens))

    parameters = [parameter.detach().requires_grad_() for parameter in attention.parameters()]
    assert torch.autograd.gradcheck(run, [inputs.requires_grad_(), *parameters])


def test_under_bf16_it_is_itself_to_three_digits() -> None:
    attention, inputs = draw(n_states=9, d_model=16)
    attention, inputs, lens = attention.float(), inputs.float(), torch.tensor([9, 4])
    exact = attention(inputs, lens)
    with torch.autocast("cpu", torch.bfloat16):
        rough = attention(inputs, lens)
    torch.testing.assert_close(rough.float()[1, :4], exact[1, :4], atol=3e-2, rtol=0)
    rough.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in attention.parameters())
