"""The training loop. It is read, not subclassed."""

import json
import math
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from asr.audio.augment import SpecAugment, perturb_speed
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.dataset.draws import draw_key
from asr.models.asr_model import AsrModel
from asr.models.objective import LossSums, history_of, joint_loss
from asr.training.candidates import Scored, average_weights, best_of, to_average
from asr.training.checkpoint import latest_checkpoint, prune, write_directory
from asr.training.log import RunLog
from asr.training.pace import Pace
from asr.training.schedule import learning_rate, sampling_probability
from asr.training.tensors import load_tensors, pack_state, save_tensors, unpack_state

MODEL_FILE = "model.safetensors"
LOG_EVERY = 20  # steps
MAX_SKIPPED = 10  # batches in a run whose gradient is not finite; more is no accident
ALARM_FROM_SHARE = 0.3  # of the run: sound runs on small corpora align by then, some no sooner
ALARM_ABOVE_WER = 0.5  # whoever gets most words right listens at the right places, however widely


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which utterances."""


@dataclass(frozen=True)
class TrainerSettings:
    """How to train; fields as in a recipe's `training` and `objective` sections, explained there."""

    seed: int
    n_steps: int
    peak_lr: float
    warmup_steps: int
    final_lr_share: float
    weight_decay: float
    clip_norm: float
    validate_every: int
    checkpoint_every: int
    keep_checkpoints: int
    average_best: int
    ctc_weight: float
    label_smoothing: float
    scheduled_sampling: float
    spec_augment_from_step: int
    sos: int
    eos: int


@dataclass(frozen=True)
class Validation:
    """What `validate` found on dev.

    Attributes:
        wer: Word error rate by greedy decoding.
        metrics: Further numbers for the log.
        alarm: Why attention has not learnt to align, if so.
        picture: A PNG of attention on one dev utterance.
    """

    wer: float
    metrics: dict[str, float] = field(default_factory=dict)
    alarm: str | None = None
    picture: Path | None = None


