"""From four frames to one state, by two convolutions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.image import ImageAttention
from asr.models.end_to_end import EndToEnd, ReluWithGaps
from asr.models.linear import Linear
from asr.models.packing import Packing

TIME_REDUCTION = 4


class Subsampling(nn.Module):
    """Two convolutions of stride 2 over time and frequency, then a projection (Dong et al. 2018, "Speech-Transformer").

    The convolutions see the utterances laid end to end with silence between, not padded to the longest: nothing is
    computed for padding, and no utterance sees another.

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of each convolution.
        d_model: Width D of the states.
        image_attention: What looks at the image that the convolutions make, if anything does.
    """

    def __init__(
        self, n_mels: int, n_channels: int, d_model: int, image_attention: ImageAttention | None = None
    ) -> None:
        super().__init__()
        self.image_attention = image_attention
        self.first = StridedConvolution(1, n_channels)
        self.second = StridedConvolution(n_channels, n_channels)
        self.to_state = Linear(n_channels * ((n_mels + 3) // TIME_REDUCTION), d_model)

    def forward(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Packing]:
        """Subsamples.

        Args:
            features: (B, T, M); values beyond a length are ignored.
            frame_lens: (B,) int64.

        Returns:
            The states of all utterances (R, D), and where they belong: lengths are ceil(frame_lens / 4).
        """
        layout = EndToEnd(frame_lens)
        image = layout.lay(features)[None, None]  # (1, channels, rows, M)
        image = ReluWithGaps.apply(self.first(image), layout.gaps(2))
        image = self.second(image).relu()
        packing = Packing(layout.state_lens, int(layout.state_lens.max()))
        rows = image[0].permute(1, 2, 0).flatten(1)
        if self.image_attention is None:
            return layout.keep(self.to_state(rows)), packing
        images = packing.unpack(layout.keep(rows)).unflatten(-1, (image.shape[3], image.shape[1]))  # (B, S, F, C)
        return self.to_state(packing.pack(self.image_attention(images, packing.lens).flatten(2))), packing


class StridedConvolution(nn.Conv2d):
    """A 3 x 3 convolution of stride 2; channels are adjacent in memory, for oneDNN is fastest so.

    Args:
        n_input: Channels of the input.
        n_output: Channels of the output.
    """

    def __init__(self, n_input: int, n_output: int) -> None:
        super().__init__(n_input, n_output, kernel_size=3, stride=2, padding=1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """(1, n_input, rows, M) -> (1, n_output, ceil(rows / 2), ceil(M / 2))."""
        if image.requires_grad and image.is_cpu and not torch.is_autocast_enabled("cpu"):
            return _Strided.apply(image, self.weight, self.bias)
        return super().forward(image)


class _Strided(torch.autograd.Function):
    """The same, its weights' gradient by matrix products, at a quarter of the cost of oneDNN's own."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(image, weight)
        return F.conv2d(image, weight, bias, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (image, weight), (gradient,) = ctx.saved_tensors, gradients
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        to_image, _, _ = torch.ops.aten.convolution_backward(
            gradient, image, weight, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, [True, False, False]
        )
        to_weight = _gradient_of_weights(image[0].permute(1, 2, 0), gradient[0].permute(1, 2, 0))
        return to_image, to_weight, gradient.sum((0, 2, 3))


ROWS_AT_ONCE = 256  # of the gradient: what they need stays in a cache of 32 MB at 256 channels
PHASE_AND_SHIFT = ((1, 0), (0, 1), (1, 1))  # filter place k reads input 2 i + k - 1: odd or even, of i - 1 or of i


def _gradient_of_weights(image: Tensor, gradient: Tensor) -> Tensor:
    """Sums gradient times input over all places, for each of the 3 x 3 filter places by one matrix product.

    The input is parted into odd and even rows and columns, each part with an empty row and column before it, and the
    gradient gets an empty column behind it: then what a filter place reads is one stretch of memory.

    Args:
        image: (2 R or 2 R - 1, 2 C or 2 C - 1, n_input).
        gradient: (R, C, n_output).

    Returns:
        (n_output, n_input, 3, 3).
    """
    (n_rows, n_columns, n_output), n_input = gradient.shape, image.shape[2]
    width = n_columns + 1
    total = image.new_zeros(3, 3, n_output, n_input)
    for start in range(0, n_rows, ROWS_AT_ONCE):
        some = gradient[start : start + ROWS_AT_ONCE]
        columns = F.pad(some, (0, 0, 0, 1)).flatten(0, 1).t()
        parts = [[_part(image, r, c, start - 1, len(some) + 2, width) for c in (0, 1)] for r in (0, 1)]
        for row, (odd_row, down) in enumerate(PHASE_AND_SHIFT):
            for column, (odd_column, right) in enumerate(PHASE_AND_SHIFT):
                first = down * width + right
                read = parts[odd_row][odd_column][first : first + columns.shape[1]]
                total[row, column].addmm_(columns, read)
    return total.permute(2, 3, 0, 1)


def _part(image: Tensor, odd_row: int, odd_column: int, start: int, n_rows: int, width: int) -> Tensor:
    """Odd or even rows and columns, from row `start` on (-1: an empty one), an empty column first: (-1, n_input)."""
    part = image[odd_row::2, odd_column::2][max(start, 0) : start + n_rows]
    above = max(-start, 0)
    margins = (1, width - 1 - part.shape[1], above, n_rows - above - len(part))
    return F.pad(part, (0, 0, *margins)).flatten(0, 1)
