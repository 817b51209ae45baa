"""Attention rescoring: CTC proposes transcripts, the speller and others judge them whole (Yao et al. 2021, §2.3)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from asr.models.asr_model import AsrModel
from asr.search.beam import SearchSettings
from asr.search.ctc_beam import Prefixes, ctc_n_best
from asr.search.hypothesis import Hypothesis, check_finite, finish_of, max_lengths
from asr.search.scorers import OtherScorer, Scorer
from asr.text.tokenizer import Tokenizer


@torch.inference_mode()
def rescore(
    model: AsrModel,
    states: Tensor,
    state_lens: Tensor,
    settings: SearchSettings,
    others: Sequence[OtherScorer] = (),
) -> list[list[Hypothesis]]:
    """Orders the best transcripts under CTC by the joint score, which is that of the beam but for coverage.

    All transcripts go through the speller in one teacher-forced pass.

    Args:
        model: The model, in evaluation mode, with a CTC head.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        settings: `beam_size` transcripts are proposed; weights and length bonus as in `beam_search`.
        others: More scorers; one of weight 0 is left out.

    Returns:
        For each utterance up to `settings.n_best` hypotheses, best first.

    Raises:
        ValueError: The model gives an utterance no finite score.
    """
    bounds = max_lengths(state_lens, settings.max_length_ratio)
    proposed = ctc_n_best(model.ctc_log_probs(states), state_lens, settings.beam_size, bounds)
    longest = int(proposed.lens.amax())
    targets = pad(proposed.tokens[..., :longest], (0, 1))
    positions = torch.arange(longest + 1, device=states.device)
    ends = proposed.lens[..., None]
    targets = torch.where(positions < ends, targets, Tokenizer.eos)
    parts = {"attention": _attention(model, states, state_lens, targets)}
    weights = {"attention": 1 - settings.ctc_weight, "length": settings.length_bonus, "ctc": settings.ctc_weight}
    for other in others:
        if other.weight != 0:
            parts[other.name] = _walk(other.begin(states, state_lens), targets)
            weights[other.name] = other.weight
    parts = {name: part.masked_fill(positions > ends, 0.0) for name, part in parts.items()}
    sums = {name: part.sum(-1) for name, part in parts.items()}
    sums |= {"length": proposed.lens.double(), "ctc": proposed.total}
    joint = torch.zeros_like(proposed.total)
    for name, each in sums.items():
        joint += weights[name] * each if weights[name] != 0 else 0.0
    joint.masked_fill_(proposed.total == -torch.inf, -torch.inf)
    return _hypotheses(proposed, joint, sums, parts, bounds.tolist(), settings.n_best)


def _attention(model: AsrModel, states: Tensor, state_lens: Tensor, targets: Tensor) -> Tensor:
    """Log-probabilities of targets (B, N, U + 1) by the speller."""
    history = pad(targets[..., :-1], (1, 0), value=Tokenizer.sos)
    logits = model.speller.spell(history, model.speller.memory(states, state_lens))
    return (logits.gather(-1, targets[..., None]).squeeze(-1) - logits.logsumexp(-1)).double()


def _walk(scorer: Scorer, targets: Tensor) -> Tensor:
    """What a scorer gives each of the targets (B, N, U + 1)."""
    width = targets.shape[1]
    scorer.start(width)
    places = torch.arange(width, device=targets.device).expand(targets.shape[:2])
    gains = []
    for tokens in targets.unbind(-1):
        gains.append(scorer.score(torch.stack([torch.full_like(tokens, Tokenizer.eos), tokens], -1))[..., 1])
        scorer.select(places, tokens)
    return torch.stack(gains, -1)


def _hypotheses(
    proposed: Prefixes,
    joint: Tensor,
    sums: dict[str, Tensor],
    parts: dict[str, Tensor],
    bounds: list[int],
    n_best: int,
) -> list[list[Hypothesis]]:
    """Turns tensors into results, the best first."""
    order = joint.argsort(dim=1, descending=True, stable=True)[:, :n_best]
    rows, lens, scores = proposed.tokens.tolist(), proposed.lens.tolist(), joint.tolist()
    listed = {name: each.tolist() for name, each in sums.items()}
    gained = {name: each.tolist() for name, each in parts.items()}
    results = []
    for b, places in enumerate(order.tolist()):
        check_finite(scores[b][places[0]], b)
        results.append(
            [
                Hypothesis(
                    tuple(rows[b][w][: lens[b][w]]),
                    scores[b][w],
                    {name: each[b][w] for name, each in listed.items()},
                    finish_of(lens[b][w], bounds[b]),
                    {name: tuple(each[b][w][: lens[b][w] + 1]) for name, each in gained.items()},
                )
                for w in places
                if math.isfinite(scores[b][w])
            ]
        )
    return results
