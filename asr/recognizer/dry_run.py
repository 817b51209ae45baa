"""What a recipe will cost on this machine, measured before it is paid."""

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from asr.audio.augment import perturbed_lens
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch, collate
from asr.models.asr_model import AsrModel
from asr.models.objective import history_of
from asr.recipe.schema import Recipe
from asr.recognizer.train import assemble

N_TIMED = 4  # steps; the first warms up
MATMUL_SIZE = 2048


@dataclass(frozen=True)
class DryRun:
    """The cost of a recipe.

    Attributes:
        n_parameters: Weights.
        flop_per_s: Floating-point operations of a forward pass per second of audio.
        matmul_rate: Operations per second of a large matrix product here, float32.
        audio_s_per_s: Seconds of audio trained on per second, measured.
        memory_gb: Peak memory of this process (CPU) or device.
        n_utterances: In the training set.
        set_s: Seconds of the training set.
        run_s: Seconds of audio in the whole run.
        n_steps: Of the whole run.
        steps_per_epoch: As it says.
    """

    n_parameters: int
    flop_per_s: float
    matmul_rate: float
    audio_s_per_s: float
    memory_gb: float
    n_utterances: int
    set_s: float
    run_s: float
    n_steps: int
    steps_per_epoch: int

    @property
    def floor_s(self) -> float:
        """Seconds the run would take if it did nothing but multiply matrices: backward costs twice forward."""
        return 3 * self.flop_per_s * self.run_s / self.matmul_rate

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
                f"work        {self.flop_per_s / 1e9:.2f} GFLOP per second of audio, forward",
                f"memory      {self.memory_gb:.1f} GB at the heaviest batches",
                f"speed       {self.audio_s_per_s:.0f} s of audio per second, measured on {N_TIMED - 1} steps",
                f"estimate    {_clock(estimate_s)}, validation not counted",
                f"floor       {_clock(self.floor_s)} at the {self.matmul_rate / 1e9:.0f} GFLOP/s that a matrix product "
                f"reaches here: {self.floor_s / estimate_s:.0%} of that is used",
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
    experiment = assemble(recipe, out)
    trainer, plan, train = experiment.trainer, experiment.plan, experiment.train
    trainer.try_out(experiment.heaviest())
    memory_gb = _peak_memory(trainer.device) / 1e9
    batches = [collate(train, plan.batch(step), experiment.tokenizer) for step in range(N_TIMED)]
    trainer.try_out(batches[:1])
    start = time.perf_counter()
    trainer.try_out(batches[1:])
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    seconds = [float(perturbed_lens(batch.sample_lens, batch.speeds).sum()) / RATE_HZ for batch in batches[1:]]
    pace = sum(seconds) / (time.perf_counter() - start)
    set_s = sum(utterance.duration_s for utterance in train)
    return DryRun(
        n_parameters=sum(weights.numel() for weights in trainer.model.parameters()),
        flop_per_s=_count(trainer.model.cpu(), batches[0]),
        matmul_rate=_matmul_rate(trainer.device),
        audio_s_per_s=pace,
        memory_gb=memory_gb,
        n_utterances=len(train),
        set_s=set_s,
        run_s=set_s * recipe.training.n_steps / plan.steps_per_epoch,
        n_steps=recipe.training.n_steps,
        steps_per_epoch=plan.steps_per_epoch,
    )


@torch.inference_mode()
def _count(model: AsrModel, batch: Batch) -> float:
    """Operations of one utterance's forward pass per second of audio; matrix products, convolutions and LSTMs."""
    samples, lens = batch.samples[:1, : batch.sample_lens[0]], batch.sample_lens[:1]
    history = history_of(batch.tokens[:1, : batch.token_lens[0]], sos=0)
    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _lstm_flop})
    with counter:
        model.eval()(*model.features(samples, lens), history)
    return counter.get_total_flops() * RATE_HZ / float(lens[0])


def _lstm_flop(inputs: Any, to_input: Any, to_hidden: Any, *_: Any, **__: Any) -> int:
    """Two operations per weight, frame and utterance, from shapes (T, B, I), (4 H, I), (4 H, H)."""
    n_frames, n_utterances, _ = inputs
    return 2 * n_frames * n_utterances * (to_input[0] * to_input[1] + to_hidden[0] * to_hidden[1])


def _matmul_rate(device: torch.device) -> float:
    square = torch.rand(MATMUL_SIZE, MATMUL_SIZE, device=device)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        float((square @ square)[0, 0])
        times.append(time.perf_counter() - start)
    return 2 * MATMUL_SIZE**3 / min(times)


def _peak_memory(device: torch.device) -> float:
    """Bytes."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{seconds / 60:.1f} min"
