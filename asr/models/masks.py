"""The one place where masks are made: from each utterance's own length, or from what has been written so far."""

import torch
from torch import Tensor


def length_mask(lens: Tensor, size: int) -> Tensor:
    """Marks what belongs to an utterance.

    Args:
        lens: (B,) int64 lengths.
        size: Padded length.

    Returns:
        (B, size) bool, true where the position is below the length.
    """
    return torch.arange(size, device=lens.device) < lens[:, None]


def key_mask(lens: Tensor, size: int) -> Tensor:
    """Lets every query of every head look at what belongs to its utterance: lengths (B,) -> (B, 1, 1, size) bool."""
    return length_mask(lens, size)[:, None, None]


def causal_mask(n_queries: int, offset: int, device: torch.device) -> Tensor:
    """Lets each query look at itself and at what came before it.

    Args:
        n_queries: Successive positions U that ask.
        offset: Positions before them, all of which they may look at: those in a cache.
        device: Where the mask is wanted.

    Returns:
        (U, offset + U) bool.
    """
    positions = torch.arange(offset + n_queries, device=device)
    return positions <= positions[offset:, None]


def zero_padding(values: Tensor, lens: Tensor) -> Tensor:
    """Writes zeros beyond each length, whatever stood there (NaN included): (B, T, ...) -> (B, T, ...)."""
    mask = length_mask(lens, values.shape[1])
    return torch.where(mask.view(*mask.shape, *[1] * (values.dim() - 2)), values, 0.0)


def reverse_in_time(values: Tensor, lens: Tensor) -> Tensor:
    """Reverses each utterance within its own length; padding stays where it is.

    Args:
        values: (B, T, D).
        lens: (B,) int64.

    Returns:
        (B, T, D); applying it twice gives the input back.
    """
    positions = torch.arange(values.shape[1], device=values.device)
    mirrored = torch.where(positions < lens[:, None], lens[:, None] - 1 - positions, positions)
    return values.gather(1, mirrored[..., None].expand_as(values))
