"""The pyramidal BLSTM listener."""

from torch import Tensor, nn

from asr.models.masks import zero_padding
from asr.models.recurrent import BiLstm


class PyramidListener(nn.Module):
    """The pyramidal BLSTM of "Listen, attend and spell" (Chan et al. 2016, equation 5).

    A BLSTM on the frames, then pyramid layers that join two successive states before each BLSTM, so each halves the
    rate; a lone last state is joined with zeros.

    Args:
        n_mels: Width M of the frames.
        d_hidden: Width of each direction.
        n_layers: Pyramid layers; time is reduced by 2 ** n_layers.
        dropout: Share of activations dropped after each layer.
    """

    def __init__(self, n_mels: int, d_hidden: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.d_output = 2 * d_hidden
        self.time_reduction = 2**n_layers
        self.bottom = BiLstm(n_mels, d_hidden)
        self.layers = nn.ModuleList(BiLstm(4 * d_hidden, d_hidden) for _ in range(n_layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Listens.

        Args:
            features: (B, T, M); values beyond a length are ignored.
            frame_lens: (B,) int64.

        Returns:
            states (B, S, D), zero beyond each length, and state_lens (B,) = ceil(frame_lens / 2 ** n_layers).
        """
        states, lens = zero_padding(features, frame_lens), frame_lens
        states = self.dropout(zero_padding(self.bottom(states, lens), lens))
        for layer in self.layers:
            states, lens = join_pairs(states), (lens + 1) // 2
            states = self.dropout(zero_padding(layer(states, lens), lens))
        return states, lens


def join_pairs(states: Tensor) -> Tensor:
    """Joins successive states: (B, T, D) -> (B, ceil(T / 2), 2 D), zeros after a lone last one."""
    n_states = states.shape[1]
    if n_states % 2:
        states = nn.functional.pad(states, (0, 0, 0, 1))
    return states.reshape(states.shape[0], (n_states + 1) // 2, -1)
