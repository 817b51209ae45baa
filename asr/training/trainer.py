"""The training loop. It is read, not subclassed."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch

from asr.audio.augment import Augmentation
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.models.language_models.language_model import LanguageModel
from asr.models.listening_model import ListeningModel
from asr.ranks.group import Ranks
from asr.training.candidates import MODEL_FILE, BestModels, Scored
from asr.training.checkpoint import CheckpointError, latest_checkpoint, prune, write_directory, writer
from asr.training.floor import Floor
from asr.training.learner import Learner, LearnerSettings, Step
from asr.training.log import RunLog
from asr.training.objectives import Objective
from asr.training.pace import Pace
from asr.training.stopping import stop_signals
from asr.training.tensors import load_tensors, save_tensors

LOG_EVERY = 20  # steps
MAX_SKIPPED = 10  # batches in a run whose gradient is not finite; more is no accident
PERPLEXITY = "perplexity"  # the one measure that is no share
FIRST_LOOK = 0.15  # of the run: a first validation at the latest, for the alarm to come in time


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which utterances."""


@dataclass(frozen=True)
class TrainerSettings:
    """When to look and what to keep; fields as in a recipe's `training` section, explained there."""

    n_steps: int
    validate_every: int
    checkpoint_every: int
    keep_checkpoints: int
    average_best: int


@dataclass(frozen=True)
class Validation:
    """What `validate` found on dev.

    Attributes:
        measure: What models are chosen by, such as "WER".
        error: Its value, the lower the better; 1 is 100 %, but of perplexity.
        metrics: Further numbers for the log.
        alarm: Why attention has not learnt to align, if so.
        picture: A PNG of attention on one dev utterance.
    """

    measure: str
    error: float
    metrics: dict[str, float] = field(default_factory=dict)
    alarm: str | None = None
    picture: Path | None = None

    @property
    def figures(self) -> dict[str, float]:
        """All numbers by name."""
        return {self.measure.lower().replace(" ", "_"): self.error, **self.metrics}

    @property
    def told(self) -> str:
        """The error in words."""
        if self.measure == PERPLEXITY:
            return f"dev {self.measure} {self.error:.3f}"
        return f"dev {self.measure} {100 * self.error:.2f} %"


