"""One optimizer step: gradients of every rank and micro-batch added up, divided once, clipped and applied."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from asr.audio.augment import Augmentation
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.dataset.draws import draw_key
from asr.models.asr_model import AsrModel
from asr.models.objective import LossSums, history_of, joint_loss
from asr.ranks.group import Ranks
from asr.training.schedule import learning_rate, sampling_probability
from asr.training.tensors import pack_state, unpack_state


@dataclass(frozen=True)
class LearnerSettings:
    """How a step is taken; fields as in a recipe's `training` and `objective` sections, explained there."""

    seed: int
    n_steps: int
    peak_lr: float
    warmup_steps: int
    final_lr_share: float
    weight_decay: float
    clip_norm: float
    precision: Literal["fp32", "bf16"]
    ema_decay: float | None
    ctc_weight: float
    label_smoothing: float
    scheduled_sampling: float
    sos: int
    eos: int


class Step(NamedTuple):
    """What came of one step, over all ranks.

    Attributes:
        joint, attention, ctc: Sums of losses in nats.
        n_tokens: Tokens, ends included: what the losses are divided by.
        n_correct: Tokens the speller had right.
        audio_s: Seconds of audio, as played.
        n_stopping: Ranks that were asked to stop.
        gradient_norm: Before clipping.
    """

    joint: float
    attention: float
    ctc: float
    n_tokens: float
    n_correct: float
    audio_s: float
    n_stopping: float
    gradient_norm: float


class Learner:
    """A model, its optimizer and, where asked for, the running mean of its weights.

    The loss of a step is the sum over all its utterances, wherever they are worked on, divided once by the number of
    their tokens: how many ranks and micro-batches share the work does not show in the gradient, dropout aside, whose
    draws are keyed by (seed, step, rank, micro-batch).

    Args:
        model: On its device.
        settings: How to learn.
        ranks: Who shares the work; each has the same model.
    """

    def __init__(self, model: AsrModel, settings: LearnerSettings, ranks: Ranks) -> None:
        self.model = model
        self.settings = settings
        self.ranks = ranks
        self.device = next(model.parameters()).device
        shared = ranks.n_ranks > 1
        self._forward = DistributedDataParallel(model, gradient_as_bucket_view=True) if shared else model
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.peak_lr, betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        decays = settings.ema_decay is not None
        self._mean = [weights.detach().clone() for weights in model.parameters()] if decays else []

    def step(
        self,
        number: int,
        batches: Sequence[Batch],
        augmentation: Augmentation,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Step:
        """Takes step `number`, unless its gradient is not finite: then weights and optimizer stay as they are.

        Args:
            number: From 0.
            batches: This rank's micro-batches.
            augmentation: What varies them.
            stopping: Whether this rank was asked to stop, for all to know.
        """
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                number, settings.n_steps, settings.warmup_steps, settings.peak_lr, settings.final_lr_share
            )
        self.optimizer.zero_grad()
        totals = torch.zeros(7, dtype=torch.float64)
        for micro, batch in enumerate(batches):
            totals[:6] += self.gradients(number, batch, augmentation, micro, is_last=micro == len(batches) - 1)
        totals[6] = float(stopping())
        sums: list[float] = self.ranks.sum(totals).tolist()
        norm = self._scale_and_clip(n_tokens=sums[3])
        if math.isfinite(norm):
            self.optimizer.step()
            self._follow(number)
        return Step._make([*sums, norm])

    def gradients(
        self, number: int, batch: Batch, augmentation: Augmentation, micro: int = 0, is_last: bool = True
    ) -> Tensor:
        """Forward and backward on one micro-batch; ranks add up their gradients in the last one's backward.

        Returns:
            (6,) float64 on the CPU: the first six fields of `Step`, of this micro-batch.
        """
        settings = self.settings
        torch.manual_seed(draw_key(settings.seed, number, "dropout", self.ranks.rank, micro))
        self.model.train()
        self.ranks.at(number, "computing", batch.ids)
        batch = batch.to(self.device)
        with self._adding_up(is_last):
            sums, audio_s = self._losses(number, batch, augmentation)
            self.ranks.at(number, "adding up", batch.ids)
            (sums.joint * float(batch.counts)).backward()
        found = torch.stack([value.detach().double().cpu() for value in (*sums, audio_s)])
        return found * float(batch.counts)

    def _losses(self, number: int, batch: Batch, augmentation: Augmentation) -> tuple[LossSums, Tensor]:
        settings = self.settings
        samples, sample_lens = augmentation.on_samples(
            batch.samples, batch.sample_lens, batch.speeds, batch.keys, batch.noise
        )
        features, frame_lens = self.model.features(samples, sample_lens)
        features = augmentation.on_features(features, frame_lens, batch.keys)
        sampling = sampling_probability(number, settings.n_steps, settings.scheduled_sampling)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            outputs = self._forward(features, frame_lens, history_of(batch.tokens, settings.sos), sampling)
        sums = joint_loss(
            outputs, batch.tokens, batch.token_lens, settings.eos, settings.ctc_weight, settings.label_smoothing
        )
        return sums, sample_lens.sum().double() / RATE_HZ

    def _adding_up(self, is_last: bool) -> Any:
        """Ranks exchange gradients once per step."""
        if is_last or not isinstance(self._forward, DistributedDataParallel):
            return nullcontext()
        return self._forward.no_sync()

    def _scale_and_clip(self, n_tokens: float) -> float:
        """Turns gradients of sums (their mean over the ranks) into gradients per token, none longer than `clip_norm`.

        Returns:
            The norm before clipping.
        """
        gradients = [weights.grad for weights in self.model.parameters() if weights.grad is not None]
        scale = self.ranks.n_ranks / n_tokens
        norm = float(torch.nn.utils.get_total_norm(gradients)) * scale
        torch._foreach_mul_(gradients, scale * min(1.0, self.settings.clip_norm / (norm + 1e-6)))
        return norm

    def _follow(self, number: int) -> None:
        """Moves the mean of the weights towards them: m += (1 - d)(w - m), d rising from 0.1 to `ema_decay`."""
        if self.settings.ema_decay is not None:
            decay = min(self.settings.ema_decay, (1 + number) / (10 + number))
            torch._foreach_lerp_(self._mean, [weights.data for weights in self.model.parameters()], 1.0 - decay)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the model has the mean weights, if the recipe asks for them (Polyak & Juditsky 1992)."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for weights, mean in zip(self.model.parameters(), self._mean, strict=False):
            weights.data, mean.data = mean.data, weights.data

    def state(self) -> tuple[dict[str, Tensor], Any]:
        """What, beside the weights, the next step depends on: tensors by name, and JSON values."""
        return pack_state({"optimizer": self.optimizer.state_dict(), "mean": self._mean}, "learner")

    def load_state(self, tensors: dict[str, Tensor], packed: Any) -> None:
        """Takes up what `state` gave.

        Raises:
            CheckpointError: It is not of that form.
        """
        state = unpack_state(tensors, packed)
        self.optimizer.load_state_dict(state["optimizer"])
        for mine, saved in zip(self._mean, state["mean"], strict=True):
            mine.copy_(saved)
