"""Minimum word error rate: training on the errors that search makes, not on the likelihood of the truth."""

from typing import NamedTuple

import torch
from torch import Tensor

from asr.models.masks import length_mask


class NBest(NamedTuple):
    """What search finds for a batch, and how wrong it is.

    Attributes:
        tokens: (B, N, U) int64 hypotheses without start and end, padded.
        token_lens: (B, N) int64.
        listed: (B, N) bool, whether there is such a hypothesis; at least one in each row.
        n_errors: (B, N) int64 word errors of each.
    """

    tokens: Tensor
    token_lens: Tensor
    listed: Tensor
    n_errors: Tensor


def sequence_log_probs(logits: Tensor, targets: Tensor, lens: Tensor) -> Tensor:
    """Log-probability of each sequence, its end included.

    Args:
        logits: (R, U, V) of the token at each position.
        targets: (R, U) int64 tokens.
        lens: (R,) int64; what lies beyond is ignored.

    Returns:
        (R,) of at least float32.
    """
    valid = length_mask(lens, targets.shape[1])
    logits = torch.where(valid[..., None], logits, 0.0)
    log_probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    return log_probs.gather(-1, targets[..., None]).squeeze(-1).where(valid, 0.0).sum(1)


def min_wer_loss(log_probs: Tensor, n_errors: Tensor, listed: Tensor) -> tuple[Tensor, Tensor]:
    """Expected word errors, the speller's probabilities renormalised over the list (Prabhavalkar et al. 2018, eq. 3–5).

    For each utterance, sum over i of P[i] (W[i] - mean of W), where P = softmax(log_probs) over the hypotheses listed.
    The baseline keeps the loss near zero; as P sums to one, it has no part in the gradient P[i] (W[i] - sum of P W).

    Args:
        log_probs: (B, N) log-probability of each hypothesis.
        n_errors: (B, N) word errors W.
        listed: (B, N) bool, whether there is such a hypothesis; at least one in each row.

    Returns:
        The loss and the expected word errors, both summed over the utterances.
    """
    probs = log_probs.masked_fill(~listed, -torch.inf).softmax(-1)
    errors = n_errors.to(probs.dtype).where(listed, 0.0)
    baseline = errors.sum(-1, keepdim=True) / listed.sum(-1, keepdim=True)
    return (probs * (errors - baseline)).sum(), (probs * errors).detach().sum()
