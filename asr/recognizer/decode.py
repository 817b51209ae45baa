"""Decoding a set of utterances in even batches: what validation and evaluation share."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.audio.read import RATE_HZ
from asr.audio.speech import may_be_speech
from asr.corpora.manifest import Utterance, read_utterance
from asr.dataset.batches import pad
from asr.dataset.plan import in_order
from asr.models.listening_model import ListeningModel
from asr.ranks.group import Ranks

MIN_SAMPLES = RATE_HZ // 10  # shorter audio is filled up with silence: a listener needs a few frames


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a recording that is listened to by itself.

    Attributes:
        start_s: Where it starts, in seconds from the start of the recording.
        end_s: Where it ends.
        may_be_speech: Whether anything in it sounds like speech, see `asr.audio.speech`.
    """

    start_s: float
    end_s: float
    may_be_speech: bool

    @classmethod
    def of(cls, samples: np.ndarray, start: int = 0) -> "Stretch":
        """Describes samples (N,), 16 kHz, of which the first is the recording's sample of that number."""
        return cls(start / RATE_HZ, (start + len(samples)) / RATE_HZ, may_be_speech(samples))


Answer = Callable[[list[Stretch], Tensor, Tensor], list[dict[str, Any]]]
"""(B stretches, states (B, S, D), state_lens (B,)) -> what is made of each utterance, in plain values."""


def decode(
    model: ListeningModel,
    utterances: Sequence[Utterance],
    answer: Answer,
    batch_s: float,
    ranks: Ranks,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Finds what is to be said of each utterance; every rank works on its share, and all get all of it.

    Args:
        model: In evaluation mode.
        utterances: What to decode.
        answer: How.
        batch_s: Padded seconds of audio per batch.
        ranks: The processes that share the work.
        progress: Told (utterances done, all of this process's).

    Returns:
        One answer per utterance, in the order given.
    """
    mine = ranks.share(utterances)
    found: dict[int, dict[str, Any]] = {}

    def tell() -> None:
        ranks.at(len(found), "validating")
        progress(len(found), len(mine))

    tell()
    for indices, stretches, states, state_lens in listen(model, mine, batch_s):
        found.update(zip(indices, answer(stretches, states, state_lens), strict=True))
        tell()
    return ranks.in_order([found[index] for index in range(len(mine))])


def listen(
    model: ListeningModel, utterances: Sequence[Utterance], batch_s: float
) -> Iterator[tuple[list[int], list[Stretch], Tensor, Tensor]]:
    """Encodes a set, longest utterances first.

    Yields:
        Indices into the set, what they are, states (B, S, D) and state_lens (B,).
    """
    device = next(model.parameters()).device
    for indices in in_order([utterance.duration_s for utterance in utterances], batch_s):
        chosen = [utterances[index] for index in indices]
        recordings = [read_utterance(utterance) for utterance in chosen]
        samples, sample_lens = pad(recordings)
        with torch.inference_mode():
            states, state_lens = model.encode(*model.features(samples.to(device), sample_lens.to(device)))
        yield indices, list(map(Stretch.of, recordings)), states, state_lens


def hear(model: ListeningModel, recordings: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Encodes recordings: samples (N,) each -> listener states (B, S, D) and state_lens (B,)."""
    device = next(model.parameters()).device
    samples, sample_lens = pad([long_enough(samples) for samples in recordings])
    with torch.inference_mode():
        return model.encode(*model.features(samples.to(device), sample_lens.to(device)))


def long_enough(samples: np.ndarray) -> np.ndarray:
    """Samples (N,), with silence behind them if they are too few."""
    return np.pad(samples, (0, max(0, MIN_SAMPLES - len(samples))))
