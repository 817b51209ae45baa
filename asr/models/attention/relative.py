"""Self-attention that knows how far apart two states are."""

import math

import torch
from torch import Tensor, nn

from asr.models.attention.formula import attend, attention_weights
from asr.models.attention.multi_head import check_heads, join_heads, split_heads
from asr.models.linear import Linear
from asr.models.masks import key_mask


class RelativeSelfAttention(nn.Module):
    """Self-attention with relative positions (Dai et al. 2019, "Transformer-XL", §3.3), as in the Conformer.

    The energy of query i and key j is ((q_i + u) · k_j + (q_i + v) · W_R R_{i-j}) / √K, with R_{i-j} a sinusoidal
    encoding of their distance and u, v learned for each head.

    Args:
        d_model: Width D.
        n_heads: Heads H.

    Raises:
        ValueError: Heads do not divide the width, or the width is odd.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        check_heads(d_model, n_heads)
        self.n_heads = n_heads
        self.to_query_key_value = Linear(d_model, 3 * d_model)
        self.to_position = Linear(d_model, d_model, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(n_heads, 1, d_model // n_heads))
        self.position_bias = nn.Parameter(torch.zeros(n_heads, 1, d_model // n_heads))
        self.to_output = Linear(d_model, d_model)

    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Lets each state look at all states of its utterance.

        Args:
            inputs: (B, S, D), finite in the padding.
            lens: (B,) int64.

        Returns:
            (B, S, D); values beyond a length are meaningless but finite.
        """
        queries, keys, values = self.heads(inputs)
        bias, mask = self._bias(queries), key_mask(lens, inputs.shape[1])
        return self.to_output(join_heads(attend(queries + self.content_bias, keys, values, mask, bias)))

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where `forward` looks: (B, H, S, S), rows sum to one over the keys of an utterance."""
        queries, keys, _ = self.heads(inputs)
        mask = key_mask(lens, inputs.shape[1])
        return attention_weights(queries + self.content_bias, keys, mask, self._bias(queries))

    def heads(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (B, H, S, K) each."""
        queries, keys, values = self.to_query_key_value(inputs).chunk(3, -1)
        return split_heads(queries, self.n_heads), split_heads(keys, self.n_heads), split_heads(values, self.n_heads)

    def position_energies(self, queries: Tensor, distances: Tensor) -> Tensor:
        """What the distance to a key adds to the energy, (q + v) · W_R R / √K.

        Args:
            queries: (B, H, S, K).
            distances: (P,) int64, in states.

        Returns:
            (B, H, S, P).
        """
        distances = distances.to(torch.promote_types(queries.dtype, torch.float32))
        encoded = encode_distances(distances, self.to_position.in_features)
        positions = split_heads(self.to_position(encoded)[None], self.n_heads)
        return (queries + self.position_bias) / math.sqrt(queries.shape[-1]) @ positions.transpose(-1, -2)

    def _bias(self, queries: Tensor) -> Tensor:
        """Of each query and key: (B, H, S, S)."""
        n_states = queries.shape[-2]
        # Distance -S never occurs; it makes the number of columns even, as `align_distances` wants it.
        distances = torch.arange(n_states - 1, -n_states - 1, -1, device=queries.device)
        return align_distances(self.position_energies(queries, distances))


def encode_distances(distances: Tensor, d_model: int) -> Tensor:
    """Sinusoids (Vaswani et al. 2017, §3.5) of distances.

    Args:
        distances: (P,) in states, float32 or better.
        d_model: D.

    Returns:
        (P, D): the sines of D / 2 falling frequencies, then the cosines.
    """
    if d_model % 2:
        raise ValueError(f"width {d_model} of the model: expected an even number for its sines and cosines")
    exponents = torch.arange(0, d_model, 2, device=distances.device, dtype=distances.dtype) / d_model
    angles = distances[:, None] * 10000.0**-exponents
    return torch.cat([angles.sin(), angles.cos()], -1)


def align_distances(by_distance: Tensor) -> Tensor:
    """Turns a column for each distance into a column for each key (Dai et al. 2019, appendix B), by views alone.

    Args:
        by_distance: (B, H, S, 2 S), column c of row i for the distance S - 1 - c.

    Returns:
        (B, H, S, S), column j of row i for the distance i - j: column S - 1 - i + j of the input.
    """
    n_states = by_distance.shape[-2]
    n_others = 2 * n_states - 1  # a row that is shorter by one starts one further to the left
    rows = by_distance.flatten(-2)[..., n_states - 1 : n_states - 1 + n_states * n_others]
    return rows.unflatten(-1, (n_states, n_others))[..., :n_states]
