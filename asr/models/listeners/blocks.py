"""What listeners of self-attention blocks share: subsampling, then one block after the other."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from asr.models.attention.image import ImageAttention
from asr.models.dropout import Dropout
from asr.models.packing import Packing
from asr.models.subsampling import TIME_REDUCTION, Subsampling


class BlockListener(nn.Module):
    """Subsampling by four, then blocks that each take and give the states of all utterances without padding.

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of the subsampling's convolutions.
        d_model: Width D of the states.
        dropout: Share of the first block's input that is dropped.
        blocks: (states (R, D), `Packing`) -> states (R, D); what `look` gives for the same is (B, H, S, S).
        image_attention: What looks at the image that the subsampling's convolutions make, if anything does.
    """

    time_reduction = TIME_REDUCTION

    def __init__(
        self,
        n_mels: int,
        n_channels: int,
        d_model: int,
        dropout: float,
        blocks: Iterable[nn.Module],
        image_attention: ImageAttention | None,
    ) -> None:
        super().__init__()
        self.d_output = d_model
        self.subsample = Subsampling(n_mels, n_channels, d_model, image_attention)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Listens.

        Args:
            features: (B, T, M); values beyond a length are ignored.
            frame_lens: (B,) int64.

        Returns:
            states (B, S, D), zero beyond each length, and state_lens (B,) = ceil(frame_lens / 4).
        """
        states, packing = self.subsample(features, frame_lens)
        states = self.dropout(states)
        for block in self.blocks:
            states = block(states, packing)
        return packing.unpack(states), packing.lens

    def attention_maps(self, features: Tensor, frame_lens: Tensor) -> Tensor:
        """Where the states of each layer look, from the same arguments: (B, n_layers, H, S, S), zero on padded keys."""
        states, packing = self.subsample(features, frame_lens)
        states, maps = self.dropout(states), []
        for block in self.blocks:
            maps.append(block.look(states, packing))  # type: ignore[operator]
            states = block(states, packing)
        return torch.stack(maps, 1)


class AttentionModule(nn.Module):
    """Normalisation, then self-attention of the states of each utterance.

    Args:
        d_model: Width D.
        self_attention: See `SelfAttention`.
        dropout: Share of activations dropped from what comes out.
    """

    def __init__(self, d_model: int, self_attention: nn.Module, dropout: float) -> None:
        super().__init__()
        self.normalize = nn.LayerNorm(d_model)
        self.self_attention = self_attention
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, packing: Packing) -> Tensor:
        """(R, D) -> (R, D), to be added."""
        inputs = packing.unpack(self.normalize(states))
        return self.dropout(packing.pack(self.self_attention(inputs, packing.lens)))

    def look(self, states: Tensor, packing: Packing) -> Tensor:
        """Where each state looks: (R, D) -> (B, H, S, S)."""
        inputs = packing.unpack(self.normalize(states))
        weights: Tensor = self.self_attention.weights(inputs, packing.lens)  # type: ignore[operator]
        return weights
