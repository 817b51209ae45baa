"""The listener of strided convolutions and BLSTM layers."""

from torch import Tensor, nn

from asr.models.attention.image import ImageAttention
from asr.models.masks import zero_padding
from asr.models.recurrent import BiLstm


class ConvBlstmListener(nn.Module):
    """Two strided convolutions over time and frequency, then BLSTM layers, each normalised.

    The convolutions reduce time and frequency by four, as the front ends of Zhang et al. 2017 ("Very deep
    convolutional networks for end-to-end speech recognition") and of ESPnet's VGG-BLSTM do.

    Args:
        n_mels: Width M of the frames.
        n_channels: Channels of each convolution.
        d_hidden: Width of each direction of a BLSTM layer.
        n_layers: BLSTM layers.
        dropout: Share of activations dropped after the convolutions and after each layer.
        image_attention: What looks at the image that the convolutions make, if anything does.
    """

    time_reduction = 4

    def __init__(
        self,
        n_mels: int,
        n_channels: int,
        d_hidden: int,
        n_layers: int,
        dropout: float,
        image_attention: ImageAttention | None = None,
    ) -> None:
        super().__init__()
        self.d_output = 2 * d_hidden
        self.convolutions = nn.ModuleList(
            nn.Conv2d(n_input, n_channels, kernel_size=3, stride=2, padding=1) for n_input in (1, n_channels)
        )
        self.image_attention = image_attention
        d_input = n_channels * ((n_mels + 3) // 4)
        self.normalize_input = nn.LayerNorm(d_input)
        widths = [d_input] + [self.d_output] * (n_layers - 1)
        self.layers = nn.ModuleList(BiLstm(width, d_hidden) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(self.d_output) for _ in range(n_layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Listens.

        Args:
            features: (B, T, M); values beyond a length are ignored.
            frame_lens: (B,) int64.

        Returns:
            states (B, S, D), zero beyond each length, and state_lens (B,) = ceil(frame_lens / 4).
        """
        image, lens = zero_padding(features, frame_lens)[..., None], frame_lens  # (B, T, M, channels)
        for convolution in self.convolutions:
            image = convolution(image.permute(0, 3, 1, 2)).relu().permute(0, 2, 3, 1)
            lens = (lens + 1) // 2
            image = zero_padding(image, lens)
        if self.image_attention is not None:
            image = self.image_attention(image, lens)
        states = self.dropout(self.normalize_input(image.flatten(2)))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            states = self.dropout(norm(layer(states, lens)))
        return zero_padding(states, lens), lens
