"""Keys and values of what has been written, kept from step to step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asr.models.hypotheses import pick_hypotheses


@dataclass(frozen=True)
class KeyValueCache:
    """What the self-attention of each hypothesis can look at. A state: `append` and `select` give a new one.

    Attributes:
        keys: (B, W, H, U, K) of the U tokens so far.
        values: (B, W, H, U, K).
    """

    keys: Tensor
    values: Tensor

    @classmethod
    def empty(cls, like: Tensor, width: int, n_heads: int, d_head: int) -> "KeyValueCache":
        """The cache of `width` hypotheses per utterance before the first token.

        Args:
            like: (B, ...) a tensor whose batch, type and device to take.
            width: W.
            n_heads: H.
            d_head: K.
        """
        nothing = like.new_zeros(like.shape[0], width, n_heads, 0, d_head)
        return cls(nothing, nothing)

    @property
    def n_tokens(self) -> int:
        """U: the offset of the next token's causal mask."""
        return self.keys.shape[3]

    def append(self, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """Adds those of the next tokens, (B, W, H, U', K) each."""
        return KeyValueCache(torch.cat([self.keys, keys], 3), torch.cat([self.values, values], 3))

    def select(self, index: Tensor) -> "KeyValueCache":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return KeyValueCache(pick_hypotheses(self.keys, index), pick_hypotheses(self.values, index))
