"""The joint objective as a pure function: sums and counts, so that any split of a batch gives the same loss."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from asr.models.asr_model import Outputs
from asr.models.guided_attention import guided_attention_loss
from asr.models.masks import length_mask
from asr.models.min_wer import NBest, min_wer_loss, sequence_log_probs


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


class Guide(NamedTuple):
    """Guided attention at one step: the loss's weight now, and `width` and `n_heads` of `guided_attention_loss`."""

    weight: float
    width: float
    n_heads: int | None


def joint_loss(
    outputs: Outputs,
    tokens: Tensor,
    token_lens: Tensor,
    eos: int,
    ctc_weight: float,
    label_smoothing: float,
    guide: Guide | None = None,
) -> LossSums:
    """Joint CTC/attention loss (Kim et al. 2017, equation 9) with label smoothing (Szegedy et al. 2016).

    Its parts are `attention`, the speller's cross-entropy with label smoothing, `ctc` of a model with a CTC head, and
    `guided`, the penalty for attention off the diagonal, if there is a guide.

    Args:
        outputs: Of `AsrModel.forward`, weights included if there is a guide.
        tokens: (B, U) int64 transcripts, padded.
        token_lens: (B,) int64.
        eos: Id of the end of sentence.
        ctc_weight: Share of CTC; the speller has the rest. 0 for a model without a CTC head.
        label_smoothing: Share of the target spread evenly over the vocabulary.
        guide: Guided attention, which comes on top.
    """
    attention, n_tokens, n_correct, _ = text_loss(outputs.logits, tokens, token_lens, eos, label_smoothing)
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
    if guide is not None:
        assert outputs.weights is not None
        guided = guided_attention_loss(outputs.weights, outputs.state_lens, token_lens + 1, guide.width, guide.n_heads)
        joint, parts["guided"] = joint + guide.weight * guided, guided.detach()
    return LossSums(joint, n_tokens, n_correct, parts)


def text_loss(logits: Tensor, tokens: Tensor, token_lens: Tensor, eos: int, label_smoothing: float) -> LossSums:
    """Cross-entropy of texts and their ends, with label smoothing.

    Args:
        logits: (B, U + 1, V).
        tokens: (B, U) int64, padded.
        token_lens: (B,) int64.
        eos: Id of the end of sentence.
        label_smoothing: Share of the target spread evenly over the vocabulary.
    """
    targets, valid = targets_of(tokens, token_lens, eos)
    logits = logits[valid]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    loss = F.cross_entropy(logits, targets[valid], label_smoothing=label_smoothing, reduction="sum")
    return LossSums(loss, valid.sum(), (logits.argmax(-1) == targets[valid]).sum(), {})


def with_min_wer(sums: LossSums, outputs: Outputs, n_best: NBest, eos: int, joint_weight: float) -> LossSums:
    """Trains on expected word errors instead, plus `joint_weight` times what `joint_loss` gave.

    One more part is `word_errors`, those expected over the n-best.

    Args:
        sums: Of `joint_loss`.
        outputs: Of `AsrModel.forward`, which was asked about the n-best.
        n_best: Of the same batch.
        eos: Id of the end of sentence.
        joint_weight: Keeps what training on likelihood gave; lambda in Prabhavalkar et al. 2018, equation 5.
    """
    assert outputs.hypothesis_logits is not None
    lens = n_best.token_lens.flatten()
    targets, _ = targets_of(n_best.tokens.flatten(0, 1), lens, eos)
    log_probs = sequence_log_probs(outputs.hypothesis_logits.flatten(0, 1), targets, lens + 1)
    loss, n_errors = min_wer_loss(log_probs.view_as(n_best.listed), n_best.n_errors, n_best.listed)
    return sums._replace(joint=loss + joint_weight * sums.joint, parts=sums.parts | {"word_errors": n_errors})


def label_loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> LossSums:
    """Cross-entropy of labels with label smoothing; each utterance counts as one token.

    Args:
        logits: (B, V).
        labels: (B,) int64.
        label_smoothing: Share of the target spread evenly over the labels.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="sum")
    return LossSums(loss, torch.tensor(len(labels)), (logits.argmax(-1) == labels).sum(), {})


def targets_of(tokens: Tensor, token_lens: Tensor, eos: int) -> tuple[Tensor, Tensor]:
    """What the speller is to write: tokens (B, U) -> (B, U + 1) with `eos` behind each, and which are real, bool."""
    targets = F.pad(tokens, (0, 1)).scatter(1, token_lens[:, None], eos)
    return targets, length_mask(token_lens + 1, targets.shape[1])


def history_of(tokens: Tensor, sos: int) -> Tensor:
    """What the speller has read before each position: (..., U) -> (..., U + 1), `sos` first."""
    return F.pad(tokens, (1, 0), value=sos)
