"""Self-attention that sees near states one by one and far ones pooled: cost O(S · log S)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from asr.models.attention.blocks import align_band, in_blocks, to_dense, with_neighbours
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
        self.block = 2 * (n_near + 1)  # whole parents, and no neighbour of a parent is further away than a block

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
                blocks = in_blocks(of_level, self.block * level.size) @ with_neighbours(level.values, self.block)
                found = found + blocks.flatten(2, 3)[:, :, : inputs.shape[1]]
        return self.to_output(join_heads(found))

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where `forward` looks, the weight of a cell shared evenly by its states: (B, H, S, S)."""
        n_states = inputs.shape[1]
        levels, weights = self._look(inputs, lens)
        dense = inputs.new_zeros(())
        for level, of_level in zip(levels, weights, strict=True):
            cells = to_dense(in_blocks(of_level, self.block * level.size), n_states, level.keys.shape[2])
            share = cells / level.counts.clamp(min=1).transpose(-1, -2)
            dense = dense + share.repeat_interleave(level.size, -1)[..., :n_states]
        return dense.masked_fill(~key_mask(lens, n_states), 0.0)

    def _look(self, inputs: Tensor, lens: Tensor) -> tuple[list[Level], Sequence[Tensor]]:
        """The levels, and for each the weights (B, H, S, 3 block) of the cells in a query's block and around it."""
        queries, keys, values = self.heads(zero_padding(inputs, lens))
        with torch.autocast(inputs.device.type, enabled=False):  # energies need more than bf16's three digits
            dtype = torch.promote_types(queries.dtype, torch.float32)
            queries, keys, values = queries.to(dtype), keys.to(dtype), values.to(dtype)
            levels = self._levels(keys, values, lens)
            energies = torch.cat([self._energies(queries, level) for level in levels], -1)
            return levels, energies.softmax(-1).split(3 * self.block, -1)

    def _levels(self, keys: Tensor, values: Tensor, lens: Tensor) -> list[Level]:
        """Pools by two until all cells have near parents."""
        real = length_mask(lens, keys.shape[2])[:, None, :, None].to(keys.dtype)
        levels = [Level(1, keys * real, values * real, real)]
        while (level := levels[-1]).keys.shape[2] > self.block:
            levels.append(
                Level(
                    2 * level.size,
                    mean_of_pairs(level.keys, level.counts),
                    mean_of_pairs(level.values, level.counts),
                    in_blocks(level.counts, 2).sum(-2),
                )
            )
        return levels

    def _energies(self, queries: Tensor, level: Level) -> Tensor:
        """Of each query and the cells of its block and its neighbours: (B, H, S, 3 block), lowest where not seen."""
        block, rows = self.block, self.block * level.size
        content = (queries + self.content_bias) / math.sqrt(queries.shape[-1])
        energies = in_blocks(content, rows) @ with_neighbours(level.keys, block).transpose(
            -1, -2
        )  # (B, H, n, rows, 3 b)
        position = self.position_energies(queries, level.size * block, 2 * block + 1, step=level.size)
        by_cell = in_blocks(position, rows).unflatten(-2, (block, level.size)).transpose(-2, -3)
        energies = energies + align_band(by_cell).transpose(-2, -3).flatten(-3, -2)
        counts = with_neighbours(level.counts, block).transpose(-1, -2)  # (B, 1, n, 1, 3 block)
        seen = self._seen(level.size > 1, queries.device).repeat_interleave(level.size, 0) & (counts > 0)
        energies = (energies + counts.clamp(min=1).log()).masked_fill(~seen, torch.finfo(energies.dtype).min)
        return energies.flatten(2, 3)[:, :, : queries.shape[2]]

    def _seen(self, pooled: bool, device: torch.device) -> Tensor:
        """Which of three blocks' cells each cell of the middle one looks at: (block, 3 block) bool."""
        cells = torch.arange(-self.block, 2 * self.block, device=device)
        own = cells[self.block : -self.block, None]
        seen = (own // 2 - cells // 2).abs() <= self.n_near
        return seen & ((own - cells).abs() > self.n_near) if pooled else seen


def mean_of_pairs(means: Tensor, counts: Tensor) -> Tensor:
    """Joins successive cells: means (B, H, C, K) of counts (B, 1, C, 1) states -> (B, H, ceil(C / 2), K)."""
    sums = in_blocks(means * counts, 2).sum(-2)
    return sums / in_blocks(counts, 2).sum(-2).clamp(min=1)
