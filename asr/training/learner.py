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
from asr.models.language_models.language_model import LanguageModel
from asr.models.listening_model import ListeningModel
from asr.models.objective import LossSums
from asr.ranks.group import Ranks
from asr.training.objectives import Objective
from asr.training.schedule import learning_rate
from asr.training.tensors import pack_state, unpack_state


@dataclass(frozen=True)
class LearnerSettings:
    """How a step is taken; fields as in a recipe's `training` section, explained there."""

    seed: int
    n_steps: int
    peak_lr: float
    warmup_steps: int
    final_lr_share: float
    weight_decay: float
    clip_norm: float
    precision: Literal["fp32", "bf16"]
    ema_decay: float | None


class Step(NamedTuple):
    """What came of one step, over all ranks.

    Attributes:
        joint: Sum of the loss in nats.
        n_tokens: Tokens, ends included: what the losses are divided by.
        n_correct: Tokens the model had right.
        audio_s: Seconds of audio, as played.
        n_stopping: Ranks that were asked to stop.
        gradient_norm: Before clipping.
        parts: Sums of the losses that the objective tells apart, by name.
    """

    joint: float
    n_tokens: float
    n_correct: float
    audio_s: float
    n_stopping: float
    gradient_norm: float
    parts: dict[str, float]


class Learner:
    """A model, its optimizer and, where asked for, the running mean of its weights.

    The loss of a step is the sum over all its utterances, wherever they are worked on, divided once by the number of
    their tokens: how many ranks and micro-batches share the work does not show in the gradient, dropout aside, whose
    draws are keyed by (seed, step, rank, micro-batch).

    Args:
        model: On its device.
        objective: What its task trains on.
        settings: How to learn.
        ranks: Who shares the work; each has the same model.
    """

    def __init__(
        self, model: ListeningModel | LanguageModel, objective: Objective, settings: LearnerSettings, ranks: Ranks
    ) -> None:
        self.model = model
        self.objective = objective
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
        totals = torch.tensor([float(stopping())] + [0.0] * (4 + len(self.objective.parts)), dtype=torch.float64)
        for micro, batch in enumerate(batches):
            totals[1:] += self.gradients(number, batch, augmentation, micro, is_last=micro == len(batches) - 1)
        n_stopping, joint, n_tokens, n_correct, audio_s, *parts = self.ranks.sum(totals).tolist()
        norm = self._scale_and_clip(n_tokens)
        if math.isfinite(norm):
            self.optimizer.step()
            self._follow(number)
        named = dict(zip(self.objective.parts, parts, strict=True))
        return Step(joint, n_tokens, n_correct, audio_s, n_stopping, norm, named)

    def gradients(
        self, number: int, batch: Batch, augmentation: Augmentation, micro: int = 0, is_last: bool = True
    ) -> Tensor:
        """Forward and backward on one micro-batch; ranks add up their gradients in the last one's backward.

        Returns:
            float64 on the CPU, of this micro-batch: joint, n_tokens, n_correct, audio_s and the parts, as in `Step`.
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
        parts = [sums.parts[name] for name in self.objective.parts]
        told = (sums.joint, sums.n_tokens, sums.n_correct, audio_s, *parts)
        return torch.stack([value.detach().double().cpu() for value in told]) * float(batch.counts)

    def _losses(self, number: int, batch: Batch, augmentation: Augmentation) -> tuple[LossSums, Tensor]:
        samples, sample_lens = augmentation.on_samples(
            batch.samples, batch.sample_lens, batch.speeds, batch.keys, batch.noise
        )
        features, frame_lens = self.model.features(samples, sample_lens)
        features = augmentation.on_features(features, frame_lens, batch.keys)
        run_share = number / self.settings.n_steps
        sums = self.objective(self._ask, features, frame_lens, batch.tokens, batch.token_lens, run_share)
        return sums, sample_lens.sum().double() / RATE_HZ

    def _ask(self, *given: Any) -> Any:
        """The model's answer, in the precision of training; losses are in float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            return self._forward(*given)

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
