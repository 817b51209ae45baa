"""The Conformer: convolution-augmented Transformer blocks."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.image import ImageAttention
from asr.models.depthwise import DepthwiseConvolution
from asr.models.dropout import Dropout
from asr.models.feed_forward import FeedForward
from asr.models.linear import Linear
from asr.models.listeners.blocks import AttentionModule, BlockListener
from asr.models.packing import Packing


class ConformerListener(BlockListener):
    """Conformer blocks on subsampled frames (Gulati et al. 2020, "Conformer: convolution-augmented Transformer").

    Where the paper has batch normalisation in the convolution module we have layer normalisation, with as many
    parameters: an utterance's states and gradient then depend on no other utterance, so that ranks and micro-batches
    take the step that one process takes, and averaged weights need no new statistics.

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of the subsampling's convolutions.
        d_model: Width D of the states.
        d_feed_forward: Width of the hidden layers of the feed-forward modules.
        kernel_width: Width of the depthwise convolutions in states, odd.
        n_layers: Blocks.
        dropout: Share of activations dropped, in the modules and from what each adds.
        self_attention: Makes the self-attention of one block for width D: a module, see `SelfAttention`.
        image_attention: What looks at the image that the subsampling's convolutions make, if anything does.
    """

    def __init__(
        self,
        n_mels: int,
        n_channels: int,
        d_model: int,
        d_feed_forward: int,
        kernel_width: int,
        n_layers: int,
        dropout: float,
        self_attention: Callable[[int], nn.Module],
        image_attention: ImageAttention | None = None,
    ) -> None:
        blocks = (
            ConformerBlock(d_model, d_feed_forward, kernel_width, dropout, self_attention(d_model))
            for _ in range(n_layers)
        )
        super().__init__(n_mels, n_channels, d_model, dropout, blocks, image_attention)


class ConformerBlock(nn.Module):
    """Half a feed-forward module, self-attention, convolution, the other half (Gulati et al. 2020, §2.4).

    Each normalises its input, and its output is added to what it came from.

    Args:
        d_model: Width D.
        d_feed_forward: Width of the hidden layers of the feed-forward modules.
        kernel_width: Width of the depthwise convolution in states.
        dropout: Share of activations dropped.
        self_attention: See `SelfAttention`.
    """

    def __init__(
        self, d_model: int, d_feed_forward: int, kernel_width: int, dropout: float, self_attention: nn.Module
    ) -> None:
        super().__init__()
        self.first_half = FeedForward(d_model, d_feed_forward, dropout)
        self.attention = AttentionModule(d_model, self_attention, dropout)
        self.convolution = ConvolutionModule(d_model, kernel_width, dropout)
        self.second_half = FeedForward(d_model, d_feed_forward, dropout)
        self.normalize = nn.LayerNorm(d_model)

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        """(R, D) -> (R, D)."""
        states = torch.add(states, self.first_half(states), alpha=0.5)
        states = states + self.attention(states, packing)
        states = states + self.convolution(states, packing)
        states = torch.add(states, self.second_half(states), alpha=0.5)
        return self.normalize(states)

    def look(self, states: Tensor, packing: Packing) -> Tensor:
        """Where the states look, given what `forward` is given: (B, H, S, S)."""
        return self.attention.look(torch.add(states, self.first_half(states), alpha=0.5), packing)


class ConvolutionModule(nn.Module):
    """Pointwise convolution with a gate, depthwise convolution, pointwise convolution (Gulati et al. 2020, §2.2).

    Args:
        d_model: Width D.
        kernel_width: Width of the depthwise convolution in states.
        dropout: Share of activations dropped from what comes out.
    """

    def __init__(self, d_model: int, kernel_width: int, dropout: float) -> None:
        super().__init__()
        self.normalize = nn.LayerNorm(d_model)
        self.to_gated = Linear(d_model, 2 * d_model)
        self.depthwise = DepthwiseConvolution(d_model, kernel_width)
        self.normalize_found = nn.LayerNorm(d_model)
        self.to_output = Linear(d_model, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        """(R, D) -> (R, D), to be added."""
        gated = F.glu(self.to_gated(self.normalize(states)), -1)
        found = packing.pack(self.depthwise(packing.unpack(gated)))
        return self.dropout(self.to_output(F.silu(self.normalize_found(found))))
