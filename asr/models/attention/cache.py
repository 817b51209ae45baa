"""Keys and values of what has been written, kept from step to step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asr.models.hypotheses import pick_hypotheses

MORE = 16  # tokens for which room is made at a time


@dataclass
class Room:
    """Memory for keys and values, which several caches may share as long as each adds where nobody has.

    Attributes:
        numbers: (B, W, 2, H, C, K) for C tokens, of which the first have been written.
        n_taken: How many of them.
    """

    numbers: Tensor
    n_taken: int


@dataclass(frozen=True)
class KeyValueCache:
    """What the self-attention of each hypothesis can look at. A state: `append` and `select` give a new one.

    Attributes:
        room: Where it is kept.
        n_tokens: U tokens so far: the offset of the next token's causal mask.
    """

    room: Room
    n_tokens: int

    @classmethod
    def empty(cls, like: Tensor, width: int, n_heads: int, d_head: int) -> "KeyValueCache":
        """The cache of `width` hypotheses per utterance before the first token.

        Args:
            like: (B, ...) a tensor whose batch, type and device to take.
            width: W.
            n_heads: H.
            d_head: K.
        """
        return cls(Room(like.new_empty(like.shape[0], width, 2, n_heads, 0, d_head), 0), 0)

    @property
    def keys(self) -> Tensor:
        """(B, W, H, U, K)."""
        return self.room.numbers[:, :, 0, :, : self.n_tokens]

    @property
    def values(self) -> Tensor:
        """(B, W, H, U, K)."""
        return self.room.numbers[:, :, 1, :, : self.n_tokens]

    def append(self, keys: Tensor, values: Tensor) -> "KeyValueCache":
        """Adds those of the next tokens, (B, W, H, U', K) each: in place where there is room that nobody has taken."""
        before, n_tokens = self.room.numbers[..., : self.n_tokens, :], self.n_tokens + keys.shape[3]
        new = torch.stack([keys, values], 2)
        if torch.is_grad_enabled():  # a gradient wants what it is made from to stay as it was
            return KeyValueCache(Room(torch.cat([before, new], 4), n_tokens), n_tokens)
        room = self.room
        if room.n_taken > self.n_tokens or room.numbers.shape[4] < n_tokens:
            room = Room(new.new_empty(*new.shape[:4], n_tokens + MORE, new.shape[5]), 0)
            room.numbers[..., : self.n_tokens, :] = before
        room.numbers[..., self.n_tokens : n_tokens, :] = new
        room.n_taken = n_tokens
        return KeyValueCache(room, n_tokens)

    def select(self, index: Tensor) -> "KeyValueCache":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return KeyValueCache(Room(pick_hypotheses(self.room.numbers, index), self.n_tokens), self.n_tokens)
