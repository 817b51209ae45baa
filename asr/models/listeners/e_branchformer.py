"""The E-Branchformer: a branch that looks far and a branch that looks near, side by side, then merged."""

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


class EBranchformerListener(BlockListener):
    """E-Branchformer blocks on subsampled frames (Kim et al. 2022, "E-Branchformer").

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of the subsampling's convolutions.
        d_model: Width D of the states.
        d_feed_forward: Width of the hidden layers of the feed-forward modules.
        d_gated: Width of the hidden layer of the local branch; half of it gates the other half.
        kernel_width: Width of all depthwise convolutions in states, odd.
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
        d_gated: int,
        kernel_width: int,
        n_layers: int,
        dropout: float,
        self_attention: Callable[[int], nn.Module],
        image_attention: ImageAttention | None = None,
    ) -> None:
        blocks = (
            EBranchformerBlock(d_model, d_feed_forward, d_gated, kernel_width, dropout, self_attention(d_model))
            for _ in range(n_layers)
        )
        super().__init__(n_mels, n_channels, d_model, dropout, blocks, image_attention)


class EBranchformerBlock(nn.Module):
    """Half a feed-forward module, two branches and their merger, the other half (Kim et al. 2022, §3).

    Args:
        d_model: Width D.
        d_feed_forward: Width of the hidden layers of the feed-forward modules.
        d_gated: Width of the hidden layer of the local branch.
        kernel_width: Width of the depthwise convolutions in states.
        dropout: Share of activations dropped.
        self_attention: See `SelfAttention`.
    """

    def __init__(
        self,
        d_model: int,
        d_feed_forward: int,
        d_gated: int,
        kernel_width: int,
        dropout: float,
        self_attention: nn.Module,
    ) -> None:
        super().__init__()
        self.first_half = FeedForward(d_model, d_feed_forward, dropout)
        self.attention = AttentionModule(d_model, self_attention, dropout)
        self.local = ConvolutionalGate(d_model, d_gated, kernel_width, dropout)
        self.depthwise = DepthwiseConvolution(2 * d_model, kernel_width)
        self.merge = Linear(2 * d_model, d_model)
        self.second_half = FeedForward(d_model, d_feed_forward, dropout)
        self.normalize = nn.LayerNorm(d_model)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        """(R, D) -> (R, D)."""
        states = torch.add(states, self.first_half(states), alpha=0.5)
        branches = torch.cat([self.attention(states, packing), self.local(states, packing)], -1)
        around = packing.pack(self.depthwise(packing.unpack(branches)))
        states = states + self.dropout(self.merge(branches + around))
        states = torch.add(states, self.second_half(states), alpha=0.5)
        return self.normalize(states)

    def look(self, states: Tensor, packing: Packing) -> Tensor:
        """Where the states look, given what `forward` is given: (B, H, S, S)."""
        return self.attention.look(torch.add(states, self.first_half(states), alpha=0.5), packing)


class ConvolutionalGate(nn.Module):
    """An MLP in which one half of the hidden layer, convolved over time, gates the other (Sakuma et al. 2022, cgMLP).

    Args:
        d_model: Width D.
        d_gated: Width of the hidden layer, even.
        kernel_width: Width of the depthwise convolution in states.
        dropout: Share of activations dropped, behind the gate and from what comes out.
    """

    def __init__(self, d_model: int, d_gated: int, kernel_width: int, dropout: float) -> None:
        super().__init__()
        self.normalize = nn.LayerNorm(d_model)
        self.widen = Linear(d_model, d_gated)
        self.normalize_gate = nn.LayerNorm(d_gated // 2)
        self.depthwise = DepthwiseConvolution(d_gated // 2, kernel_width)
        # Gates are one at first: each state passes whatever is around it (Liu et al. 2021, "Pay attention to MLPs").
        nn.init.normal_(self.depthwise.weight, std=1e-6)
        nn.init.ones_(self.depthwise.bias)  # type: ignore[arg-type]
        self.narrow = Linear(d_gated // 2, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        """(R, D) -> (R, D), to be added."""
        kept, gate = F.gelu(self.widen(self.normalize(states))).chunk(2, -1)
        gate = packing.pack(self.depthwise(packing.unpack(self.normalize_gate(gate))))
        return self.dropout(self.narrow(self.dropout(kept * gate)))
