"""Multi-head attention, of a sequence to itself or to another one."""

from typing import NamedTuple

from torch import Tensor, nn

from asr.models.attention.formula import attend, attention_weights
from asr.models.linear import Linear


class KeysValues(NamedTuple):
    """What queries look at, projected.

    Attributes:
        keys: (B, H, S, K).
        values: (B, H, S, K).
    """

    keys: Tensor
    values: Tensor


class MultiHeadAttention(nn.Module):
    """Attends with several heads of width K = D / H and joins what they found (Vaswani et al. 2017, §3.2.2).

    Args:
        d_model: Width D of the queries and of the result.
        n_heads: Heads H.
        d_memory: Width of what keys and values are made from.

    Raises:
        ValueError: Heads do not divide the width.
    """

    def __init__(self, d_model: int, n_heads: int, d_memory: int) -> None:
        super().__init__()
        check_heads(d_model, n_heads)
        self.n_heads = n_heads
        self.to_query = Linear(d_model, d_model)
        self.to_key_value = Linear(d_memory, 2 * d_model)
        self.to_output = Linear(d_model, d_model)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Projects what can be looked at, once for all queries: (B, S, d_memory) -> keys and values (B, H, S, K)."""
        keys, values = self.to_key_value(memory).chunk(2, -1)
        return KeysValues(split_heads(keys, self.n_heads), split_heads(values, self.n_heads))

    def forward(
        self, queries: Tensor, keys_values: KeysValues, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Attends.

        Args:
            queries: (B, U, D).
            keys_values: From `keys_values`, of one or several calls.
            mask: Bool, broadcastable to (B, H, U, S), true where a query may look.
            bias: Added to the energies, broadcastable likewise. -inf keeps from looking like a mask, at less cost, but
                wants finite keys and values.

        Returns:
            (B, U, D).
        """
        heads = split_heads(self.to_query(queries), self.n_heads)
        return self.to_output(join_heads(attend(heads, *keys_values, mask, bias)))

    def weights(
        self, queries: Tensor, keys_values: KeysValues, mask: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Where `forward` looks, given the same: (B, H, U, S), rows sum to one over the keys."""
        return attention_weights(split_heads(self.to_query(queries), self.n_heads), keys_values.keys, mask, bias)


def check_heads(d_model: int, n_heads: int) -> None:
    """Raises ValueError unless heads of equal width make up the model's."""
    if d_model % n_heads:
        raise ValueError(f"width {d_model} of the model: expected a multiple of n_heads = {n_heads}")


def split_heads(values: Tensor, n_heads: int) -> Tensor:
    """(B, S, H K) -> (B, H, S, K)."""
    return values.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def join_heads(values: Tensor) -> Tensor:
    """(B, H, S, K) -> (B, S, H K)."""
    return values.transpose(1, 2).flatten(2)
