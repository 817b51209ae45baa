"""Convolution over time, every channel by itself."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DepthwiseConvolution(nn.Conv1d):
    """A filter over time for each channel; takes states (B, S, D) and not (B, D, S), in which they would be copied.

    Args:
        d_model: Channels D.
        width: Of the filters in states, odd.

    Raises:
        ValueError: The width is even, so that a filter has no middle.
    """

    def __init__(self, d_model: int, width: int) -> None:
        if width % 2 == 0:
            raise ValueError(f"filters of {width} states: expected an odd number, so that they have a middle")
        super().__init__(d_model, d_model, width, padding=width // 2, groups=d_model)

    def forward(self, states: Tensor) -> Tensor:
        """Convolves: (B, S, D), zero in the padding -> (B, S, D)."""
        if states.is_cpu and not torch.is_autocast_enabled("cpu"):
            return _Depthwise.apply(states, self.weight, self.bias)
        return _convolve(states, self.weight, self.bias)


def _convolve(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """States (B, S, D) as an image of height one, channels adjacent in memory: for oneDNN's fastest kernel."""
    n_channels, _, width = weight.shape
    image = states[:, None].permute(0, 3, 1, 2)
    found = F.conv2d(image, weight[:, :, None], bias, padding=(0, width // 2), groups=n_channels)
    return found.squeeze(2).transpose(1, 2)


class _Depthwise(torch.autograd.Function):
    """The same, its weights' gradient by a convolution too, at a third of the cost of oneDNN's own.

    That of filter place k is Σ_bs gradient[b, s] · input[b, s + k]: utterances are the rows of one image, the gradient
    is a filter as large as the image, and the image's margin gives one result for each k.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(states, weight)
        return _convolve(states, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (states, weight), (gradient,) = ctx.saved_tensors, gradients
        n_channels, _, width = weight.shape
        to_states = _convolve(gradient, weight.flip(-1), None)
        image, filters = states[None].permute(0, 3, 1, 2), gradient.permute(2, 0, 1)[:, None]
        to_weight = F.conv2d(image, filters, padding=(0, width // 2), groups=n_channels)
        return to_states, to_weight.view_as(weight), gradient.sum((0, 1))