class Trainer:
    """Trains a model in a folder, from wherever the folder's last whole checkpoint stands.

    The folder then holds `checkpoints/step-N` (model, optimizer, position), `candidates/step-N` (the best models so
    far), `best` (a self-contained model), train.log, metrics.jsonl and tensorboard. Every draw is keyed by seed and
    step, so a run that is killed and resumed ends with the bits of one that was not.

    Args:
        model: On its device.
        spec_augment: Masks for features.
        settings: How to train.
        folder: The experiment.
        model_files: What else makes a model self-contained: name to bytes (recipe, tokenizer).
        validate: Decodes dev with the model as it stands; told the step.
    """

    def __init__(
        self,
        model: AsrModel,
        spec_augment: SpecAugment,
        settings: TrainerSettings,
        folder: Path,
        model_files: Mapping[str, bytes],
        validate: Callable[[int], Validation],
    ) -> None:
        self.model = model
        self.spec_augment = spec_augment
        self.settings = settings
        self.folder = folder
        self.model_files = model_files
        self.validate = validate
        self.device = next(model.parameters()).device
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.peak_lr, betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        self.step = 0
        self.validations: list[Scored] = []
        self.skipped: list[int] = []
        self._resume()

    @property
    def finished(self) -> bool:
        """Whether the last step was taken already."""
        return self.step >= self.settings.n_steps

    def run(self, loader: Callable[[int, int], Iterable[list[Batch]]]) -> None:
        """Trains to the last step, then averages the best models.

        Args:
            loader: Gives the batches of steps start..end-1, in order.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; a checkpoint was saved first.
            TrainingError: More than `MAX_SKIPPED` batches gave a gradient that is not finite.
        """
        settings = self.settings
        with RunLog(self.folder, settings.n_steps, self.step) as log, _signals() as stopped:
            if self.step:
                log.line(f"resuming at step {self.step} of {settings.n_steps}")
            pace = Pace()
            for (batch,) in pace.waiting(loader(self.step, settings.n_steps)):
                sums, gradient_norm = self._train_step(batch.to(self.device))
                if math.isfinite(gradient_norm):
                    pace.add(batch, sums, gradient_norm)
                else:
                    log.line(self._skip(batch, gradient_norm))
                self.step += 1
                if self.step % LOG_EVERY == 0:
                    log.metrics("train", self.step, {**pace.take(), "lr": self.optimizer.param_groups[0]["lr"]})
                log.progress(self.step, pace.status)
                due = self.step % settings.validate_every == 0 or self.step == settings.n_steps
                if due:
                    self._validate(log)
                    pace.restart()
                if due or self.step % settings.checkpoint_every == 0 or stopped():
                    self._save()
                if stopped():
                    log.line(f"stopped at step {self.step}; the same command goes on from here")
                    raise KeyboardInterrupt
            self._finish(log)

    def try_out(self, batches: Iterable[Batch]) -> None:
        """Takes the heaviest batches forward and backward, changing nothing, so that a run cannot fail late for memory.

        Raises:
            TrainingError: A batch does not fit; the message names its utterances and the setting to change.
        """
        for batch in batches:
            try:
                self._gradients(batch.to(self.device))
            except (torch.OutOfMemoryError, MemoryError) as error:
                seconds = batch.samples.shape[1] / RATE_HZ
                raise TrainingError(
                    f"out of memory on {len(batch.ids)} utterances of up to {seconds:.1f} s, the heaviest batch there "
                    f"is: {', '.join(batch.ids)}; lower data.batch_s or drop the longest ({error})"
                ) from error
            self.optimizer.zero_grad()

    def _train_step(self, batch: Batch) -> tuple[LossSums, float]:
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                self.step, settings.n_steps, settings.warmup_steps, settings.peak_lr, settings.final_lr_share
            )
        self.optimizer.zero_grad()
        sums = self._gradients(batch)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm))
        if math.isfinite(norm):
            self.optimizer.step()
        return sums, norm

    def _skip(self, batch: Batch, norm: float) -> str:
        """Keeps a batch whose gradient is not finite, and says so; gives up after `MAX_SKIPPED`."""
        path = self.folder / "skipped" / f"step-{self.step:08d}"
        write_directory(
            path,
            {
                "batch.safetensors": lambda target: save_tensors(target, batch.tensors()),
                "ids.json": _writer(json.dumps(batch.ids).encode()),
            },
        )
        self.skipped.append(self.step)
        fault = f"step {self.step}: the gradient is {norm} on {', '.join(batch.ids)}; the batch is kept in {path}"
        if len(self.skipped) > MAX_SKIPPED:
            raise TrainingError(
                f"{fault}. That is the {len(self.skipped)}th: look at these recordings, lower training.peak_lr or "
                "raise training.warmup_steps"
            )
        return f"{fault} and skipped"

    def _gradients(self, batch: Batch) -> LossSums:
        """Forward and backward on one batch; every draw is keyed by the step or by the utterance."""
        settings = self.settings
        torch.manual_seed(draw_key(settings.seed, self.step, "dropout"))
        self.model.train()
        samples, sample_lens = perturb_speed(batch.samples, batch.sample_lens, batch.speeds)
        features, frame_lens = self.model.features(samples, sample_lens)
        if self.step >= settings.spec_augment_from_step:
            features = self.spec_augment(features, frame_lens, batch.keys)
        sampling = sampling_probability(self.step, settings.n_steps, settings.scheduled_sampling)
        outputs = self.model(features, frame_lens, history_of(batch.tokens, settings.sos), sampling)
        sums = joint_loss(
            outputs, batch.tokens, batch.token_lens, settings.eos, settings.ctc_weight, settings.label_smoothing
        )
        (sums.joint / sums.n_tokens).backward()
        return sums

    def _validate(self, log: RunLog) -> None:
        self.model.eval()
        with torch.inference_mode():
            found = self.validate(self.step)
        self.validations.append(Scored(self.step, found.wer))
        log.metrics("dev", self.step, {"wer": found.wer, **found.metrics})
        if found.picture:
            log.picture("dev/attention", self.step, found.picture)
        leads = best_of(self.validations, 1)[0].step == self.step
        mark = "  *" if leads else ""
        rest = "  ".join(f"{name} {value:.3g}" for name, value in found.metrics.items())
        log.line(f"step {self.step}  dev WER {100 * found.wer:.2f} %  {rest}{mark}")
        late = self.step >= ALARM_FROM_SHARE * self.settings.n_steps
        if found.alarm and late and found.wer > ALARM_ABOVE_WER:
            log.line(f"ALIGNMENT: {found.alarm}")
        if any(scored.step == self.step for scored in self._to_average()):
            self._write_model(self._candidate(self.step), self.model.state_dict())
        if leads:
            self._write_model(self.folder / "best", self.model.state_dict())

    def _finish(self, log: RunLog) -> None:
        best = self._to_average()
        final = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(average_weights([self._candidate(scored.step) / MODEL_FILE for scored in best]))
        self.model.eval()
        with torch.inference_mode():
            averaged = self.validate(self.step)
        log.line(f"average of {len(best)} best  dev WER {100 * averaged.wer:.2f} %")
        log.metrics("average", self.step, {"wer": averaged.wer, **averaged.metrics})
        if averaged.wer <= best_of(self.validations, 1)[0].wer:
            self._write_model(self.folder / "best", self.model.state_dict())
        self.model.load_state_dict(final)

    def _to_average(self) -> list[Scored]:
        return to_average(self.validations, self.settings.average_best, self.settings.n_steps)

    def _candidate(self, step: int) -> Path:
        return self.folder / "candidates" / f"step-{step:08d}"

    def _write_model(self, path: Path, weights: Mapping[str, Tensor]) -> None:
        files = {name: _writer(content) for name, content in self.model_files.items()}
        write_directory(path, {**files, MODEL_FILE: lambda target: save_tensors(target, weights)})

    def _save(self) -> None:
        tensors, packed = pack_state(self.optimizer.state_dict(), "optimizer")
        state = {
            "step": self.step,
            "validations": [asdict(scored) for scored in self.validations],
            "skipped": self.skipped,
            "optimizer": packed,
        }
        folder = self.folder / "checkpoints"
        write_directory(
            folder / f"step-{self.step:08d}",
            {
                MODEL_FILE: lambda path: save_tensors(path, self.model.state_dict()),
                "optimizer.safetensors": lambda path: save_tensors(path, tensors),
                "state.json": _writer(json.dumps(state).encode()),
            },
        )
        prune(folder, self.settings.keep_checkpoints)
        self._prune_candidates()

    def _prune_candidates(self) -> None:
        """Drops models that are no longer among the best, once a checkpoint that says so is safe."""
        kept = {self._candidate(scored.step) for scored in self._to_average()}
        for path in (self.folder / "candidates").glob("step-*"):
            if path not in kept:
                shutil.rmtree(path)

    def _resume(self) -> None:
        path = latest_checkpoint(self.folder / "checkpoints")
        if path is None:
            return
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        self.model.load_state_dict(load_tensors(path / MODEL_FILE))
        self.optimizer.load_state_dict(unpack_state(load_tensors(path / "optimizer.safetensors"), state["optimizer"]))
        self.step = state["step"]
        self.validations = [Scored(**scored) for scored in state["validations"]]
        self.skipped = state["skipped"]


def _writer(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT or SIGTERM into a question the loop asks; the second acts as ever."""
    received: list[int] = []

    def remember(number: int, _frame: object) -> None:
        received.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
