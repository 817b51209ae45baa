"""Greedy spelling in spans: a draft is checked many tokens at once (Stern et al. 2018; Leviathan et al. 2023)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from asr.models.spellers.interface import Speller
from asr.search.choice import Choice, choose, settle
from asr.text.tokenizer import Tokenizer

PAYS, PATIENCE = 4, 2
"""An utterance goes on in spans as long as they brought this many tokens each, but for so many spans."""

NEAR, NEAR_WHEN_LOST = (0, 1, 2), (0, -1, 1, -2, 2, 3)
"""Where in the draft, counted from where it failed, the right token is looked for, the likeliest place first; a draft
that failed at once has been resumed at a wrong place, perhaps behind the right one."""


@dataclass(frozen=True)
class Written:
    """What has been spelled.

    Attributes:
        tokens: (B, U + 1) int64.
        gains: (B, U + 1) float64 log-probability of each token, and behind them of the end.
        lens: (B,) int64 tokens; -1 while an utterance goes on.
    """

    tokens: Tensor
    gains: Tensor
    lens: Tensor

    @classmethod
    def nothing(cls, bounds: Tensor) -> "Written":
        """Before the first token, for hypotheses of at most `bounds` (B,) tokens."""
        tokens = bounds.new_zeros(len(bounds), int(bounds.amax()) + 1)
        return cls(tokens, tokens.double(), torch.full_like(bounds, -1))

    def put(self, rows: Tensor, other: "Written") -> None:
        """Takes over the rows (R,) of another one, which may be less wide."""
        width = other.tokens.shape[1]
        self.tokens[rows, :width], self.gains[rows, :width], self.lens[rows] = other.tokens, other.gains, other.lens


def spell_by_steps(speller: Speller, states: Tensor, state_lens: Tensor, bounds: Tensor) -> Written:
    """Follows the speller's best token, one step after the other.

    Args:
        speller: Of any kind.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        bounds: (B,) int64 most tokens.
    """
    written = Written.nothing(bounds)
    memory = speller.memory(states, state_lens)
    state = speller.start(memory, 1)
    last = torch.full_like(bounds, Tokenizer.sos)
    for n_tokens in range(written.tokens.shape[1]):
        log_probs, _, state = speller.step(last[:, None], state, memory)
        choice = choose(log_probs[:, 0], bounds == n_tokens)
        running = written.lens < 0
        if speller.spells_at_once:
            unclear = running & ~choice.clear
            settle(choice, unclear, speller, states, state_lens, [*written.tokens[unclear, :n_tokens]])
        last = choice.tokens
        written.tokens[:, n_tokens], written.gains[:, n_tokens] = last, choice.gains
        written.lens.masked_fill_(running & choice.ends, n_tokens)
        if bool((written.lens >= 0).all()):
            break
    return written


def spell_by_spans(
    speller: Speller, states: Tensor, state_lens: Tensor, bounds: Tensor, drafts: Tensor, draft_lens: Tensor
) -> Written:
    """Spells as `spell_by_steps` does, in fewer passes where drafts are near the truth.

    A pass is told what is written and the rest of the draft, and scores what follows every position. As far as its best
    tokens are those of the draft they are written, and one more, since it followed true history. Then the draft goes on
    behind the nearest place where it has that token.

    The outcome is that of steps, whatever the draft and the batch, as long as log-probabilities computed in two ways
    differ by no more than half of `NOISE`: then a clear choice is the same in either, and what is not clear is decided
    by a pass over that utterance's own tokens alone.

    Args:
        speller: Of a kind that spells at once.
        states: (B, S, D) listener states.
        state_lens: (B,) int64.
        bounds: (B,) int64 most tokens.
        drafts: (B, U') int64 tokens.
        draft_lens: (B,) int64.

    Returns:
        What is written; utterances that spans do not pay for are left unfinished.
    """
    written = Written.nothing(bounds)
    drafts = pad(drafts, (0, 1))
    rows, n_passes = torch.arange(len(bounds), device=bounds.device), 0
    part, n_written, place = Written.nothing(bounds), torch.zeros_like(bounds), torch.zeros_like(bounds)
    while len(rows):
        memory = speller.memory(states, state_lens)
        tokens, ends = _guess(part, n_written, drafts, draft_lens, place, bounds)
        history = pad(tokens, (1, 0), value=Tokenizer.sos)
        positions = torch.arange(history.shape[1], device=rows.device)
        log_probs = speller.spell(history[:, None], memory)[:, 0].log_softmax(-1)
        found = choose(log_probs, positions == bounds[:, None])
        agrees = found.clear & ~found.ends & (found.tokens == pad(tokens, (0, 1))) & (positions < ends[:, None])
        stops = (~agrees & (positions >= n_written[:, None])).to(torch.uint8).argmax(1)
        choice = Choice(*(each.gather(1, stops[:, None])[:, 0] for each in found))
        unclear = ~choice.clear
        own = [row[:n] for row, n in zip(tokens[unclear], stops[unclear].tolist(), strict=True)]
        settle(choice, unclear, speller, states, state_lens, own)
        new = (positions >= n_written[:, None]) & (positions < stops[:, None])
        _write(part, new, pad(tokens, (0, 1)), found.gains, stops, choice)
        written.put(rows, part)
        place = _resume(drafts, draft_lens, place + stops - n_written, choice.tokens, stops == n_written)
        n_written, n_passes = stops + 1, n_passes + 1
        going = (part.lens < 0) & (n_written >= PAYS * (n_passes - PATIENCE))
        rows, bounds, drafts, draft_lens = (each[going] for each in (rows, bounds, drafts, draft_lens))
        n_written, place, states, state_lens = (each[going] for each in (n_written, place, states, state_lens))
        part = Written(part.tokens[going], part.gains[going], part.lens[going])
    return written


def _guess(
    part: Written, n_written: Tensor, drafts: Tensor, draft_lens: Tensor, place: Tensor, bounds: Tensor
) -> tuple[Tensor, Tensor]:
    """What is written and the rest of the draft behind it: tokens (B, U), and where each ends (B,)."""
    ends = torch.minimum(n_written + draft_lens - place, bounds)
    positions = torch.arange(int(ends.amax()), device=ends.device)
    index = (place - n_written)[:, None] + positions
    ahead = drafts.gather(1, index.clamp(min=0, max=drafts.shape[1] - 1))
    return torch.where(positions < n_written[:, None], part.tokens[:, : len(positions)], ahead), ends


def _write(part: Written, new: Tensor, tokens: Tensor, gains: Tensor, stops: Tensor, choice: Choice) -> None:
    """Writes what was confirmed, where `new` (B, U) says, and the choice behind it."""
    width = new.shape[1]
    part.tokens[:, :width] = torch.where(new, tokens, part.tokens[:, :width])
    part.gains[:, :width] = torch.where(new, gains, part.gains[:, :width])
    part.tokens.scatter_(1, stops[:, None], choice.tokens[:, None])
    part.gains.scatter_(1, stops[:, None], choice.gains[:, None])
    part.lens.copy_(torch.where(choice.ends, stops, part.lens))


def _resume(drafts: Tensor, draft_lens: Tensor, place: Tensor, token: Tensor, lost: Tensor) -> Tensor:
    """Where the draft goes on (B,): behind the right token if that stands near its `place`, or else behind `place`."""
    behind = torch.minimum(place + 1, draft_lens)
    found = {near: behind for near in (NEAR, NEAR_WHEN_LOST)}
    for near in found:
        for distance in reversed(near):
            index = place + distance
            there = drafts.gather(1, index.clamp(min=0, max=drafts.shape[1] - 1)[:, None])[:, 0] == token
            found[near] = torch.where(there & (index >= 0) & (index < draft_lens), index + 1, found[near])
    return torch.where(lost, found[NEAR_WHEN_LOST], found[NEAR])
