"""What a recipe will cost on this machine, measured before it is paid."""

import resource
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from asr.audio.augment import perturbed_lens
from asr.audio.read import RATE_HZ
from asr.ranks.group import Ranks
from asr.recipe.schema import Recipe
from asr.recognizer.train import assemble
from asr.training.floor import Floor

N_TIMED = 4  # steps; the first warms up


@dataclass(frozen=True)
class DryRun:
    """The cost of a recipe.

    Attributes:
        n_parameters: Weights.
        floor: The work in a second of audio, and how fast this machine multiplies.
        audio_s_per_s: Seconds of audio trained on per second, measured.
        memory_gb: Peak memory of this process (CPU) or device.
        n_utterances: In the training set.
        set_s: Seconds of the training set.
        run_s: Seconds of audio in the whole run.
        n_steps: Of the whole run.
        steps_per_epoch: As it says.
    """

    n_parameters: int
    floor: Floor
    audio_s_per_s: float
    memory_gb: float
    n_utterances: int
    set_s: float
    run_s: float
    n_steps: int
    steps_per_epoch: int

    @property
    def floor_s(self) -> float:
        """Seconds the run would take if it did nothing but multiply matrices."""
        return self.run_s / self.floor.audio_s_per_s

    @property
    def report(self) -> str:
        """The lines to print."""
        estimate_s = self.run_s / self.audio_s_per_s
        return "\n".join(
            (
                f"parameters  {self.n_parameters / 1e6:.2f} M",
                f"data        {self.n_utterances} utterances, {self.set_s / 3600:.2f} h",
                f"steps       {self.n_steps}, {self.steps_per_epoch} an epoch: "
                f"{self.n_steps / self.steps_per_epoch:.0f} epochs, {self.run_s / 3600:.1f} h of audio",
                f"work        {self.floor.flop_per_s / 1e9:.2f} GFLOP per second of audio, forward",
                f"memory      {self.memory_gb:.1f} GB at the heaviest batches",
                f"speed       {self.audio_s_per_s:.0f} s of audio per second, measured on {N_TIMED - 1} steps",
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
    seconds = [float(perturbed_lens(batch.sample_lens, batch.speeds).sum()) / RATE_HZ for batch in batches[1:]]
    pace = sum(seconds) / (time.perf_counter() - start)
    set_s = float(experiment.train.seconds.sum())
    return DryRun(
        n_parameters=sum(weights.numel() for weights in trainer.model.parameters()),
        floor=experiment.floor(batches[0]),
        audio_s_per_s=pace,
        memory_gb=memory_gb,
        n_utterances=len(experiment.train),
        set_s=set_s,
        run_s=set_s * recipe.training.n_steps / plan.steps_per_epoch,
        n_steps=recipe.training.n_steps,
        steps_per_epoch=plan.steps_per_epoch,
    )


def _peak_memory(device: torch.device) -> float:
    """Bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{seconds / 60:.1f} min"