class Trainer:
    """Trains a model in a folder, from wherever the folder's last whole checkpoint stands.

    The folder then holds `checkpoints/step-N` (model, optimizer, position), `candidates/step-N` (the best models so
    far), `best` (a self-contained model), train.log, metrics.jsonl and tensorboard. Every draw is keyed by seed and
    step, so a run that is killed and resumed ends with the bits of one that was not.

    Several ranks run the same loop; the first one writes, and all see the folder.

    Args:
        model: On its device.
        objective: What its task trains on.
        augmentation_at: What varies the utterances of a step.
        learner_settings: How a step is taken.
        settings: When to look and what to keep.
        folder: The experiment.
        model_files: What else makes a model self-contained: name to bytes (recipe, tokenizer).
        validate: Decodes dev with the model as it stands; told the step.
        data: Fingerprint of the training set; a run goes on only with the data it began with.
        ranks: The processes that train together.
        begin: Makes a model ready that no checkpoint makes so; what it tells is logged at the first step.
    """

    def __init__(
        self,
        model: ListeningModel | LanguageModel,
        objective: Objective,
        augmentation_at: Callable[[int], Augmentation],
        learner_settings: LearnerSettings,
        settings: TrainerSettings,
        folder: Path,
        model_files: Mapping[str, bytes],
        validate: Callable[[int], Validation],
        data: str,
        ranks: Ranks,
        begin: Callable[[], Sequence[str]],
    ) -> None:
        self.model = model
        self.augmentation_at = augmentation_at
        self.settings = settings
        self.folder = folder
        self.validate = validate
        self.data = data
        self.ranks = ranks
        kept = self._last_checkpoint()
        self.opening: Sequence[str] = () if kept else begin()
        self.learner = Learner(model, objective, learner_settings, ranks)  # whose running mean starts at these weights
        self.best = BestModels(folder, model_files, settings.average_best, settings.n_steps, ranks.is_first)
        self.step = 0
        self.skipped: list[int] = []
        if kept:
            self._resume(kept)

    @property
    def finished(self) -> bool:
        """Whether the last step was taken already."""
        return self.step >= self.settings.n_steps

    @property
    def _own_folder(self) -> Path:
        """Where this rank alone writes."""
        return self.folder if self.ranks.is_first else self.folder / "ranks" / str(self.ranks.rank)

    def run(self, loader: Callable[[int, int], Iterable[list[Batch]]], floor: Floor) -> None:
        """Trains to the last step, then averages the best models.

        Args:
            loader: Gives this rank's micro-batches of steps start..end-1, in order.
            floor: What to measure the speed against.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came to a rank; a checkpoint was saved first.
            TrainingError: More than `MAX_SKIPPED` batches gave a gradient that is not finite.
        """
        settings = self.settings
        with self._log() as log, stop_signals(patient=self.ranks.n_ranks > 1) as stopped:
            pace = Pace(floor)
            self.ranks.at(self.step, "loading")
            for batches in pace.waiting(loader(self.step, settings.n_steps)):
                step = self.learner.step(self.step, batches, self.augmentation_at(self.step), stopped)
                if math.isfinite(step.gradient_norm):
                    pace.add(step)
                else:
                    log.line(self._skip(batches, step.gradient_norm))
                self.step += 1
                if self.step % LOG_EVERY == 0:
                    lr = self.learner.optimizer.param_groups[0]["lr"]
                    log.metrics("train", self.step, {**pace.take(), "lr": lr})
                log.progress(self.step, pace.status)
                due = self._is_validation_due()
                if due:
                    self._validate(log)
                    pace.restart()
                if due or self.step % settings.checkpoint_every == 0 or step.n_stopping:
                    self._save()
                if step.n_stopping:
                    self._stop(log, step)
                self.ranks.at(self.step, "loading")
            self._finish(log)

    def try_out(self, batches: Iterable[Batch]) -> None:
        """Takes the heaviest batches forward and backward, changing nothing, so that a run cannot fail late for memory.

        Raises:
            TrainingError: A batch does not fit; the message names its utterances and the setting to change.
        """
        for batch in batches:
            try:
                self.learner.gradients(self.step, batch, self.augmentation_at(self.step))
            except (torch.OutOfMemoryError, MemoryError) as error:
                seconds, n_tokens = batch.samples.shape[1] / RATE_HZ, batch.tokens.shape[1]
                raise TrainingError(
                    f"out of memory on {len(batch.ids)} utterances of up to {seconds:.1f} s and {n_tokens} tokens, the "
                    f"heaviest batch there is: {', '.join(batch.ids)}; lower data.batch_s or data.batch_tokens, raise "
                    f"training.n_micro_batches, or drop the longest ({error})"
                ) from error
            self.learner.optimizer.zero_grad()

    def _log(self) -> RunLog:
        """The first rank's log is the run's; the others keep theirs beside it and do not speak."""
        log = RunLog(self._own_folder, self.settings.n_steps, self.step, quiet=not self.ranks.is_first)
        if self.step:
            log.line(f"resuming at step {self.step} of {self.settings.n_steps}")
        for line in self.opening:
            log.line(line)
        return log

    def _skip(self, batches: Sequence[Batch], norm: float) -> str:
        """Keeps batches whose gradient is not finite, and says so; gives up after `MAX_SKIPPED`."""
        folder = self._own_folder / "skipped"
        for micro, batch in enumerate(batches):
            files: dict[str, Callable[[Path], None]] = {
                "batch.safetensors": partial(save_tensors, tensors=batch.tensors()),
                "ids.json": writer(json.dumps(batch.ids).encode()),
            }
            write_directory(folder / f"step-{self.step:08d}-{micro}", files)
        self.skipped.append(self.step)
        named = [
            name for names in self.ranks.gather([name for batch in batches for name in batch.ids]) for name in names
        ]
        fault = f"step {self.step}: the gradient is {norm} on {', '.join(named)}; the batch is kept in {folder}"
        if len(self.skipped) > MAX_SKIPPED:
            raise TrainingError(
                f"{fault}. That is the {len(self.skipped)}th: look at these recordings, lower training.peak_lr or "
                "raise training.warmup_steps"
            )
        return f"{fault} and skipped"

    def _is_validation_due(self) -> bool:
        settings = self.settings
        looks = (math.ceil(FIRST_LOOK * settings.n_steps), settings.n_steps)
        return self.step % settings.validate_every == 0 or self.step in looks

    def _validate(self, log: RunLog) -> None:
        self.model.eval()
        with self.learner.averaged(), torch.inference_mode():
            found = self.validate(self.step)
            leads = self.best.add(Scored(self.step, found.error), self.model.state_dict())
        log.metrics("dev", self.step, found.figures)
        if found.picture:
            log.picture("dev/attention", self.step, found.picture)
        rest = "  ".join(f"{name} {value:.3g}" for name, value in found.metrics.items())
        log.line(f"step {self.step}  {found.told}  {rest}{'  *' if leads else ''}")
        if found.alarm:
            log.line(f"ALIGNMENT: {found.alarm}")

    def _stop(self, log: RunLog, step: Step) -> None:
        self.ranks.gather(None)  # a launcher that sees one rank leave ends the others, the one that saves among them
        log.line(f"stopped at step {self.step}; the same command goes on from here")
        raise KeyboardInterrupt

    def _finish(self, log: RunLog) -> None:
        self.ranks.gather(None)  # what the first rank has written, all may read now
        final = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.best.average())
        self.model.eval()
        with torch.inference_mode():
            averaged = self.validate(self.step)
        log.line(f"average of the best  {averaged.told}")
        log.metrics("average", self.step, averaged.figures)
        if averaged.picture:
            log.picture("average/attention", self.step, averaged.picture)
        self.best.crown(averaged.error, self.model.state_dict())
        self.model.load_state_dict(final)

    def _save(self) -> None:
        if not self.ranks.is_first:
            return
        self.ranks.at(self.step, "saving")
        tensors, packed = self.learner.state()
        state = {
            "step": self.step,
            "data": self.data,
            "validations": [asdict(scored) for scored in self.best.validations],
            "skipped": self.skipped,
            "learner": packed,
        }
        folder = self.folder / "checkpoints"
        write_directory(
            folder / f"step-{self.step:08d}",
            {
                MODEL_FILE: lambda path: save_tensors(path, self.model.state_dict()),
                "learner.safetensors": lambda path: save_tensors(path, tensors),
                "state.json": writer(json.dumps(state).encode()),
            },
        )
        prune(folder, self.settings.keep_checkpoints)
        self.best.prune()

    def _last_checkpoint(self) -> Path | None:
        """The last whole one; the first rank, which tidies up, looks for it."""
        found = latest_checkpoint(self.folder / "checkpoints") if self.ranks.is_first else None
        name = self.ranks.gather(found and found.name)[0]
        return self.folder / "checkpoints" / name if name else None

    def _resume(self, path: Path) -> None:
        """Takes up what a checkpoint holds.

        Raises:
            CheckpointError: It is whole, and yet none of this run's.
            TrainingError: The training data is another.
        """
        try:
            state = json.loads((path / "state.json").read_text(encoding="utf-8"))
            same_data = state["data"] == self.data
            if same_data:
                self.model.load_state_dict(load_tensors(path / MODEL_FILE))
                self.learner.load_state(load_tensors(path / "learner.safetensors"), state["learner"])
                self.step = int(state["step"])
                self.best.validations = [
                    Scored(int(each["step"]), float(each["error"])) for each in state["validations"]
                ]
                self.skipped = [int(step) for step in state["skipped"]]
        except (CheckpointError, torch.OutOfMemoryError):
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError) as error:
            raise CheckpointError(
                f"{path}: no checkpoint of this run ({type(error).__name__}: {error}); remove it to go on without"
            ) from error
        if not same_data:
            raise TrainingError(
                f"{self.folder}: was started with other training data: the manifests under data.train have changed "
                "since; restore them, or give --out another folder"
            )
