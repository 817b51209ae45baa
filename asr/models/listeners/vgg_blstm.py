"""The listener of VGG blocks and BLSTM layers."""

import torch
from torch import Tensor, nn

from asr.models.end_to_end import EndToEnd, ReluWithGaps
from asr.models.linear import Linear
from asr.models.masks import zero_padding
from asr.models.packing import Packing
from asr.models.recurrent import BiLstm


class VggBlstmListener(nn.Module):
    """Two blocks of two convolutions and a pooling, then BLSTM layers, each projected (VGG-BLSTMP) or summed.

    The listener of Hori et al. 2017 ("Advances in joint CTC-attention based end-to-end speech recognition with a deep
    CNN encoder and RNN-LM"): 3 x 3 convolutions as in Simonyan & Zisserman 2015, time and frequency halved by each
    block, tanh after each projection. Without a projection the two directions of a layer are added.

    The convolutions see the utterances laid end to end with silence between, not padded to the longest: nothing is
    computed for padding, and no utterance sees another.

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of the convolutions of each block.
        d_hidden: Width of each direction of a BLSTM layer.
        d_projection: Width of the states of each layer; None adds its directions, for states as wide as one.
        n_layers: BLSTM layers.
        dropout: Share of activations dropped after each layer.
    """

    time_reduction = 4

    def __init__(
        self,
        n_mels: int,
        n_channels: tuple[int, int],
        d_hidden: int,
        d_projection: int | None,
        n_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.d_output = d_projection or d_hidden
        low, high = n_channels
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_input, n_output, kernel_size=3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            for n_input, n_output in ((1, low), (low, low), (low, high), (high, high))
        )
        widths = [high * ((n_mels + 3) // 4)] + [self.d_output] * (n_layers - 1)
        self.layers = nn.ModuleList(BiLstm(width, d_hidden) for width in widths)
        self.joins = nn.ModuleList(
            Projection(2 * d_hidden, d_projection) if d_projection else Sum() for _ in range(n_layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Listens.

        Args:
            features: (B, T, M); values beyond a length are ignored.
            frame_lens: (B,) int64.

        Returns:
            states (B, S, D), zero beyond each length, and state_lens (B,) = ceil(frame_lens / 4).
        """
        layout = EndToEnd(frame_lens)
        image = layout.lay(features)[None, None]  # (1, channels, rows, M)
        for number, convolution in enumerate(self.convolutions):
            image = ReluWithGaps.apply(convolution(image), layout.gaps(1 + number // 2))
            if number % 2:
                image = nn.functional.max_pool2d(image, 2, ceil_mode=True)
        lens = layout.state_lens
        states = Packing(lens, int(lens.max())).unpack(layout.keep(image[0].transpose(0, 1).flatten(1)))
        for layer, join in zip(self.layers, self.joins, strict=True):
            states = self.dropout(join(layer(states, lens)))
        return zero_padding(states, lens), lens


class Projection(Linear):
    """Joins both directions of a layer in one smaller space: (B, S, 2 d_hidden) -> (B, S, d_projection)."""

    def forward(self, states: Tensor) -> Tensor:
        """Projects."""
        return super().forward(states).tanh()


class Sum(nn.Module):
    """Adds both directions of a layer: (B, S, 2 d_hidden) -> (B, S, d_hidden)."""

    def forward(self, states: Tensor) -> Tensor:
        """Adds."""
        ahead, back = states.chunk(2, -1)
        return ahead + back
