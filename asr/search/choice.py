"""The speller's best next token, and whether it is best beyond the noise of arithmetic."""

from typing import NamedTuple

import torch
from torch import Tensor

from asr.models.spellers.interface import Speller
from asr.search.scorers import ranking
from asr.text.tokenizer import Tokenizer

NOISE = 1e-5
"""How much two ways to compute the same log-probabilities may differ, as a share of their spread: products of other
shapes add up in another order. float32 differs by a tenth of it (tests/search/test_speculate.py)."""


class Choice(NamedTuple):
    """What follows each of some histories.

    Attributes:
        tokens: (...) int64 best tokens besides the end.
        ends: (...) bool, whether the end is better, or forced.
        gains: (...) float64 log-probability of what is chosen.
        clear: (...) bool, whether no noise can have decided: it leads by more than both could be wrong.
    """

    tokens: Tensor
    ends: Tensor
    gains: Tensor
    clear: Tensor


def choose(log_probs: Tensor, at_bound: Tensor) -> Choice:
    """Takes the best continuations; ties go to the end of sentence, then to the lowest token id.

    Args:
        log_probs: (..., V).
        at_bound: (...) bool, where only the end may follow.
    """
    top, index = ranking(log_probs).topk(2)
    end = log_probs[..., Tokenizer.eos].double()
    best = log_probs.gather(-1, index[..., :1]).squeeze(-1).double()
    better = end >= best
    lead = torch.where(better, end - top[..., 0], best - torch.maximum(top[..., 1], end))
    spread = torch.maximum(end, best) - log_probs.amin(-1).double()
    ends = better | at_bound
    clear = (lead > NOISE * spread.clamp(min=1.0)) | at_bound | lead.isnan()  # of NaN nothing can be made
    return Choice(index[..., 0], ends, torch.where(ends, end, best), clear)


def settle(
    choice: Choice, unclear: Tensor, speller: Speller, states: Tensor, state_lens: Tensor, written: list[Tensor]
) -> None:
    """Decides what is unclear anew, each utterance by itself: no batch and no draft has a part in it.

    Args:
        choice: One for each utterance; changed in place.
        unclear: (B,) bool, which to decide.
        speller: Of a kind that spells at once.
        states: (B, S, D).
        state_lens: (B,) int64.
        written: (n_b,) int64 tokens of each unclear utterance, in their order.
    """
    for b, tokens in zip(unclear.nonzero().flatten().tolist(), written, strict=True):
        alone = state_lens[b : b + 1]
        memory = speller.memory(states[b : b + 1, : int(alone)], alone)
        history = torch.cat([tokens.new_full((1,), Tokenizer.sos), tokens])
        log_probs = speller.spell(history[None, None], memory)[0, 0, -1].log_softmax(-1)
        found = choose(log_probs, torch.zeros_like(unclear[b]))
        for values, value in zip(choice, found, strict=True):
            values[b] = value
