"""The best models of a run, kept to be averaged at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from asr.training.tensors import load_tensors


@dataclass(frozen=True)
class Scored:
    """A validation: the step and its word error rate on dev (1.0 = as many errors as words)."""

    step: int
    wer: float


def best_of(validations: Sequence[Scored], n_best: int) -> list[Scored]:
    """The n lowest error rates; of equal ones the later."""
    return sorted(validations, key=lambda scored: (scored.wer, -scored.step))[:n_best]


def to_average(validations: Sequence[Scored], n_best: int, n_steps: int) -> list[Scored]:
    """The n best of a run's second half: earlier weights lie too far from the last to be averaged with them."""
    return best_of([scored for scored in validations if 2 * scored.step > n_steps], n_best)


def average_weights(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Averages the tensors of saved models, summed in float64 (checkpoint averaging, Vaswani et al. 2017, section 6.1).

    Args:
        paths: safetensors files of one architecture.
    """
    totals: dict[str, Tensor] = {}
    for path in paths:
        for name, tensor in load_tensors(path).items():
            totals[name] = totals.get(name, torch.zeros((), dtype=torch.float64)) + tensor.double()
    first = load_tensors(paths[0])
    return {name: (total / len(paths)).to(first[name].dtype) for name, total in totals.items()}
