"""Self-attention to a window around each state: cost O(S)."""

import torch
from torch import Tensor

from asr.models.attention.blocks import align_band, in_blocks, to_dense, with_neighbours
from asr.models.attention.formula import attend, attention_weights
from asr.models.attention.multi_head import join_heads
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.masks import length_mask, zero_padding


class WindowedSelfAttention(RelativeSelfAttention):
    """Each state looks at the states up to `window` before and after it (Beltagy et al. 2020, "Longformer", §3.1).

    Energies and parameters are those of `RelativeSelfAttention`; a window as long as the utterance gives what full
    attention gives. Time and memory are O(S · window): the states are cut into blocks of `window`, and each block is
    compared with itself and its two neighbours.

    Args:
        d_model: Width D, even.
        n_heads: Heads H.
        window: States to either side that a state looks at, 1 or more.

    Raises:
        ValueError: Heads do not divide the width, or the width is odd.
    """

    def __init__(self, d_model: int, n_heads: int, window: int) -> None:
        super().__init__(d_model, n_heads)
        self.window = window

    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Lets each state look around.

        Args:
            inputs: (B, S, D); values beyond a length are ignored.
            lens: (B,) int64.

        Returns:
            (B, S, D); values beyond a length are meaningless but finite.
        """
        queries, keys, values, mask, bias = self._blocks(inputs, lens)
        found = attend(queries, keys, values, mask, bias).unflatten(1, (self.n_heads, -1)).flatten(2, 3)
        return self.to_output(join_heads(found[:, :, : inputs.shape[1]]))

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where `forward` looks: (B, H, S, S), rows sum to one over the keys of an utterance."""
        queries, keys, _, mask, bias = self._blocks(inputs, lens)
        weights = attention_weights(queries, keys, mask, bias).unflatten(1, (self.n_heads, -1))
        return to_dense(weights, inputs.shape[1], inputs.shape[1])

    def _blocks(self, inputs: Tensor, lens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """What `attend` takes, each of the n blocks of w states being a head of its own.

        Returns:
            Queries (B, H n, w, K); keys and values (B, H n, 3 w, K); mask (B, H n, 1, 3 w); bias (B, H n, w, 3 w),
            -inf outside the window.
        """
        n_states = inputs.shape[1]
        window = max(1, min(self.window, n_states - 1))
        queries, keys, values = self.heads(zero_padding(inputs, lens))
        distances = torch.arange(window, -window - 1, -1, device=inputs.device)
        bias = align_band(in_blocks(self.position_energies(queries, distances), window), fill=-torch.inf)
        real = with_neighbours(length_mask(lens, n_states)[:, None, :, None], window)  # (B, 1, n, 3 w, 1)
        mask = real.expand(-1, self.n_heads, -1, -1, -1).transpose(-1, -2)
        queries = in_blocks(queries + self.content_bias, window)
        keys, values = with_neighbours(keys, window), with_neighbours(values, window)
        return queries.flatten(1, 2), keys.flatten(1, 2), values.flatten(1, 2), mask.flatten(1, 2), bias.flatten(1, 2)
