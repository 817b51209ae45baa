"""Attention rollout: through several layers of attention, where did what a row knows come from?"""

import torch
from torch import Tensor


def rollout(maps: Tensor) -> Tensor:
    """Follows self-attention down through all layers (Abnar & Zuidema 2020, "Quantifying attention flow", section 3).

    A residual connection carries half of each state past each layer: A' = 0.5 A + 0.5 I, rows summing to one again,
    where A is the mean over the layer's heads; the rollout is the product A'_L ... A'_1.

    Args:
        maps: (L, H, S, S) attention of each layer and head, the lowest layer first; row s is what state s looked at.

    Returns:
        (S, S): row s says how much of the top's state s came from each state below the first layer; rows sum to one.
    """
    identity = torch.eye(maps.shape[-1], dtype=maps.dtype, device=maps.device)
    flow = identity
    for attention in maps.mean(1):
        mixed = 0.5 * attention + 0.5 * identity
        flow = mixed / mixed.sum(-1, keepdim=True) @ flow
    return flow


def rollout_from_tokens(cross: Tensor, flow: Tensor) -> Tensor:
    """Goes on from tokens, through the speller's attention to the listener's states, and through the listener.

    In each of the speller's layers, too, half comes from attention and half past it from the layer below. What moves
    between tokens (the speller's self-attention) is left out: it names no time.

    Args:
        cross: (L, H, U, S) the speller's attention, the lowest layer first; H heads each.
        flow: (S, S) the listener's rollout; the identity for a listener without self-attention.

    Returns:
        (U, S): row u says how much of what the speller took from the audio for token u came from each state; rows sum
        to one.
    """
    taken = torch.zeros_like(cross[0, 0])
    for attention in cross.mean(1):
        taken = 0.5 * taken + 0.5 * attention @ flow
    return taken / taken.sum(-1, keepdim=True)
