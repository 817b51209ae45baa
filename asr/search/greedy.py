"""The quick searches: the speller's best token at each step, and CTC's best path."""

from itertools import accumulate

import torch
from torch import Tensor

from asr.models.asr_model import AsrModel
from asr.models.masks import length_mask
from asr.search.hypothesis import Hypothesis, check_finite, finish_of, max_lengths
from asr.search.speculate import Written, spell_by_spans, spell_by_steps
from asr.text.tokenizer import Tokenizer


@torch.inference_mode()
def greedy_search(
    model: AsrModel, states: Tensor, state_lens: Tensor, max_length_ratio: float = 1.0
) -> list[Hypothesis]:
    """Follows the speller's best token, attention only.

    A speller that spells all positions at once is shown CTC's best path as a draft, and needs a few passes instead of a
    step per token; the outcome is the same (see `spell_by_spans`).

    Equals `beam_search` with beam 1, no CTC, no length bonus and no threshold. Ties go to the end of sentence, then to
    the lowest token id. Blank and start of sentence are never written.

    Args:
        model: The model, in evaluation mode.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        max_length_ratio: Longest hypothesis, in tokens per listener state.

    Returns:
        One hypothesis per utterance.

    Raises:
        ValueError: The model gives an utterance no finite score.
    """
    speller, bounds = model.speller, max_lengths(state_lens, max_length_ratio)
    written = Written.nothing(bounds)
    if speller.spells_at_once and model.ctc_head is not None:
        drafts, draft_lens, _ = _best_path(model.ctc_log_probs(states), state_lens)
        written = spell_by_spans(speller, states, state_lens, bounds, drafts, draft_lens)
    left = (written.lens < 0).nonzero()[:, 0]
    if len(left):
        written.put(left, spell_by_steps(speller, states[left], state_lens[left], bounds[left]))
    return _hypotheses(written.tokens.tolist(), written.gains.tolist(), written.lens.tolist(), bounds.tolist())


def _hypotheses(
    rows: list[list[int]], gains: list[list[float]], lens: list[int], bounds: list[int]
) -> list[Hypothesis]:
    results = []
    for b, (row, gained, n, bound) in enumerate(zip(rows, gains, lens, bounds, strict=True)):
        *_, score = accumulate(gained[: n + 1])
        check_finite(score, b)
        sums, each = {"attention": score, "length": float(n)}, {"attention": tuple(gained[: n + 1])}
        results.append(Hypothesis(tuple(row[:n]), score, sums, finish_of(n, bound), each))
    return results


@torch.inference_mode()
def ctc_greedy(model: AsrModel, states: Tensor, state_lens: Tensor) -> list[Hypothesis]:
    """Collapses CTC's best path (Graves et al. 2006): repeats merge, blanks vanish.

    Args:
        model: The model, in evaluation mode, with a CTC head.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.

    Returns:
        One hypothesis per utterance. Its score is that of the best path: at most that of the transcript, which is the
        sum over all its paths.

    Raises:
        ValueError: The model gives an utterance no finite score.
    """
    tokens, lens, totals = (each.tolist() for each in _best_path(model.ctc_log_probs(states), state_lens))
    for b, total in enumerate(totals):
        check_finite(total, b)
    return [
        Hypothesis(tuple(row[:n]), total, {"ctc": total, "length": float(n)}, "eos")
        for row, n, total in zip(tokens, lens, totals, strict=True)
    ]


def _best_path(log_probs: Tensor, state_lens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """CTC's best path through log_probs (B, S, V): its tokens (B, S), how many they are (B,), and its score (B,)."""
    never = torch.zeros(log_probs.shape[-1], dtype=torch.bool, device=log_probs.device)
    never[[Tokenizer.sos, Tokenizer.eos]] = True
    scores, best = log_probs.masked_fill(never, -torch.inf).max(-1)
    valid = length_mask(state_lens, best.shape[1])
    new = torch.ones_like(valid)
    new[:, 1:] = best[:, 1:] != best[:, :-1]
    kept = new & (best != Tokenizer.blank) & valid
    order = (~kept).to(torch.uint8).sort(dim=1, stable=True).indices
    return best.gather(1, order), kept.sum(1), scores.double().where(valid, 0.0).sum(1)
