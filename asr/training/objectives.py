"""What a task trains on: from a batch to the sums of its losses. The learner does not tell one task from another."""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from asr.models.objective import LossSums, history_of, joint_loss
from asr.training.schedule import sampling_probability


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


class SpellingObjective:
    """Writing a text token by token: joint CTC/attention, or attention alone at `ctc_weight` 0.

    Args:
        ctc_weight: Share of CTC; the speller has the rest.
        label_smoothing: Share of the speller's targets that is spread evenly over the vocabulary.
        scheduled_sampling: Probability, towards the end of a run, of feeding the speller its own token.
        sos: Id of the start of sentence.
        eos: Id of the end of sentence.
    """

    def __init__(
        self, ctc_weight: float, label_smoothing: float, scheduled_sampling: float, sos: int, eos: int
    ) -> None:
        self.ctc_weight = ctc_weight
        self.label_smoothing = label_smoothing
        self.scheduled_sampling = scheduled_sampling
        self.sos = sos
        self.eos = eos
        self.parts: tuple[str, ...] = ("attention", "ctc") if ctc_weight else ("attention",)

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
        sampling = sampling_probability(run_share, self.scheduled_sampling)
        outputs = forward(features, frame_lens, history_of(tokens, self.sos), sampling)
        return joint_loss(outputs, tokens, token_lens, self.eos, self.ctc_weight, self.label_smoothing)
