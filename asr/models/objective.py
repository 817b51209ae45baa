"""The joint objective as a pure function: sums and counts, so that any split of a batch gives the same loss."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from asr.models.asr_model import Outputs
from asr.models.masks import length_mask


class LossSums(NamedTuple):
    """Sums over a batch, in nats, and what to divide them by.

    Attributes:
        joint: The weighted sum that is trained on.
        n_tokens: Tokens, ends included: the divisor.
        n_correct: Tokens the model had right.
        parts: What it is a sum of, unweighted and without gradient, by name.
    """

    joint: Tensor
    n_tokens: Tensor
    n_correct: Tensor
    parts: dict[str, Tensor]


def joint_loss(
    outputs: Outputs, tokens: Tensor, token_lens: Tensor, eos: int, ctc_weight: float, label_smoothing: float
) -> LossSums:
    """Joint CTC/attention loss (Kim et al. 2017, equation 9) with label smoothing (Szegedy et al. 2016).

    Its parts are `attention`, the speller's cross-entropy with label smoothing, and `ctc` of a model with a CTC head.

    Args:
        outputs: Of `AsrModel.forward`.
        tokens: (B, U) int64 transcripts, padded.
        token_lens: (B,) int64.
        eos: Id of the end of sentence.
        ctc_weight: Share of CTC; the speller has the rest. 0 for a model without a CTC head.
        label_smoothing: Share of the target spread evenly over the vocabulary.
    """
    targets, valid = targets_of(tokens, token_lens, eos)
    logits = outputs.logits[valid]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    attention = F.cross_entropy(logits, targets[valid], label_smoothing=label_smoothing, reduction="sum")
    n_correct = (logits.argmax(-1) == targets[valid]).sum()
    joint, parts = (1.0 - ctc_weight) * attention, {"attention": attention.detach()}
    if outputs.ctc_log_probs is not None:
        ctc = F.ctc_loss(
            outputs.ctc_log_probs.transpose(0, 1),
            tokens,
            outputs.state_lens,
            token_lens,
            reduction="sum",
            zero_infinity=True,
        )
        joint, parts["ctc"] = joint + ctc_weight * ctc, ctc.detach()
    return LossSums(joint, valid.sum(), n_correct, parts)


def targets_of(tokens: Tensor, token_lens: Tensor, eos: int) -> tuple[Tensor, Tensor]:
    """What the speller is to write: tokens (B, U) -> (B, U + 1) with `eos` behind each, and which are real, bool."""
    targets = F.pad(tokens, (0, 1)).scatter(1, token_lens[:, None], eos)
    return targets, length_mask(token_lens + 1, targets.shape[1])


def history_of(tokens: Tensor, sos: int) -> Tensor:
    """What the speller has read before each position: (B, U) -> (B, U + 1), `sos` first."""
    return torch.cat([tokens.new_full((tokens.shape[0], 1), sos), tokens], 1)
