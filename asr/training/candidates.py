"""The best models of a run, kept to be averaged at its end."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from asr.training.checkpoint import write_directory, writer
from asr.training.tensors import load_tensors, save_tensors

MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Scored:
    """A validation: the step, and the error on dev that models are chosen by, such as word error rate; 1 is 100 %."""

    step: int
    error: float


def best_of(validations: Sequence[Scored], n_best: int) -> list[Scored]:
    """The n with the lowest errors; of equal ones the later."""
    return sorted(validations, key=lambda scored: (scored.error, -scored.step))[:n_best]


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


class BestModels:
    """The models of a run that lead on dev: `best`, and `candidates/step-N` to be averaged at the end.

    Args:
        folder: The experiment.
        model_files: What else makes a model self-contained: name to bytes (recipe, tokenizer).
        n_best: Models that are averaged.
        n_steps: Steps of the whole run.
        writes: Whether this process is the one that writes.
    """

    def __init__(self, folder: Path, model_files: Mapping[str, bytes], n_best: int, n_steps: int, writes: bool) -> None:
        self.folder = folder
        self.model_files = model_files
        self.n_best = n_best
        self.n_steps = n_steps
        self.writes = writes
        self.validations: list[Scored] = []

    def add(self, scored: Scored, weights: Mapping[str, Tensor]) -> bool:
        """Keeps a validated model if it is among the best; true if it leads."""
        self.validations.append(scored)
        if scored in self._to_average():
            self._write(self._candidate(scored), weights)
        leads = best_of(self.validations, 1)[0] == scored
        if leads:
            self._write(self.folder / "best", weights)
        return leads

    def average(self) -> dict[str, Tensor]:
        """The mean of the best models' weights."""
        return average_weights([self._candidate(scored) / MODEL_FILE for scored in self._to_average()])

    def crown(self, error: float, weights: Mapping[str, Tensor]) -> None:
        """Makes the averaged model `best`, if it is no worse than the best of all validations."""
        if error <= best_of(self.validations, 1)[0].error:
            self._write(self.folder / "best", weights)

    def prune(self) -> None:
        """Drops models that are no longer among the best; to be called once a checkpoint that says so is safe."""
        kept = {self._candidate(scored) for scored in self._to_average()}
        for path in (self.folder / "candidates").glob("step-*"):
            if path not in kept:
                shutil.rmtree(path)

    def _to_average(self) -> list[Scored]:
        return to_average(self.validations, self.n_best, self.n_steps)

    def _candidate(self, scored: Scored) -> Path:
        return self.folder / "candidates" / f"step-{scored.step:08d}"

    def _write(self, path: Path, weights: Mapping[str, Tensor]) -> None:
        if self.writes:
            files = {name: writer(content) for name, content in self.model_files.items()}
            write_directory(path, {**files, MODEL_FILE: lambda target: save_tensors(target, weights)})
