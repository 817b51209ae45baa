"""What a task trains on: from a batch to the sums of its losses. The learner does not tell one task from another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from asr.models.asr_model import Outputs
from asr.models.min_wer import NBest
from asr.models.objective import Guide, LossSums, history_of, joint_loss, label_loss, text_loss, with_min_wer
from asr.training.schedule import guide_weight, sampling_probability


class Objective(Protocol):
    """Asks a model about a batch and judges its answer."""

    parts: tuple[str, ...]
    """Names of the losses that are told beside their weighted sum, in a fixed order."""

    def __call__(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
    ) -> LossSums:
        """Sums the losses over a batch.

        Args:
            forward: The task's model, called once.
            features: (B, T, M).
            frame_lens: (B,) int64.
            tokens: (B, U) int64, what is to be said of each utterance, padded.
            token_lens: (B,) int64.
            run_share: How much of the run is over, from 0 to 1.
        """


@dataclass(frozen=True)
class GuidedAttention:
    """Keeps attention near the diagonal at first.

    Attributes:
        weight: Of the penalty at the first step; it falls in a line.
        width: See `guided_attention_loss`.
        until_share: The share of the run from which on there is no penalty.
        n_heads: See `guided_attention_loss`.
    """

    weight: float
    width: float
    until_share: float
    n_heads: int | None

    def at(self, run_share: float) -> Guide | None:
        """What it is at a share of the run; None once it is over."""
        weight = guide_weight(run_share, self.until_share, self.weight)
        return Guide(weight, self.width, self.n_heads) if weight else None


class SpellingObjective:
    """Writing a text token by token: joint CTC/attention, or attention alone at `ctc_weight` 0.

    Args:
        ctc_weight: Share of CTC; the speller has the rest.
        label_smoothing: Share of the speller's targets that is spread evenly over the vocabulary.
        scheduled_sampling: Probability, towards the end of a run, of feeding the speller its own token.
        sos: Id of the start of sentence.
        eos: Id of the end of sentence.
        guided_attention: A penalty on top, if any.
    """

    def __init__(
        self,
        ctc_weight: float,
        label_smoothing: float,
        scheduled_sampling: float,
        sos: int,
        eos: int,
        guided_attention: GuidedAttention | None = None,
    ) -> None:
        self.ctc_weight = ctc_weight
        self.label_smoothing = label_smoothing
        self.scheduled_sampling = scheduled_sampling
        self.sos = sos
        self.eos = eos
        self.guided_attention = guided_attention
        present = {"attention": True, "ctc": ctc_weight > 0, "guided": guided_attention is not None}
        self.parts = tuple(name for name, is_there in present.items() if is_there)

    def __call__(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
    ) -> LossSums:
        """See `Objective.__call__`; the model is an `AsrModel`."""
        return self.ask(forward, features, frame_lens, tokens, token_lens, run_share)[1]

    def ask(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
        hypotheses: Tensor | None = None,
    ) -> tuple[Outputs, LossSums]:
        """The same, with what the model said, also about other histories: (B, N, U' + 1) int64."""
        sampling = sampling_probability(run_share, self.scheduled_sampling)
        guide = self.guided_attention.at(run_share) if self.guided_attention else None
        history = history_of(tokens, self.sos)
        outputs = forward(features, frame_lens, history, sampling, guide is not None, hypotheses)
        sums = joint_loss(outputs, tokens, token_lens, self.eos, self.ctc_weight, self.label_smoothing, guide)
        nothing = dict.fromkeys(self.parts, torch.zeros_like(sums.joint))  # such as guided, once that is over
        return outputs, sums._replace(parts=nothing | sums.parts)


class MinWerObjective:
    """Making fewer word errors: those expected over what search finds, and a little of the likelihood of the truth.

    Args:
        likelihood: What the model was trained on before.
        find: (features, frame_lens, tokens, token_lens), as in `Objective.__call__`, to what search finds with the
            model as it stands.
        joint_weight: Of the likelihood; see `with_min_wer`.
    """

    def __init__(
        self,
        likelihood: SpellingObjective,
        find: Callable[[Tensor, Tensor, Tensor, Tensor], NBest],
        joint_weight: float,
    ) -> None:
        self.likelihood = likelihood
        self.find = find
        self.joint_weight = joint_weight
        self.parts = (*likelihood.parts, "word_errors")

    def __call__(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
    ) -> LossSums:
        """See `Objective.__call__`; the model is an `AsrModel`."""
        n_best = self.find(features, frame_lens, tokens, token_lens)
        histories = history_of(n_best.tokens, self.likelihood.sos)
        outputs, sums = self.likelihood.ask(forward, features, frame_lens, tokens, token_lens, run_share, histories)
        return with_min_wer(sums, outputs, n_best, self.likelihood.eos, self.joint_weight)


class LabelObjective:
    """Naming an utterance: cross-entropy.

    Args:
        label_smoothing: Share of the targets that is spread evenly over the labels.
    """

    parts: tuple[str, ...] = ()

    def __init__(self, label_smoothing: float) -> None:
        self.label_smoothing = label_smoothing

    def __call__(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
    ) -> LossSums:
        """See `Objective.__call__`; the model is a `ClassifyModel`, and every utterance has one token, its label."""
        return label_loss(forward(features, frame_lens).logits, tokens[:, 0], self.label_smoothing)


class TextObjective:
    """Writing a text from nothing but its own beginning: cross-entropy.

    Args:
        label_smoothing: Share of the targets that is spread evenly over the vocabulary.
        sos: Id of the start of sentence.
        eos: Id of the end of sentence.
    """

    parts: tuple[str, ...] = ()

    def __init__(self, label_smoothing: float, sos: int, eos: int) -> None:
        self.label_smoothing = label_smoothing
        self.sos = sos
        self.eos = eos

    def __call__(
        self,
        forward: Callable[..., Any],
        features: Tensor,
        frame_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
        run_share: float,
    ) -> LossSums:
        """See `Objective.__call__`; the model is a `LanguageModel`, and there are no features."""
        return text_loss(forward(history_of(tokens, self.sos)), tokens, token_lens, self.eos, self.label_smoothing)
