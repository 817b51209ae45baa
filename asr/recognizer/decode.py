"""Decoding a set of utterances in even batches: what validation and evaluation share."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from asr.corpora.manifest import Utterance, read_utterance
from asr.dataset.batches import pad
from asr.dataset.plan import in_order
from asr.models.asr_model import AsrModel
from asr.search.hypothesis import Hypothesis

Search = Callable[[Tensor, Tensor], list[Hypothesis]]
"""(states (B, S, D), state_lens (B,)) -> the best hypothesis of each utterance."""


def decode(
    model: AsrModel,
    utterances: Sequence[Utterance],
    search: Search,
    batch_s: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Hypothesis]:
    """Finds each utterance's transcript.

    Args:
        model: In evaluation mode.
        utterances: What to decode.
        search: How.
        batch_s: Padded seconds of audio per batch.
        progress: Told (utterances done, all of them).

    Returns:
        One hypothesis per utterance, in the order given.
    """
    found: dict[int, Hypothesis] = {}
    for indices, states, state_lens in listen(model, utterances, batch_s):
        found.update(zip(indices, search(states, state_lens), strict=True))
        progress(len(found), len(utterances))
    return [found[index] for index in range(len(utterances))]


def listen(
    model: AsrModel, utterances: Sequence[Utterance], batch_s: float
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Encodes a set, longest utterances first: yields indices into it, states (B, S, D) and state_lens (B,)."""
    device = next(model.parameters()).device
    for indices in in_order(utterances, batch_s):
        chosen = [utterances[index] for index in indices]
        samples, sample_lens = pad([read_utterance(utterance) for utterance in chosen])
        with torch.inference_mode():
            states, state_lens = model.encode(*model.features(samples.to(device), sample_lens.to(device)))
        yield indices, states, state_lens
