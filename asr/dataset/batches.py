"""Batches of real audio: utterances decoded, padded and stacked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.audio.augment import perturbed_lens
from asr.audio.noise import NoiseFolder
from asr.corpora.manifest import Utterance, read_utterance
from asr.dataset.plan import Planned
from asr.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Batch:
    """What one step uses.

    Attributes:
        ids: Names of the B utterances.
        samples: (B, N) float32 in [-1, 1], 16 kHz, zero beyond each length.
        sample_lens: (B,) int64.
        tokens: (B, U) int64 transcripts without start and end, padded with blank.
        token_lens: (B,) int64.
        speeds: (B,) float64 playing speeds.
        keys: (B,) int64 keys of the utterances' random draws.
        noise: (B, N') float32 recordings to be mixed in, as long as the utterances once their speed has changed; N' = 0
            without recordings.
        counts: Whether its loss counts; if not, a rank without utterances of its own keeps the others company.
    """

    ids: list[str]
    samples: Tensor
    sample_lens: Tensor
    tokens: Tensor
    token_lens: Tensor
    speeds: Tensor
    keys: Tensor
    noise: Tensor
    counts: bool = True

    def to(self, device: torch.device) -> "Batch":
        """Moves every tensor."""
        moved: dict[str, Any] = {name: value.to(device, non_blocking=True) for name, value in self.tensors().items()}
        return replace(self, **moved)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


def collate(
    utterances: Sequence[Utterance],
    planned: Sequence[Planned],
    vocabulary: Vocabulary,
    noises: NoiseFolder | None = None,
    *,
    counts: bool = True,
) -> Batch:
    """Decodes and stacks the utterances that a plan names, and recorded noise for them; `counts` as in `Batch`.

    Raises:
        AudioError: A file cannot be read any more; the message names it.
    """
    chosen = [utterances[item.index] for item in planned]
    samples = [torch.from_numpy(read_utterance(item)) for item in chosen]
    tokens = [torch.tensor(vocabulary.encode(item.text), dtype=torch.int64) for item in chosen]
    padded_samples, sample_lens = pad(samples)
    padded_tokens, token_lens = pad(tokens)
    speeds = torch.tensor([item.speed for item in planned], dtype=torch.float64)
    played_lens = perturbed_lens(sample_lens, speeds).tolist()
    return Batch(
        [item.id for item in chosen],
        padded_samples,
        sample_lens,
        padded_tokens,
        token_lens,
        speeds,
        torch.tensor([item.key for item in planned], dtype=torch.int64),
        noises.rows([item.key for item in planned], played_lens) if noises else torch.zeros(len(chosen), 0),
        counts,
    )


def pad(rows: Sequence[Tensor] | Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stacks vectors of unequal length: -> (B, longest), zero-padded, and lengths (B,) int64."""
    tensors = [torch.as_tensor(row) for row in rows]
    lens = torch.tensor([len(row) for row in tensors], dtype=torch.int64)
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lens
