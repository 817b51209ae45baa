"""The model that writes: front end, listener, CTC head and speller, joined and nothing more."""

from typing import NamedTuple

import torch
from torch import Tensor

from asr.audio.logmel import LogMel
from asr.models.linear import Linear
from asr.models.listeners.interface import Listener
from asr.models.listening_model import ListeningModel
from asr.models.spellers.interface import Speller


class Outputs(NamedTuple):
    """What training needs of one batch.

    Attributes:
        ctc_log_probs: (B, S, V) of the listener's CTC head; None for a model without one.
        state_lens: (B,) int64.
        logits: (B, U + 1, V) of the speller, for the U tokens and the end.
        weights: (B, U + 1, H, S) of its attention, as in `Spelling`.
        hypothesis_logits: (B, N, U' + 1, V) of the speller for N other transcripts, where they were asked about.
    """

    ctc_log_probs: Tensor | None
    state_lens: Tensor
    logits: Tensor
    weights: Tensor | None
    hypothesis_logits: Tensor | None = None


class AsrModel(ListeningModel):
    """Listen, attend and spell with a CTC head on the listener (Chan et al. 2016; Kim et al. 2017).

    Args:
        front_end: Samples to features.
        listener: Features to states; a module.
        speller: States to tokens; a module.
        n_tokens: Size V of the vocabulary; 0 is blank.
        has_ctc: Whether there is a CTC head; without one, the speller alone decides.
    """

    def __init__(
        self, front_end: LogMel, listener: Listener, speller: Speller, n_tokens: int, has_ctc: bool = True
    ) -> None:
        super().__init__(front_end, listener)
        self.ctc_head = Linear(listener.d_output, n_tokens) if has_ctc else None
        self.speller = speller

    def ctc_log_probs(self, states: Tensor) -> Tensor:
        """States (B, S, D) -> log-probabilities (B, S, V) of each token or blank at each state; needs a CTC head."""
        assert self.ctc_head is not None
        logits = self.ctc_head(states)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)

    def forward(
        self,
        features: Tensor,
        frame_lens: Tensor,
        history: Tensor,
        sampling: float = 0.0,
        look: bool = False,
        hypotheses: Tensor | None = None,
    ) -> Outputs:
        """A training pass.

        Args:
            features: (B, T, M).
            frame_lens: (B,) int64.
            history: (B, U + 1) int64: `sos`, then the transcript, padded.
            sampling: See `Speller.__call__`.
            look: See `Speller.__call__`.
            hypotheses: (B, N, U' + 1) int64: other histories to be spelled, without sampling.
        """
        states, state_lens = self.encode(features, frame_lens)
        memory = self.speller.memory(states, state_lens)
        spelling = self.speller(history, memory, sampling, look)
        ctc_log_probs = None if self.ctc_head is None else self.ctc_log_probs(states)
        others = None if hypotheses is None else self.speller.spell(hypotheses, memory)
        return Outputs(ctc_log_probs, state_lens, spelling.logits, spelling.weights, others)
