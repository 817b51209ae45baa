"""What a recipe will cost on this machine, measured before it is paid."""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from asr.audio.augment import perturbed_lens
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.ranks.group import Ranks
from asr.recipe.schema import Recipe
from asr.recognizer.train import assemble
from asr.training.floor import Floor

N_TIMED = 4  # steps; the first warms up
_SET = {"audio_s": "utterances", "tokens": "sentences"}
_ONE = {"audio_s": "second of audio", "tokens": "token"}
_SEVERAL = {"audio_s": "s of audio", "tokens": "tokens"}


@dataclass(frozen=True)
class DryRun:
    """The cost of a recipe.

    Attributes:
        n_parameters: Weights.
        floor: The work in a unit, and how fast this machine multiplies.
        units_per_s: Units trained on per second, measured: seconds of audio, or tokens where there is none.
        memory_gb: Peak memory of this process (CPU) or device.
        n_utterances: In the training set.
        set_units: Units in the training set.
        run_units: Units in the whole run.
        n_steps: Of the whole run.
        steps_per_epoch: As it says.
        opening: What there is to tell of the start.
    """

    n_parameters: int
    floor: Floor
    units_per_s: float
    memory_gb: float
    n_utterances: int
    set_units: float
    run_units: float
    n_steps: int
    steps_per_epoch: int
    opening: Sequence[str] = ()

    @property
    def floor_s(self) -> float:
        """Seconds the run would take if it did nothing but multiply matrices."""
        return self.run_units / self.floor.units_per_s

    @property
    def report(self) -> str:
        """The lines to print."""
        estimate_s, unit = self.run_units / self.units_per_s, self.floor.unit
        return "\n".join(
            (
                *self.opening,
                f"parameters  {self.n_parameters / 1e6:.2f} M",
                f"data        {self.n_utterances} {_SET[unit]}, {_amount(self.set_units, unit)}",
                f"steps       {self.n_steps}, {self.steps_per_epoch} an epoch: "
                f"{self.n_steps / self.steps_per_epoch:.0f} epochs, {_amount(self.run_units, unit)}",
                f"work        {self.floor.flop_per_unit / 1e9:.3g} GFLOP per {_ONE[unit]}, forward",
                f"memory      {self.memory_gb:.1f} GB at the heaviest batches",
                f"speed       {self.units_per_s:.0f} {_SEVERAL[unit]} per second, measured on {N_TIMED - 1} steps",
                f"estimate    {_clock(estimate_s)}, validation not counted",
                f"floor       {_clock(self.floor_s)} at the {self.floor.matmul_rate / 1e9:.0f} GFLOP/s that a matrix "
                f"product reaches here: {self.floor_s / estimate_s:.0%} of that is used",
            )
        )


def dry_run(recipe: Recipe, out: Path) -> DryRun:
    """Builds everything, takes a few steps, and writes nothing.

    Args:
        recipe: To be trained.
        out: The experiment's folder.

    Raises:
        TrainingError: The heaviest batch does not fit.
    """
    experiment = assemble(recipe, out, Ranks())
    trainer, plan = experiment.trainer, experiment.plan
    device = trainer.learner.device
    trainer.try_out(experiment.heaviest())
    memory_gb = _peak_memory(device) / 1e9
    batches = [batch for step in range(N_TIMED) for batch in experiment.steps[step]]
    trainer.try_out(batches[:1])
    start = time.perf_counter()
    trainer.try_out(batches[1:])
    if device.type == "cuda":
        torch.cuda.synchronize()
    elapsed_s, floor = time.perf_counter() - start, experiment.floor(batches[0])
    done = sum(_units(batch, floor) for batch in batches[1:])
    lengths = experiment.train.seconds if floor.unit == "audio_s" else experiment.tokens.counts + 1
    set_units = float(lengths.sum())
    return DryRun(
        n_parameters=sum(weights.numel() for weights in trainer.model.parameters()),
        floor=floor,
        units_per_s=done / elapsed_s,
        memory_gb=memory_gb,
        n_utterances=len(experiment.train),
        set_units=set_units,
        run_units=set_units * recipe.training.n_steps / plan.steps_per_epoch,
        n_steps=recipe.training.n_steps,
        steps_per_epoch=plan.steps_per_epoch,
        opening=trainer.opening,
    )


def _units(batch: Batch, floor: Floor) -> float:
    """How much there is in a batch."""
    if floor.unit == "tokens":
        return float((batch.token_lens + 1).sum())
    return float(perturbed_lens(batch.sample_lens, batch.speeds).sum()) / RATE_HZ


def _amount(units: float, unit: str) -> str:
    return f"{units / 3600:.2f} h of audio" if unit == "audio_s" else f"{units / 1e6:.2f} M tokens"


def _peak_memory(device: torch.device) -> float:
    """Bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{seconds / 60:.1f} min"
