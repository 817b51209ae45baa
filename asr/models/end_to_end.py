"""Utterances laid end to end, so that convolutions over time compute nothing for padding.

Each utterance gets a stretch of rows (a multiple of four, so that halving the rate twice never joins neighbours) with
at least one empty row behind it at either rate: zeros there are what a convolution sees beyond an utterance's end.
"""

from typing import Any

import torch
from torch import Tensor

from asr.models.masks import length_mask


class EndToEnd:
    """Where each utterance lies.

    Args:
        frame_lens: (B,) int64.
    """

    def __init__(self, frame_lens: Tensor) -> None:
        self.frame_lens = frame_lens
        self.state_lens = (frame_lens + 3) // 4
        self.stretches = (frame_lens + 5) // 4 * 4  # the length, two empty rows, rounded up to a multiple of four
        self.starts = self.stretches.cumsum(0) - self.stretches
        self.n_rows = int(self.stretches.sum())

    def lay(self, features: Tensor) -> Tensor:
        """Features (B, T, M) -> rows (n_rows, M); what lies beyond a length is left out, NaN included."""
        mask = length_mask(self.frame_lens, features.shape[1])
        places = (self.starts[:, None] + torch.arange(features.shape[1], device=features.device))[mask]
        return features.new_zeros(self.n_rows, features.shape[2]).index_copy(0, places, features[mask])

    def gaps(self, rate: int) -> Tensor:
        """Numbers of the empty rows, int64, at the rate of the frames (1) or halved (2)."""
        lens, starts = (self.frame_lens + rate - 1) // rate, self.starts // rate
        inside = torch.zeros(self.n_rows // rate + 1, dtype=torch.int64, device=lens.device)
        inside = inside.index_add(0, starts, torch.ones_like(starts)).index_add(
            0, starts + lens, -torch.ones_like(lens)
        )
        return (inside.cumsum(0)[:-1] == 0).nonzero().squeeze(1)

    def keep(self, rows: Tensor) -> Tensor:
        """Rows after two halvings (n_rows / 4, D) -> the states among them, utterance after utterance (R, D)."""
        mask = length_mask(self.state_lens, int(self.state_lens.max()))
        places = self.starts[:, None] // 4 + torch.arange(mask.shape[1], device=rows.device)
        return rows.index_select(0, places[mask])


class ReluWithGaps(torch.autograd.Function):
    """ReLU that also empties rows, in one pass each way: where the output is zero, so is the gradient."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, gaps: Tensor) -> Tensor:
        """Image (1, C, rows, M) and row numbers -> image."""
        output = image.relu()
        output[:, :, gaps] = 0.0
        ctx.save_for_backward(output)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Passes the gradient where the output is positive."""
        (output,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradients[0], output, 0), None
