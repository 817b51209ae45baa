"""Self-attention that avoids the square: against its equations, one number at a time, and against full attention."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from asr.models.attention import graph
from asr.models.attention.graph import GraphSelfAttention, offsets_of
from asr.models.attention.pyramid import PyramidSelfAttention
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.attention.windowed import WindowedSelfAttention
from asr.training.floor import count_flop

KINDS: dict[str, Callable[[int, int], nn.Module]] = {
    "windowed": lambda d_model, n_heads: WindowedSelfAttention(d_model, n_heads, window=3),
    "pyramid": lambda d_model, n_heads: PyramidSelfAttention(d_model, n_heads, n_near=1),
    "pyramid of nothing but itself near": lambda d_model, n_heads: PyramidSelfAttention(d_model, n_heads, n_near=0),
    "graph": lambda d_model, n_heads: GraphSelfAttention(d_model, n_heads, n_near=2),
    "graph of powers of two": lambda d_model, n_heads: GraphSelfAttention(d_model, n_heads, n_near=0),
}
LENS = [23, 9, 1, 2, 16]

Cell = tuple[list[int], int]
"""The states that a query sees as one, and its distance from them."""


def draw(kind: str, n_states: int = max(LENS), d_model: int = 6, n_utterances: int = len(LENS)) -> tuple[Any, Tensor]:
    torch.manual_seed(0)
    attention = KINDS[kind](d_model, 2).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0.0, 0.6)
    return attention, torch.randn(n_utterances, n_states, d_model, dtype=torch.float64)


def encode(distance: int, d_model: int) -> Tensor:
    angles = [distance / 10000 ** (2 * i / d_model) for i in range(d_model // 2)]
    return torch.tensor([math.sin(a) for a in angles] + [math.cos(a) for a in angles], dtype=torch.float64)


def window_of(window: int, i: int, n_states: int) -> Iterator[Cell]:
    yield from (([j], i - j) for j in range(n_states) if abs(i - j) <= window)


def pyramid_of(n_near: int, i: int, n_states: int) -> Iterator[Cell]:
    """The cells of the docstring, by looking at every cell of every level."""
    for level in range(n_states.bit_length() + 1):
        size = 2**level
        for cell in range(-(-n_states // size)):
            near = abs(i // size - cell) <= n_near
            parents_near = abs(i // (2 * size) - cell // 2) <= n_near
            if parents_near and (level == 0 or not near):
                members = [j for j in range(n_states) if j // size == cell]
                yield members, size * (i // size - cell)


def literal_relative(
    attention: Any, states: Tensor, look: Callable[[int, int], Iterator[Cell]]
) -> tuple[Tensor, Tensor]:
    """One utterance (S, D) -> what is attended (S, D) and the weights of each state (H, S, S)."""
    n_states, d_model = states.shape
    d_head = d_model // attention.n_heads
    projected = states @ attention.to_query_key_value.weight.T + attention.to_query_key_value.bias
    queries, keys, values = projected.split(d_model, -1)
    weights = torch.zeros(attention.n_heads, n_states, n_states, dtype=torch.float64)
    outputs = torch.zeros(n_states, d_model, dtype=torch.float64)
    for h in range(attention.n_heads):
        own = slice(h * d_head, (h + 1) * d_head)
        u, v = attention.content_bias[h, 0], attention.position_bias[h, 0]
        for i in range(n_states):
            cells, shares = list(look(i, n_states)), []
            for members, distance in cells:
                key = sum(keys[j, own] for j in members) / len(members)
                position = (attention.to_position.weight @ encode(distance, d_model))[own]
                energy = ((queries[i, own] + u) @ key + (queries[i, own] + v) @ position) / math.sqrt(d_head)
                shares.append(math.exp(energy) * len(members))
            for (members, _), share in zip(cells, shares, strict=True):
                for j in members:
                    weights[h, i, j] += share / sum(shares) / len(members)
                    outputs[i, own] += share / sum(shares) / len(members) * values[j, own]
    return outputs @ attention.to_output.weight.T + attention.to_output.bias, weights


def literal_graph(attention: GraphSelfAttention, states: Tensor) -> tuple[Tensor, Tensor]:
    """Veličković et al. 2018, eq. 3 and 5, with the distance as a third part of what a is multiplied with."""
    n_states, d_model = states.shape
    d_head = d_model // attention.n_heads
    weights = torch.zeros(attention.n_heads, n_states, n_states, dtype=torch.float64)
    outputs = torch.zeros(n_states, d_model, dtype=torch.float64)
    nodes = states @ attention.to_node.weight.T
    for h in range(attention.n_heads):
        own = slice(h * d_head, (h + 1) * d_head)
        a = torch.cat([attention.from_query[h, :, 0], attention.from_key[h, :, 0], attention.from_distance.weight[h]])
        for i in range(n_states):
            near = [j for j in range(n_states) if abs(i - j) <= attention.n_near]
            far = [j for j in range(n_states) for k in range(20) if abs(i - j) == 2**k]
            neighbours = sorted({*near, *far})
            joined = {j: torch.cat([nodes[i, own], nodes[j, own], encode(i - j, d_model)]) for j in neighbours}
            shares = {j: math.exp(F.leaky_relu(a @ joined[j], 0.2)) for j in neighbours}
            for j in neighbours:
                weights[h, i, j] = shares[j] / sum(shares.values())
            outputs[i, own] = F.elu(sum(weights[h, i, j] * nodes[j, own] for j in neighbours))
    return outputs @ attention.to_output.weight.T + attention.to_output.bias, weights


def literal(attention: Any, states: Tensor) -> tuple[Tensor, Tensor]:
    if isinstance(attention, WindowedSelfAttention):
        return literal_relative(attention, states, lambda i, n: window_of(attention.window, i, n))
    if isinstance(attention, PyramidSelfAttention):
        return literal_relative(attention, states, lambda i, n: pyramid_of(attention.n_near, i, n))
    return literal_graph(attention, states)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_matches_the_equations_whatever_stands_in_the_padding(kind: str) -> None:
    """The oracle sees one utterance without padding, so this is independence of the batch as well."""
    attention, inputs = draw(kind)
    expected = [literal(attention, states[:n]) for states, n in zip(inputs, LENS, strict=True)]
    for row, n in enumerate(LENS):
        inputs[row, n:] = float("nan")
    lens = torch.tensor(LENS)
    found, weights = attention(inputs, lens), attention.weights(inputs, lens)
    assert found.isfinite().all()
    for b, (n, (outputs, rows)) in enumerate(zip(LENS, expected, strict=True)):
        torch.testing.assert_close(found[b, :n], outputs, atol=1e-10, rtol=0)
        torch.testing.assert_close(weights[b, :, :n, :n], rows, atol=1e-10, rtol=0)
        torch.testing.assert_close(rows.sum(-1), torch.ones(2, n, dtype=torch.float64))
        assert weights[b, :, :, n:].eq(0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    attention, inputs = draw(kind, n_states=6, d_model=4, n_utterances=2)
    lens = torch.tensor([6, 3])
    names = list(dict(attention.named_parameters()))

    def run(inputs: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(attention, given, (inputs, lens))

    parameters = [parameter.detach().requires_grad_() for parameter in attention.parameters()]
    assert torch.autograd.gradcheck(run, [inputs.requires_grad_(), *parameters], fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_has_no_gradient_and_spoils_none(kind: str) -> None:
    attention, inputs = draw(kind)
    lens = torch.tensor(LENS)
    for row, n in enumerate(LENS):
        inputs[row, n:] = float("nan")
    found = attention(inputs.requires_grad_(), lens)
    sum(found[row, :n].square().sum() for row, n in enumerate(LENS)).backward()
    assert inputs.grad is not None
    for row, n in enumerate(LENS):
        assert inputs.grad[row, n:].eq(0).all()
        assert inputs.grad[row, :n].ne(0).all()
    assert all(parameter.grad.isfinite().all() for parameter in attention.parameters())


@pytest.mark.parametrize(
    "make",
    [
        lambda: WindowedSelfAttention(6, 2, window=max(LENS) - 1),
        lambda: WindowedSelfAttention(6, 2, window=1000),
        lambda: PyramidSelfAttention(6, 2, n_near=max(LENS) // 2),
    ],
    ids=["a window of all but itself", "a window beyond all", "a pyramid all near"],
)
def test_as_wide_as_the_utterance_it_is_full_attention(make: Callable[[], nn.Module]) -> None:
    full, inputs = draw("windowed")
    full = _with_parameters_of(RelativeSelfAttention(6, 2), full)
    wide, lens = _with_parameters_of(make(), full), torch.tensor(LENS)
    found, expected = wide(inputs, lens), full(inputs, lens)
    found_weights, expected_weights = wide.weights(inputs, lens), full.weights(inputs, lens)
    for row, n in enumerate(LENS):
        torch.testing.assert_close(found[row, :n], expected[row, :n], atol=1e-10, rtol=0)
        torch.testing.assert_close(found_weights[row, :, :n], expected_weights[row, :, :n], atol=1e-10, rtol=0)


def test_a_pyramid_is_full_attention_where_the_states_of_a_cell_are_alike() -> None:
    pyramid, inputs = draw("pyramid", n_states=48)
    full = _with_parameters_of(RelativeSelfAttention(6, 2), pyramid)
    for attention in (pyramid, full):
        nn.init.zeros_(attention.to_position.weight)
    alike, lens = inputs[:, ::16].repeat_interleave(16, 1), torch.tensor([48, 37, 20, 9, 1])
    found, expected = pyramid.weights(alike, lens), full.weights(alike, lens)
    for row, n in enumerate(lens.tolist()):
        torch.testing.assert_close(found[row, :, :n], expected[row, :, :n], atol=1e-10, rtol=0)


@pytest.mark.parametrize("n_near", [0, 1, 2, 5])
@pytest.mark.parametrize("n_states", [1, 2, 3, 17, 64, 100])
def test_cells_hold_every_state_once_and_few_are_seen(n_near: int, n_states: int) -> None:
    most = 2 * (2 * n_near + 1) + (2 * n_near + 1) * math.ceil(max(0, math.log2(n_states / (n_near + 1))))
    for i in range(n_states):
        cells = list(pyramid_of(n_near, i, n_states))
        assert sorted(j for members, _ in cells for j in members) == list(range(n_states))
        assert len(cells) <= most


def test_neighbours_in_the_graph() -> None:
    assert offsets_of(2, 20) == [-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16]
    assert offsets_of(3, 9) == [-8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8]
    assert offsets_of(5, 3) == [-2, -1, 0, 1, 2]
    assert offsets_of(0, 1) == [0]


@pytest.mark.parametrize("n_each", [1, 3, 8])
def test_a_graph_in_stretches_is_the_graph_in_one(n_each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    attention, inputs = draw("graph")
    lens = torch.tensor(LENS)
    found = []
    for in_cache in (1 << 20, n_each * inputs[:, 0].numel()):
        monkeypatch.setattr(graph, "IN_CACHE", in_cache)
        given = inputs.clone().requires_grad_()
        outputs = attention(given, lens)
        (gradient,) = torch.autograd.grad(outputs.square().sum(), given)
        found.append((len(list(graph.stretches(inputs))), outputs, gradient))
    (one, *whole), (several, *pieces) = found
    assert one == 1 and several == math.ceil(inputs.shape[1] / n_each)
    for expected, value in zip(whole, pieces, strict=True):
        torch.testing.assert_close(value, expected, atol=1e-12, rtol=0)


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in out if isinstance(out, tuple | list) else [out]:
            if isinstance(each, Tensor):
                self.numel = max(self.numel, each.numel())
        return out


@pytest.mark.parametrize("kind", ["windowed", "pyramid", "graph"])
def test_twice_as_long_costs_little_more_than_twice(kind: str) -> None:
    """Operations and the largest tensor, both ways. S · log2(S) grows 2.2 times here, the square four times."""
    attention, flop, numel = KINDS[kind](8, 2), [], []
    for n_states in (1024, 2048):
        inputs, lens, largest = torch.randn(1, n_states, 8), torch.tensor([n_states]), Largest()
        with largest:
            flop.append(count_flop(lambda inputs=inputs, lens=lens: attention(inputs, lens).sum().backward()))
        numel.append(largest.numel)
    assert flop[1] <= 2.25 * flop[0]
    assert numel[1] <= 2.25 * numel[0]


@pytest.mark.parametrize("kind", KINDS)
def test_under_bf16_it_is_itself_to_three_digits(kind: str) -> None:
    torch.manual_seed(0)
    attention, inputs, lens = KINDS[kind](16, 2), torch.randn(2, 30, 16), torch.tensor([30, 12])
    exact = attention(inputs, lens)
    with torch.autocast("cpu", torch.bfloat16):
        rough = attention(inputs, lens)
        assert attention.weights(inputs, lens).dtype == torch.float32
    torch.testing.assert_close(rough.float()[1, :12], exact[1, :12], atol=3e-2, rtol=0)
    rough.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in attention.parameters())


def _with_parameters_of(attention: Any, other: nn.Module) -> Any:
    attention = attention.double()
    attention.load_state_dict(other.state_dict())
    return attention
