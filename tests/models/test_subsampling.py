"""Subsampling against torch's convolutions of one utterance at a time, values and gradients."""

import pytest
import torch
from torch import nn

from asr.models import subsampling
from asr.models.attention.image import TwoDimensionalAttention
from asr.models.subsampling import StridedConvolution, Subsampling


def test_equals_torchs_convolutions_of_each_utterance_alone() -> None:
    torch.manual_seed(0)
    layer = Subsampling(n_mels=10, n_channels=4, d_model=5).double()
    lens = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 33])
    features = torch.randn(len(lens), 33, 10, dtype=torch.float64)
    for row, length in enumerate(lens.tolist()):
        features[row, length:] = float("nan")
    states, packing = layer(features, lens)
    assert packing.lens.tolist() == [-(-length // 4) for length in lens.tolist()]
    ours = torch.autograd.grad(states.square().sum(), list(layer.parameters()), retain_graph=True)
    expected = []
    for row, length in enumerate(lens.tolist()):
        image = features[row, :length][None, None]
        for convolution in (layer.first, layer.second):
            image = torch.nn.functional.conv2d(image, convolution.weight, convolution.bias, stride=2, padding=1).relu()
        expected.append(layer.to_state(image[0].permute(1, 2, 0).flatten(1)))
    torch.testing.assert_close(states, torch.cat(expected), atol=1e-12, rtol=0)
    theirs = torch.autograd.grad(torch.cat(expected).square().sum(), list(layer.parameters()))
    for mine, correct in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, correct, atol=1e-9, rtol=0)


@torch.no_grad()
def test_image_attention_sees_each_utterances_image() -> None:
    """Against itself without attention, followed by attention to one utterance's image at a time."""
    torch.manual_seed(0)
    attention = TwoDimensionalAttention(n_channels=4, n_heads=2)
    layer = Subsampling(n_mels=10, n_channels=4, d_model=12, image_attention=attention).double()
    nn.init.eye_(layer.to_state.weight)  # 12 = 3 bins of 4 channels: states are the image
    nn.init.zeros_(layer.to_state.bias)
    lens, features = torch.tensor([9, 33, 1]), torch.randn(3, 33, 10, dtype=torch.float64)
    found, packing = layer(features, lens)
    layer.image_attention = None
    for row, length in enumerate(lens.tolist()):
        image = layer(features[row : row + 1, :length], lens[row : row + 1])[0].unflatten(-1, (3, 4))[None]
        expected = attention(image, packing.lens[row : row + 1])[0].flatten(1)
        torch.testing.assert_close(packing.unpack(found)[row, : packing.lens[row]], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (2, 3), (9, 4), (14, 7), (16, 8)])
def test_the_gradient_of_a_strided_convolution_is_torchs(
    n_rows: int, n_columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subsampling, "ROWS_AT_ONCE", 3)
    torch.manual_seed(0)
    layer = StridedConvolution(3, 4).double()
    image = torch.randn(1, 3, n_rows, n_columns, dtype=torch.float64, requires_grad=True)
    found = layer(image)
    expected = torch.nn.functional.conv2d(image, layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    gradient = torch.randn_like(found)
    mine = torch.autograd.grad(found, [image, *layer.parameters()], gradient)
    correct = torch.autograd.grad(expected, [image, *layer.parameters()], gradient)
    for one, other in zip(mine, correct, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
