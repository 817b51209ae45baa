"""Where in the recording each token was said: the best CTC path that spells a given transcript."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.functional import forced_align

from asr.text.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Alignment:
    """One utterance's tokens on its states.

    Attributes:
        starts: (U,) int64 first state of each token.
        ends: (U,) int64 state after its last; no token begins before the one before it has ended.
        log_probs: (S,) what the path's label, a token or blank, has at each state.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    log_probs: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class BestPath:
    """What CTC hears at each state of an utterance, whatever was written.

    Attributes:
        labels: (S,) int64 the likeliest token or blank.
        log_probs: (S,) what it has.
    """

    labels: NDArray[np.int64]
    log_probs: NDArray[np.floating]


def best_paths(log_probs: Tensor, state_lens: Tensor) -> list[BestPath]:
    """Takes the likeliest label of each state: log_probs (B, S, V) of the CTC head, state_lens (B,)."""
    scores, labels = (each.cpu().numpy() for each in log_probs.max(-1))
    return [BestPath(labels[b, :n], scores[b, :n]) for b, n in enumerate(state_lens.tolist())]


def ctc_align(log_probs: Tensor, state_lens: Tensor, transcripts: Sequence[Sequence[int]]) -> list[Alignment | None]:
    """Finds the likeliest path of each utterance among those that spell its transcript (forced alignment).

    A path gives each state one token or blank; repeats merge, blanks vanish (Graves et al. 2006). torchaudio searches
    (Viterbi) one utterance at a time, and is handed only the columns that occur in the transcript.

    Args:
        log_probs: (B, S, V) of the CTC head; values in the padding are never used.
        state_lens: (B,) int64.
        transcripts: The tokens of each utterance, blank not among them.

    Returns:
        For each utterance its alignment; None where no path spells the transcript, since it has fewer states than
        tokens, counting one more between equal neighbours.
    """
    width = max(map(len, transcripts), default=0)
    columns = torch.tensor([[Tokenizer.blank, *tokens] + [0] * (width - len(tokens)) for tokens in transcripts])
    index = columns.to(log_probs.device)[:, None].expand(-1, log_probs.shape[1], -1)
    needed = log_probs.gather(2, index).cpu()  # (B, S, U + 1)
    rows = zip(needed, state_lens.tolist(), transcripts, strict=True)
    return [_align(row[:n_states], list(tokens)) for row, n_states, tokens in rows]


def _align(log_probs: Tensor, tokens: list[int]) -> Alignment | None:
    """Aligns one utterance: log_probs (S, U + 1), blank first, then each token of the transcript."""
    n_states, n_repeats = len(log_probs), sum(one == next_ for one, next_ in zip(tokens, tokens[1:], strict=False))
    if n_states < len(tokens) + n_repeats:
        return None
    if not tokens:
        nothing = np.zeros(0, np.int64)
        return Alignment(nothing, nothing, log_probs[:, 0].numpy())
    places = torch.tensor([[1 + tokens.index(token) for token in tokens]])  # equal tokens share a column
    path, scores = forced_align(log_probs[None], places, blank=0)
    labels = path[0].numpy()
    change = np.flatnonzero(np.diff(labels, prepend=0, append=0))  # blank ends everywhere, or nothing has changed
    starts, ends = change[:-1][labels[change[:-1]] > 0], change[1:][labels[change[:-1]] > 0]
    return Alignment(starts, ends, scores[0].numpy())
