"""Scheduled sampling for spellers that spell all positions at once."""

import torch
from torch import Tensor


def mix_in_own(tokens: Tensor, logits: Tensor, sampling: float) -> Tensor:
    """Puts a speller's own tokens in the place of some true ones (Mihaylova & Martins 2019; Duckworth et al. 2019).

    A speller that goes token by token can feed what it has just written. One that spells all positions at once spells
    twice: first from the true history, which gives `logits`, then from this mixture. The own tokens are thus those
    that it writes after a true history.

    Args:
        tokens: (B, U) int64 history: `sos`, then the transcript.
        logits: (B, U, V) of the token that follows each position.
        sampling: Probability that a token, `sos` excepted, is replaced by the best one.

    Returns:
        (B, U) int64.
    """
    own = torch.rand(tokens[:, 1:].shape, device=tokens.device) < sampling
    return torch.cat([tokens[:, :1], torch.where(own, logits[:, :-1].argmax(-1), tokens[:, 1:])], 1)
