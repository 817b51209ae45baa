"""One block of each kind against its paper's equations, state by state, in float64; and what blocks have in common."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from asr.models.attention.relative import RelativeSelfAttention
from asr.models.depthwise import DepthwiseConvolution
from asr.models.feed_forward import FeedForward
from asr.models.listeners.blocks import BlockListener
from asr.models.listeners.conformer import ConformerBlock, ConformerListener, ConvolutionModule
from asr.models.listeners.e_branchformer import ConvolutionalGate, EBranchformerBlock, EBranchformerListener
from asr.models.packing import Packing

D, LENS = 6, [5, 1, 8]

BLOCKS: dict[str, Callable[[], nn.Module]] = {
    "conformer": lambda: ConformerBlock(D, 10, 3, 0.1, RelativeSelfAttention(D, 2)),
    "e_branchformer": lambda: EBranchformerBlock(D, 10, 8, 5, 0.1, RelativeSelfAttention(D, 2)),
}
LISTENERS: dict[str, Callable[[], BlockListener]] = {
    "conformer": lambda: ConformerListener(
        n_mels=11,
        n_channels=4,
        d_model=D,
        d_feed_forward=10,
        kernel_width=3,
        n_layers=2,
        dropout=0.1,
        self_attention=lambda d_model: RelativeSelfAttention(d_model, 2),
    ),
    "e_branchformer": lambda: EBranchformerListener(
        n_mels=11,
        n_channels=4,
        d_model=D,
        d_feed_forward=10,
        d_gated=8,
        kernel_width=3,
        n_layers=2,
        dropout=0.1,
        self_attention=lambda d_model: RelativeSelfAttention(d_model, 2),
    ),
}


def normal(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    mean = sum(x) / len(x)
    variance = sum((x - mean) ** 2) / len(x)
    return (x - mean) / (variance + layer.eps).sqrt() * layer.weight + layer.bias


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    return torch.stack([row @ x for row in layer.weight]) + layer.bias


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def gelu(x: Tensor) -> Tensor:
    return torch.stack([each * (1 + math.erf(float(each) / math.sqrt(2))) / 2 for each in x])


def feed_forward(module: FeedForward, x: Tensor) -> Tensor:
    wide = linear(module.widen, normal(module.normalize, x))
    return linear(module.narrow, wide * sigmoid(wide))


def convolve(module: DepthwiseConvolution, xs: list[Tensor]) -> list[Tensor]:
    """Correlation over time, zero before and after the utterance."""
    filters, half = module.weight[:, 0], module.weight.shape[-1] // 2
    places = [[(k, s + k - half) for k in range(2 * half + 1) if 0 <= s + k - half < len(xs)] for s in range(len(xs))]
    return [module.bias + sum(filters[:, k] * xs[at] for k, at in of_state) for of_state in places]


def attend(block: Any, xs: list[Tensor]) -> list[Tensor]:
    """Has an oracle of its own: tests/models/attention/test_relative.py."""
    inputs = torch.stack([normal(block.attention.normalize, x) for x in xs])
    return list(block.attention.self_attention(inputs[None], torch.tensor([len(xs)]))[0])


def convolution_module(module: ConvolutionModule, xs: list[Tensor]) -> list[Tensor]:
    """Gulati et al. 2020, figure 2."""
    pointwise = [linear(module.to_gated, normal(module.normalize, x)) for x in xs]
    gated = [both[: len(both) // 2] * sigmoid(both[len(both) // 2 :]) for both in pointwise]
    found = [normal(module.normalize_found, x) for x in convolve(module.depthwise, gated)]
    return [linear(module.to_output, x * sigmoid(x)) for x in found]


def convolutional_gate(module: ConvolutionalGate, xs: list[Tensor]) -> list[Tensor]:
    """Kim et al. 2022, §2.2: channel projection, convolutional spatial gating unit, channel projection."""
    hidden = [gelu(linear(module.widen, normal(module.normalize, x))) for x in xs]
    half = len(hidden[0]) // 2
    gates = convolve(module.depthwise, [normal(module.normalize_gate, x[half:]) for x in hidden])
    return [linear(module.narrow, x[:half] * gate) for x, gate in zip(hidden, gates, strict=True)]


def add(xs: list[Tensor], ys: list[Tensor], share: float = 1.0) -> list[Tensor]:
    return [x + share * y for x, y in zip(xs, ys, strict=True)]


def conformer(block: ConformerBlock, xs: list[Tensor]) -> list[Tensor]:
    """Gulati et al. 2020, equation 1, with the layer normalisation of each module inside it."""
    xs = add(xs, [feed_forward(block.first_half, x) for x in xs], 0.5)
    xs = add(xs, attend(block, xs))
    xs = add(xs, convolution_module(block.convolution, xs))
    xs = add(xs, [feed_forward(block.second_half, x) for x in xs], 0.5)
    return [normal(block.normalize, x) for x in xs]


def e_branchformer(block: EBranchformerBlock, xs: list[Tensor]) -> list[Tensor]:
    """Kim et al. 2022, §3: both branches, joined, plus what a depthwise convolution makes of that, projected."""
    xs = add(xs, [feed_forward(block.first_half, x) for x in xs], 0.5)
    joined = [torch.cat(pair) for pair in zip(attend(block, xs), convolutional_gate(block.local, xs), strict=True)]
    xs = add(xs, [linear(block.merge, x) for x in add(joined, convolve(block.depthwise, joined))])
    xs = add(xs, [feed_forward(block.second_half, x) for x in xs], 0.5)
    return [normal(block.normalize, x) for x in xs]


ORACLES: dict[str, Callable[[Any, list[Tensor]], list[Tensor]]] = {
    "conformer": conformer,
    "e_branchformer": e_branchformer,
}


def draw(kind: str) -> tuple[nn.Module, Packing, Tensor]:
    """A block whose every weight matters, where its states belong, and states."""
    torch.manual_seed(0)
    block = BLOCKS[kind]().double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(0.0, 0.6)
    packing = Packing(torch.tensor(LENS), max(LENS))
    return block, packing, torch.randn(sum(LENS), D, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_matches_the_paper(kind: str) -> None:
    block, packing, states = draw(kind)
    found = block.eval()(states, packing)
    expected = [x for utterance in states.split(LENS) for x in ORACLES[kind](block, list(utterance))]
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-10, rtol=0)


@pytest.mark.parametrize("kind", BLOCKS)
def test_gradients(kind: str) -> None:
    block, packing, states = draw(kind)
    block.eval()
    names = list(dict(block.named_parameters()))

    def run(states: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(block, given, (states, packing))

    inputs = [states, *(parameter.detach() for parameter in block.parameters())]
    assert torch.autograd.gradcheck(run, [x.requires_grad_() for x in inputs], fast_mode=True)


@pytest.mark.parametrize("kind", LISTENERS)
def test_maps_show_where_each_layer_looks(kind: str) -> None:
    torch.manual_seed(0)
    listener = LISTENERS[kind]().double().eval()
    features, lens = torch.randn(2, 30, 11, dtype=torch.float64), torch.tensor([30, 13])
    features[1, 13:] = float("nan")
    maps = listener.attention_maps(features, lens)
    assert maps.shape == (2, 2, 2, 8, 8)  # utterances, layers, heads, states, states
    torch.testing.assert_close(maps[0].sum(-1), torch.ones(2, 2, 8).double())
    assert maps[1, :, :, :, 4:].eq(0).all()
    torch.testing.assert_close(maps[1, :, :, :4, :4].sum(-1), torch.ones(2, 2, 4).double())
    torch.testing.assert_close(listener.attention_maps(features[1:, :13], lens[1:])[0], maps[1, :, :, :4, :4])
    seen: list[Tensor] = []
    last = listener.blocks[-1].attention  # what the last layer sums up is values by these weights
    last.self_attention.to_output.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    last.register_forward_hook(
        lambda module, inputs, _: seen.append(
            module.self_attention.heads(inputs[1].unpack(module.normalize(inputs[0])))[2]
        )
    )
    listener(features, lens)
    summed, values = seen
    expected = (maps[:, -1] @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(summed[0], expected[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", LISTENERS)
def test_bf16_is_float32_to_two_digits(kind: str) -> None:
    torch.manual_seed(0)
    listener = LISTENERS[kind]().eval()
    features, lens = torch.randn(2, 30, 11), torch.tensor([30, 13])
    exact, _ = listener(features, lens)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = listener(features, lens)
    torch.testing.assert_close(rough.float(), exact, atol=6e-2, rtol=0)
    rough.float().square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in listener.parameters())


def test_a_packed_batch_comes_back() -> None:
    packing = Packing(torch.tensor([2, 0, 3]), 4)
    padded = torch.arange(24.0).view(3, 4, 2)
    rows = packing.pack(padded)
    assert rows[:, 0].tolist() == [0.0, 2.0, 16.0, 18.0, 20.0]
    assert packing.pack(packing.unpack(rows)).equal(rows)
    assert packing.unpack(rows).flatten(1).ne(0).sum(1).tolist() == [3, 0, 6]
