"""The quick searches: the speller's best token at each step, and CTC's best path."""

import torch
from torch import Tensor

from asr.models.asr_model import AsrModel
from asr.models.masks import length_mask
from asr.search.hypothesis import Hypothesis, check_finite, finish_of, max_lengths
from asr.search.scorers import ranking
from asr.text.tokenizer import Tokenizer


@torch.inference_mode()
def greedy_search(
    model: AsrModel, states: Tensor, state_lens: Tensor, max_length_ratio: float = 1.0
) -> list[Hypothesis]:
    """Follows the speller's best token, attention only.

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
    memory = speller.memory(states, state_lens)
    state = speller.start(memory, 1)
    last = torch.full_like(bounds, Tokenizer.sos)
    scores = torch.zeros_like(bounds, dtype=torch.float64)
    lens = torch.full_like(bounds, -1)  # -1 while it goes on
    columns: list[tuple[Tensor, Tensor]] = []
    for n_tokens in range(int(bounds.amax()) + 1):
        log_probs, _, state = speller.step(last[:, None], state, memory)
        log_probs = log_probs[:, 0]
        last = ranking(log_probs).argmax(-1)
        end = log_probs[:, Tokenizer.eos].double()
        best = log_probs.gather(1, last[:, None])[:, 0].double()
        running = lens < 0
        ends = running & ((end >= best) | (bounds == n_tokens))
        gains = torch.where(ends, end, best)
        scores += gains.masked_fill(~running, 0.0)
        lens = lens.masked_fill(ends, n_tokens)
        columns.append((last, gains))
        if bool((lens >= 0).all()):
            break
    tokens, gained = (torch.stack(column, -1).tolist() for column in zip(*columns, strict=True))
    return _hypotheses(tokens, gained, lens.tolist(), scores.tolist(), bounds.tolist())


def _hypotheses(
    rows: list[list[int]], gains: list[list[float]], lens: list[int], scores: list[float], bounds: list[int]
) -> list[Hypothesis]:
    results = []
    for b, (row, gained, n, score, bound) in enumerate(zip(rows, gains, lens, scores, bounds, strict=True)):
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
    log_probs = model.ctc_log_probs(states)
    never = torch.zeros(log_probs.shape[-1], dtype=torch.bool, device=log_probs.device)
    never[[Tokenizer.sos, Tokenizer.eos]] = True
    scores, best = log_probs.masked_fill(never, -torch.inf).max(-1)
    valid = length_mask(state_lens, best.shape[1])
    new = torch.ones_like(valid)
    new[:, 1:] = best[:, 1:] != best[:, :-1]
    kept = new & (best != Tokenizer.blank) & valid
    order = (~kept).to(torch.uint8).sort(dim=1, stable=True).indices
    rows, lens = best.gather(1, order).tolist(), kept.sum(1).tolist()
    totals = scores.double().where(valid, 0.0).sum(1).tolist()
    for b, total in enumerate(totals):
        check_finite(total, b)
    return [
        Hypothesis(tuple(row[:n]), total, {"ctc": total, "length": float(n)}, "eos")
        for row, n, total in zip(rows, lens, totals, strict=True)
    ]
