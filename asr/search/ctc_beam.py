"""The best transcripts by CTC alone: prefix beam search, for all utterances and prefixes at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asr.models.masks import length_mask
from asr.text.tokenizer import Tokenizer

MULTIPLIER, SHIFT, MASK = 6364136223846793005, 31, (1 << 62) - 1
"""Prefixes are told apart by hashes of 62 bits, which make a false merger less likely than a fault of memory."""


@dataclass(frozen=True)
class Prefixes:
    """W prefixes of each utterance, the best first; a free place has no probability.

    Attributes:
        tokens: (B, W, U) int64.
        lens: (B, W) int64.
        last: (B, W) int64 last token; blank of the empty prefix.
        blank: (B, W) float64 log-probability of the paths so far that end in blank.
        token: (B, W) float64 likewise of those that end in the last token.
        key: (B, W) int64 hash.
        parent: (B, W) int64 hash of the prefix without its last token.
    """

    tokens: Tensor
    lens: Tensor
    last: Tensor
    blank: Tensor
    token: Tensor
    key: Tensor
    parent: Tensor

    @classmethod
    def empty(cls, width: int, bounds: Tensor) -> "Prefixes":
        """The empty prefix of each utterance, and free places; room for `bounds` (B,) tokens."""
        nothing = bounds.new_zeros(len(bounds), width)
        impossible = torch.full_like(nothing, -torch.inf, dtype=torch.float64)
        blank = impossible.clone()
        blank[:, 0] = 0.0
        places = torch.arange(1, width + 1, device=bounds.device).expand(len(bounds), -1)
        tokens = bounds.new_zeros(len(bounds), width, int(bounds.amax()))
        return cls(tokens, nothing, nothing + Tokenizer.blank, blank, impossible, places, -places)

    @property
    def total(self) -> Tensor:
        """(B, W) log-probability of all paths."""
        return torch.logaddexp(self.blank, self.token)


@torch.inference_mode()
def ctc_n_best(log_probs: Tensor, state_lens: Tensor, width: int, bounds: Tensor) -> Prefixes:
    """Finds the likeliest transcripts under CTC (Graves 2008, §7.5; Hannun et al. 2014, algorithm 1).

    At each state the `width` best prefixes are kept, and extended by that many best tokens of the state. A prefix's
    score is the sum over its paths, but for those whose beginnings were not kept: that of CTC or a little less.

    Args:
        log_probs: (B, S, V) of the CTC head; values in the padding are never used.
        state_lens: (B,) int64.
        width: Prefixes W kept.
        bounds: (B,) int64 most tokens, each at least 1.
    """
    padding = ~length_mask(state_lens, log_probs.shape[1])[..., None]
    log_probs = log_probs.double().masked_fill(padding, -torch.inf)
    log_probs[..., Tokenizer.blank].masked_fill_(padding[..., 0], 0.0)  # padding changes no prefix
    writable = log_probs.clone()
    writable[..., [Tokenizer.blank, Tokenizer.sos, Tokenizer.eos]] = -torch.inf
    best, tokens = writable.topk(min(width, log_probs.shape[-1] - 3))
    prefixes = Prefixes.empty(width, bounds)
    for state in range(log_probs.shape[1]):
        prefixes = _advance(prefixes, log_probs[:, state], best[:, state], tokens[:, state], bounds)
    return prefixes


def _advance(prefixes: Prefixes, log_probs: Tensor, best: Tensor, tokens: Tensor, bounds: Tensor) -> Prefixes:
    """Takes in one state: log_probs (B, V), the scores and ids (B, C) of its best tokens."""
    width, n_tokens = prefixes.last.shape[1], tokens.shape[1]
    total = prefixes.total
    repeated = tokens[:, None] == prefixes.last[..., None]  # (B, W, C)
    again = log_probs.gather(1, prefixes.last)
    blank = total + log_probs[:, Tokenizer.blank, None]
    token = prefixes.token + again
    longer = torch.where(repeated, prefixes.blank[..., None], total[..., None]) + best[:, None]
    longer = longer.masked_fill((prefixes.lens >= bounds[:, None])[..., None], -torch.inf)

    # Where the beam holds a prefix and that prefix without its last token, the longer one takes the shorter's paths.
    is_parent = prefixes.key[..., None] == prefixes.parent[:, None]  # (B, parent, child)
    parent, has_parent = is_parent.to(torch.uint8).argmax(1), is_parent.any(1)
    twice = prefixes.last.gather(1, parent) == prefixes.last
    passed_on = torch.where(twice, prefixes.blank.gather(1, parent), total.gather(1, parent)) + again
    token = torch.logaddexp(token, passed_on.masked_fill(~has_parent, -torch.inf))
    held = torch.bmm(is_parent.float(), repeated.float()) > 0  # (B, W, C): the extension is in the beam already
    longer = longer.masked_fill(held, -torch.inf)

    scores, index = torch.cat([torch.logaddexp(blank, token), longer.flatten(1)], 1).topk(width)
    grows = index >= width
    source = torch.where(grows, (index - width).div(n_tokens, rounding_mode="floor"), index)
    new = tokens.gather(1, (index - width).clamp(min=0) % n_tokens)
    lens = prefixes.lens.gather(1, source)
    rows = prefixes.tokens.gather(1, source[..., None].expand_as(prefixes.tokens))
    place = lens.clamp(max=rows.shape[-1] - 1)[..., None]
    rows.scatter_(2, place, torch.where(grows[..., None], new[..., None], rows.gather(2, place)))
    before = prefixes.key.gather(1, source)
    key = before * MULTIPLIER + (new + 1) * (MULTIPLIER >> 1)
    key = torch.where(grows, (key ^ (key >> SHIFT)) & MASK, before)
    above = torch.where(grows, before, prefixes.parent.gather(1, source))
    free, places = scores == -torch.inf, torch.arange(1, width + 1, device=index.device)
    return Prefixes(
        rows,
        torch.where(free, 0, lens + grows),
        torch.where(grows, new, prefixes.last.gather(1, source)),
        torch.where(grows, -torch.inf, blank.gather(1, source)),
        torch.where(grows, scores, token.gather(1, source)),
        torch.where(free, -places, key),  # a free place is nobody's parent and nobody's child
        torch.where(free, -places - width, above),
    )
