"""Attention over the spectrogram as an image, between the convolutions of a front end and what follows them."""

from typing import Protocol

import torch
from torch import Tensor, nn

from asr.models.attention.formula import attend
from asr.models.linear import Linear
from asr.models.masks import key_mask, zero_padding


class ImageAttention(Protocol):
    """Lets an image look at itself: a module made from its channels and what its recipe section says."""

    def __call__(self, image: Tensor, lens: Tensor) -> Tensor:
        """Attends.

        Args:
            image: (B, S, F, C): states, frequency bins, channels; zero beyond each length.
            lens: (B,) int64.

        Returns:
            (B, S, F, C), zero beyond each length.
        """


class SqueezeExcitation(nn.Module):
    """Weighs each channel by what all channels do on average (Hu et al. 2018, "Squeeze-and-excitation networks").

    With z the mean of the image over time and frequency (equation 2), each channel is multiplied by its share of
    s = σ(W₂ ReLU(W₁ z)) (equations 3 and 4). The mean is over an utterance's own states. Cost is O(S).

    Args:
        n_channels: Channels C of the image.
        reduction: By how much fewer units than channels lie between W₁ and W₂; at least one does.
    """

    def __init__(self, n_channels: int, reduction: int) -> None:
        super().__init__()
        n_units = max(1, n_channels // reduction)
        self.squeeze = Linear(n_channels, n_units)
        self.excite = Linear(n_units, n_channels)

    def forward(self, image: Tensor, lens: Tensor) -> Tensor:
        """Weighs the channels; see `ImageAttention`."""
        sums = image.sum((1, 2), dtype=torch.promote_types(image.dtype, torch.float32))
        means = sums / (lens * image.shape[2])[:, None]
        shares = self.excite(self.squeeze(means).relu()).sigmoid()
        return image * shares[:, None, None].to(image.dtype)


class TwoDimensionalAttention(nn.Module):
    """Attention along time and along frequency (Dong et al. 2018, "Speech-Transformer", "2D-attention").

    Convolutions give c channels each of queries, keys and values. In channel i, states look at states, comparing the
    frequency bins of Q_i and K_i (S x F), and bins look at bins, comparing the states of Q_iᵀ and K_iᵀ:

        time_i = softmax(Q_i K_iᵀ / √F) V_i,   frequency_i = (softmax(Q_iᵀ K_i / √S) V_iᵀ)ᵀ.

    A convolution joins the 2 c channels, and what it makes is added to the image (He et al. 2016). S is an utterance's
    own length. Cost is O(S²).

    Args:
        n_channels: Channels C of the image.
        n_heads: Channels c in which is attended.
    """

    def __init__(self, n_channels: int, n_heads: int) -> None:
        super().__init__()
        self.to_query_key_value = nn.Conv2d(n_channels, 3 * n_heads, kernel_size=3, padding=1)
        self.to_output = nn.Conv2d(2 * n_heads, n_channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor, lens: Tensor) -> Tensor:
        """Attends along both axes; see `ImageAttention`."""
        n_states = image.shape[1]
        projected = self.to_query_key_value(image.permute(0, 3, 1, 2))  # (B, 3 c, S, F)
        queries, keys, values = zero_padded_states(projected, lens).chunk(3, 1)
        along_time = attend(queries, keys, values, key_mask(lens, n_states))
        # `attend` divides by the root of the padded length; what is compared is as long as the utterance.
        own_scale = (n_states / lens.to(queries.dtype)).sqrt()[:, None, None, None]
        along_frequency = attend((queries * own_scale).mT, keys.mT, values.mT).mT
        joined = self.to_output(zero_padded_states(torch.cat([along_time, along_frequency], 1), lens))
        return zero_padding(image + joined.permute(0, 2, 3, 1), lens)


def zero_padded_states(image: Tensor, lens: Tensor) -> Tensor:
    """Writes zeros beyond each length: (B, C, S, F) -> (B, C, S, F)."""
    return torch.where(key_mask(lens, image.shape[2]).mT, image, 0.0)
