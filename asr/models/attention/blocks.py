"""A sequence by blocks, each beside its two neighbours: how local attention is made of dense products.

Blocks begin at the first state of an utterance, so they are the same however long the padding behind it is. What lies
before the first block and after the last one is zero.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def in_blocks(values: Tensor, block: int) -> Tensor:
    """Cuts a sequence: (..., S, K) -> (..., n, block, K), the last block filled up with zeros."""
    missing = -values.shape[-2] % block
    return F.pad(values, (0, 0, 0, missing)).unflatten(-2, (-1, block))


def with_neighbours(values: Tensor, block: int) -> Tensor:
    """Cuts a sequence and puts each block between its neighbours: (..., S, K) -> (..., n, 3 block, K)."""
    padded = F.pad(in_blocks(values, block), (0, 0, 0, 0, 1, 1))
    return torch.cat([padded[..., :-2, :, :], padded[..., 1:-1, :, :], padded[..., 2:, :, :]], -2)


def align_band(band: Tensor, fill: float) -> Tensor:
    """Turns a column for each distance into a column for each state of three blocks, by padding and views alone.

    Args:
        band: (..., block, 2 block + 1), column c of row i for the distance block - c, in states.
        fill: What is written where the distance is more than a block.

    Returns:
        (..., block, 3 block), column j of row i for state j of the three blocks, whose distance is block + i - j.
    """
    block = band.shape[-2]
    rows = F.pad(band, (0, block), value=fill).flatten(-2)
    # A row of 3 block + 1 read as one of 3 block starts one column further to the right than the row above it.
    return rows[..., : 3 * block * block].unflatten(-1, (block, 3 * block))


def take_band(aligned: Tensor) -> Tensor:
    """Undoes `align_band`: (..., block, 3 block) -> (..., block, 2 block + 1)."""
    block = aligned.shape[-2]
    rows = F.pad(aligned.flatten(-2), (0, block)).unflatten(-1, (block, 3 * block + 1))
    return rows[..., : 2 * block + 1]


def to_dense(weights: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """Puts the weights of blocks into one picture.

    Args:
        weights: (..., n, R, 3 block): R rows for each block, a column for each state of three blocks.
        n_rows: How many rows are real.
        n_columns: How many states are real.

    Returns:
        (..., n_rows, n_columns), zero wherever no block looked.
    """
    n_blocks, rows, columns = weights.shape[-3:]
    block = columns // 3
    dense = weights.new_zeros(*weights.shape[:-3], n_blocks, rows, (n_blocks + 2) * block)
    for number in range(n_blocks):
        dense[..., number, :, number * block : (number + 3) * block] = weights[..., number, :, :]
    return dense.flatten(-3, -2)[..., :n_rows, block : block + n_columns]
