"""Guided attention: a prior for attention that walks along the utterance at an even pace."""

import torch
from torch import Tensor

from asr.models.masks import length_mask


def guided_attention_loss(
    weights: Tensor, state_lens: Tensor, row_lens: Tensor, width: float, n_heads: int | None = None
) -> Tensor:
    """The penalty for attention off the diagonal (Tachibana et al. 2018, equations 6 and 7), summed over tokens.

    A token's share is what its attention is expected to pay, sum over s of W[u, s] · weights[u, s], from 0 to 1
    whatever the length, averaged over the heads; W[u, s] = 1 - exp(-(u / U - s / S)² / (2 width²)). The paper takes
    the mean over all states, too, which is this sum divided by S.

    Args:
        weights: (B, U, H, S) attention; whatever stands in the padding is ignored.
        state_lens: (B,) int64, each its utterance's S.
        row_lens: (B,) int64, each its utterance's U: tokens and the end.
        width: g, as a share of the utterance: within it attention may leave the diagonal at little cost.
        n_heads: Only the last so many heads; None takes all.

    Returns:
        The sum, a scalar of at least float32.
    """
    weights = weights.to(torch.promote_types(weights.dtype, torch.float32))
    if n_heads is not None:
        weights = weights[:, :, -n_heads:]
    n_rows, n_states = weights.shape[1], weights.shape[3]
    rows = torch.arange(n_rows, device=weights.device, dtype=weights.dtype) / row_lens[:, None]
    columns = torch.arange(n_states, device=weights.device, dtype=weights.dtype) / state_lens[:, None]
    off_diagonal = rows[:, :, None] - columns[:, None, :]
    penalty = -torch.expm1(-off_diagonal.square() / (2.0 * width**2))
    valid = length_mask(row_lens, n_rows)[:, :, None] & length_mask(state_lens, n_states)[:, None, :]
    paid = torch.where(valid[:, :, None], weights, 0.0) * penalty[:, :, None]
    return paid.sum() / weights.shape[2]
