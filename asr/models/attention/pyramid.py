"""Self-attention that sees near states one by one and far ones pooled: cost O(S · log S)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from asr.models.attention.blocks import align_band, in_blocks, take_band, to_dense, with_neighbours
from asr.models.attention.multi_head import join_heads
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.masks import key_mask, length_mask, zero_padding


class Level(NamedTuple):
    """An utterance at one scale: its C cells.

    Attributes:
        size: How many states a cell stands for, padding included.
        keys: (B, H, C, K) means of the real states' keys, zero where a cell has none.
        values: (B, H, C, K) likewise.
        counts: (B, 1, C, 1) real states of each cell.
    """

    size: int
    keys: Tensor
    values: Tensor
    counts: Tensor


class PyramidSelfAttention(RelativeSelfAttention):
    """Each state looks at near states in full, at farther ones by the mean of 2, 4, 8, ... of them.

    After the fast multipole method (Kang et al. 2023, "Fast multipole attention"; of the same family are Liu et al.
    2022, "Pyraformer", and Zhu & Soricut 2021, "H-Transformer-1D"). Level l cuts the utterance into cells of 2^l
    states, C_l(s) = ⌊s / 2^l⌋, from its first state on, and the keys k and values v of a cell are the means of those of
    its n real states. Call cells of a level near when they are at most h apart. A query at state i looks at the cells
    c of level l that are not near C_l(i), but whose parents are near the parent of C_l(i); at level 0, at the near ones
    as well. So it looks at each state exactly once, by itself or in one cell. The energy of a cell is

        e(i, c) = ((q_i + u) · k_c + (q_i + v) · W_R R_d) / √K + log n_c,   d = 2^l (C_l(i) - c),

    that of `RelativeSelfAttention` and, for the softmax over all cells of all levels, the cell counted once for each of
    its states. Hence full attention wherever the states of a cell are alike, and for utterances of up to 2 (h + 1)
    states. A query looks at 2 (2 h + 1) states and 2 h + 1 cells of each of at most log2(S / (h + 1)) levels: time and
    memory are O(S · h · log S).

    Args:
        d_model: Width D, even.
        n_heads: Heads H.
        n_near: Cells h to either side that count as near, 0 or more.

    Raises:
        ValueError: Heads do not divide the width, or the width is odd.
    """

    def __init__(self, d_model: int, n_heads: int, n_near: int) -> None:
        super().__init__(d_model, n_heads)
        self.n_near = n_near
        self.block = 2 * n_near + 1  # the furthest cell whose parent is near

    def forward(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Lets each state look around.

        Args:
            inputs: (B, S, D); values beyond a length are ignored.
            lens: (B,) int64.

        Returns:
            (B, S, D); values beyond a length are meaningless but finite.
        """
        levels, weights = self._look(inputs, lens)
        found = torch.zeros_like(levels[0].values)
        with torch.autocast(inputs.device.type, enabled=False):
            for level, of_level in zip(levels, weights, strict=True):
                blocks = self._aligned(level, of_level) @ with_neighbours(level.values, self.block)
                found = found + by_state(blocks.unflatten(-2, (level.size, -1)), inputs.shape[1])
        return self.to_output(join_heads(found))

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where `forward` looks, the weight of a cell shared evenly by its states: (B, H, S, S)."""
        n_states = inputs.shape[1]
        levels, weights = self._look(inputs, lens)
        dense = inputs.new_zeros(())
        for level, of_level in zip(levels, weights, strict=True):
            blocks = self._aligned(level, of_level).unflatten(-2, (level.size, -1)).transpose(-2, -3).flatten(-3, -2)
            shares = to_dense(blocks, n_states, level.keys.shape[2]) / level.counts.clamp(min=1).transpose(-1, -2)
            dense = dense + shares.repeat_interleave(level.size, -1)[..., :n_states]
        return dense.masked_fill(~key_mask(lens, n_states), 0.0)

    def _look(self, inputs: Tensor, lens: Tensor) -> tuple[list[Level], Sequence[Tensor]]:
        """The levels, and for each the weights (B, H, S, P) of the cells at P distances."""
        queries, keys, values = self.heads(zero_padding(inputs, lens))
        with torch.autocast(inputs.device.type, enabled=False):  # energies need more than bf16's three digits
            dtype = torch.promote_types(queries.dtype, torch.float32)
            levels = self._levels(keys.to(dtype), values.to(dtype), lens)
            energies = [self._energies(queries.to(dtype), level, lens) for level in levels]
            weights = torch.cat(energies, -1).softmax(-1)
        return levels, weights.split([each.shape[-1] for each in energies], -1)

    def _levels(self, keys: Tensor, values: Tensor, lens: Tensor) -> list[Level]:
        """Pools by two until all cells have near parents."""
        real = length_mask(lens, keys.shape[2])[:, None, :, None].to(keys.dtype)
        levels = [Level(1, keys * real, values * real, real)]
        while (level := levels[-1]).keys.shape[2] > 2 * (self.n_near + 1):
            keys, values = mean_of_pairs(level.keys, level.counts), mean_of_pairs(level.values, level.counts)
            levels.append(Level(2 * level.size, keys, values, in_blocks(level.counts, 2).sum(-2)))
        return levels

    def _energies(self, queries: Tensor, level: Level, lens: Tensor) -> Tensor:
        """Of each query and the cells at the distances that the level serves: (B, H, S, P), lowest where not seen."""
        n_states, size = queries.shape[2], level.size
        content = by_cell((queries + self.content_bias) / math.sqrt(queries.shape[-1]), self.block, size)
        products = content.flatten(-3, -2) @ with_neighbours(level.keys, self.block).transpose(-1, -2)
        energies = by_state(self._served(take_band(products.unflatten(-2, (size, -1))), size), n_states)
        distances = self._served(torch.arange(self.block, -self.block - 1, -1, device=lens.device), size)
        energies = energies + self.position_energies(queries, size * distances)
        own = torch.arange(n_states, device=lens.device)[:, None] // size
        cells = own - distances  # (S, P)
        counts = (lens[:, None, None, None] - size * cells).clamp(0, size)  # (B, 1, S, P)
        seen = (cells >= 0) & (counts > 0) & ((own // 2 - cells // 2).abs() <= self.n_near)
        energies = energies + counts.clamp(min=1).to(energies.dtype).log()
        return energies.masked_fill(~seen, torch.finfo(energies.dtype).min)

    def _served(self, band: Tensor, size: int) -> Tensor:
        """Of the columns of a band (..., 2 block + 1), those of cells that a level may serve, pooled only far ones."""
        n_far = self.n_near + 1
        return band if size == 1 else torch.cat([band[..., :n_far], band[..., -n_far:]], -1)

    def _aligned(self, level: Level, weights: Tensor) -> Tensor:
        """Weights of a level (B, H, S, P) -> (B, H, n, size block, 3 block), as the cells stand in three blocks."""
        if level.size > 1:
            left, right = weights.chunk(2, -1)
            near = weights.new_zeros(()).expand(*weights.shape[:-1], 2 * self.n_near + 1)
            weights = torch.cat([left, near, right], -1)
        return align_band(by_cell(weights, self.block, level.size), fill=0.0).flatten(-3, -2)


def by_cell(values: Tensor, block: int, size: int) -> Tensor:
    """Puts states of like place in cells of `size` together: (..., S, K) -> (..., n, size, block, K)."""
    return in_blocks(values, block * size).unflatten(-2, (block, size)).transpose(-2, -3)


def by_state(values: Tensor, n_states: int) -> Tensor:
    """Undoes `by_cell`: (..., n, size, block, K) -> (..., S, K)."""
    return values.transpose(-2, -3).flatten(-4, -2)[..., :n_states, :]


def mean_of_pairs(means: Tensor, counts: Tensor) -> Tensor:
    """Joins successive cells: means (B, H, C, K) of counts (B, 1, C, 1) states -> (B, H, ceil(C / 2), K)."""
    sums = in_blocks(means * counts, 2).sum(-2)
    return sums / in_blocks(counts, 2).sum(-2).clamp(min=1)
