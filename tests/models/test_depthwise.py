"""The depthwise convolution against torch's, values and gradients."""

import pytest
import torch

from asr.models.depthwise import DepthwiseConvolution


@pytest.mark.parametrize(("n_states", "width"), [(9, 5), (2, 7), (1, 1), (40, 31)])
def test_equals_torchs_convolution(n_states: int, width: int) -> None:
    torch.manual_seed(0)
    ours = DepthwiseConvolution(6, width).double()
    theirs = torch.nn.Conv1d(6, 6, width, padding=width // 2, groups=6).double()
    theirs.load_state_dict(ours.state_dict())
    states = torch.randn(3, n_states, 6, dtype=torch.float64, requires_grad=True)
    found, expected = ours(states), theirs(states.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    gradient = torch.randn_like(found)
    mine = torch.autograd.grad(found, [states, *ours.parameters()], gradient)
    correct = torch.autograd.grad(expected, [states, *theirs.parameters()], gradient)
    for one, other in zip(mine, correct, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def test_a_filter_has_a_middle() -> None:
    with pytest.raises(ValueError, match="odd"):
        DepthwiseConvolution(4, 2)


def test_under_bf16_it_is_itself_to_two_digits() -> None:
    torch.manual_seed(0)
    layer, states = DepthwiseConvolution(8, 5), torch.randn(2, 9, 8)
    exact = layer(states)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(states)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=3e-2, rtol=0)
