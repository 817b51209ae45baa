"""Batches of real audio: utterances decoded, padded and stacked."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from asr.audio.read import read_audio
from asr.corpora.manifest import Utterance
from asr.dataset.plan import BatchPlan, Planned
from asr.text.tokenizer import Tokenizer


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
    """

    ids: list[str]
    samples: Tensor
    sample_lens: Tensor
    tokens: Tensor
    token_lens: Tensor
    speeds: Tensor
    keys: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Moves every tensor."""
        return Batch(self.ids, **{name: value.to(device, non_blocking=True) for name, value in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "ids"}


def collate(utterances: Sequence[Utterance], planned: Sequence[Planned], tokenizer: Tokenizer) -> Batch:
    """Decodes and stacks the utterances that a plan names.

    Raises:
        AudioError: A file cannot be read any more; the message names it.
    """
    chosen = [utterances[item.index] for item in planned]
    samples = [
        torch.from_numpy(read_audio(item.audio, start_s=item.start_s, duration_s=item.duration_s)) for item in chosen
    ]
    tokens = [torch.tensor(tokenizer.encode(item.text), dtype=torch.int64) for item in chosen]
    padded_samples, sample_lens = pad(samples)
    padded_tokens, token_lens = pad(tokens)
    return Batch(
        [item.id for item in chosen],
        padded_samples,
        sample_lens,
        padded_tokens,
        token_lens,
        torch.tensor([item.speed for item in planned], dtype=torch.float64),
        torch.tensor([item.key for item in planned], dtype=torch.int64),
    )


def pad(rows: Sequence[Tensor] | Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Stacks vectors of unequal length: -> (B, longest), zero-padded, and lengths (B,) int64."""
    tensors = [torch.as_tensor(row) for row in rows]
    lens = torch.tensor([len(row) for row in tensors], dtype=torch.int64)
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True), lens


class TrainingSteps(Dataset[Batch]):
    """Item number `step` is that step's batch, so any worker can make it and resuming needs no replay."""

    def __init__(self, utterances: Sequence[Utterance], plan: BatchPlan, tokenizer: Tokenizer) -> None:
        self.utterances = utterances
        self.plan = plan
        self.tokenizer = tokenizer

    def __getitem__(self, step: int) -> Batch:
        """Decodes the batch of a step."""
        return collate(self.utterances, self.plan.batch(step), self.tokenizer)


def training_loader(steps: TrainingSteps, start: int, end: int, n_workers: int) -> DataLoader[Batch]:
    """Yields the batches of steps start..end-1 in order, decoded ahead by `n_workers` processes (0: in this one)."""
    return DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, end),
        num_workers=n_workers,
        prefetch_factor=4 if n_workers else None,
        worker_init_fn=_leave_signals,
    )


def _leave_signals(_worker: int) -> None:
    """Signals reach every process of the group: the trainer decides what follows, workers end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
