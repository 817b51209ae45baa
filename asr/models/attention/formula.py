"""The formula: softmax(Q Kᵀ / √d_k) V, the softmax over keys (Vaswani et al. 2017, "Attention is all you need", eq. 1).

A mask is bool, broadcastable to (B, H, U, S), true where a query may look at a key. A bias, broadcastable likewise, is
added to the energies after their scaling. A query that may look at nothing gets zeros. What stands in a key or value
that no query may look at is of no consequence, NaN included.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(
    q_BHUK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Attends without making the weights: torch's fused kernel, which sums energies and softmax in float32 or better.

    Args:
        q_BHUK: Queries.
        k_BHSK: Keys.
        v_BHSK: Values; their width may differ from that of the keys.
        mask: Where each query may look; None for everywhere.
        bias: Added to the energies.

    Returns:
        (B, H, U, K).
    """
    if mask is not None:
        k_BHSK, v_BHSK = _blank_unseen(k_BHSK, mask), _blank_unseen(v_BHSK, mask)
    where = mask
    if bias is not None:
        where = (bias if mask is None else bias.masked_fill(~mask, -torch.inf)).to(q_BHUK.dtype)
    return F.scaled_dot_product_attention(q_BHUK, k_BHSK, v_BHSK, where)


def attention_weights(q_BHUK: Tensor, k_BHSK: Tensor, mask: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Makes the weights with which `attend` sums the values, to be looked at.

    Args:
        q_BHUK: Queries.
        k_BHSK: Keys.
        mask: Where each query may look; None for everywhere.
        bias: Added to the energies.

    Returns:
        (B, H, U, S), in float32 or better; rows sum to one, or are zero where a query may look at nothing.
    """
    if mask is not None:
        k_BHSK = _blank_unseen(k_BHSK, mask)
    with torch.autocast(q_BHUK.device.type, enabled=False):  # energies need more than bf16's three digits
        dtype = torch.promote_types(q_BHUK.dtype, torch.float32)
        energies = (q_BHUK.to(dtype) / math.sqrt(q_BHUK.shape[-1])) @ k_BHSK.to(dtype).transpose(-1, -2)
        if bias is not None:
            energies = energies + bias
        if mask is None:
            return energies.softmax(-1)
        # The lowest finite number, for -inf in a whole row would make NaN of it, and of its gradient.
        return energies.masked_fill(~mask, torch.finfo(dtype).min).softmax(-1).masked_fill(~mask, 0.0)


def _blank_unseen(values_BHSK: Tensor, mask: Tensor) -> Tensor:
    """Zeros in place of what no query may look at: zero times NaN is NaN, in the sum and in the gradient."""
    return torch.where(mask.any(-2)[..., None], values_BHSK, 0.0)
