"""What neural language models think of hypotheses: shallow fusion, and the speller's own language model taken off."""

from typing import Any, Protocol

import torch
from torch import Tensor

from asr.models.spellers.interface import Speller
from asr.text.tokenizer import Tokenizer

LEAST_INTERNAL = -10.0  # what the speller by itself finds less likely counts as this: a gain must have a bound


class Stepping(Protocol):
    """A language model, token by token; see `asr.models.language_models.language_model.LanguageModel`."""

    def start(self, n_utterances: int, width: int) -> Any:
        """The state of `width` hypotheses per utterance before the first token."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Last tokens (B, W) -> log_probs (B, W, V) of the next ones, and the next state."""


class LanguageModelScorer:
    """Log-probabilities of a language model (shallow fusion, Gulcehre et al. 2015).

    Args:
        model: Over the recogniser's tokens, on its device, in evaluation mode.
        state_lens: (B,) int64, of the utterances, of which the model knows nothing.
        least: Lower log-probabilities count as this one.
    """

    def __init__(self, model: Stepping, state_lens: Tensor, least: float = -torch.inf) -> None:
        self._model = model
        self._sos = torch.full_like(state_lens, Tokenizer.sos)
        self._least = least

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        self._state = self._model.start(len(self._sos), width)
        self._last = self._sos[:, None].expand(-1, width)

    def score(self, candidates: Tensor) -> Tensor:
        """See `Scorer.score`; to be called once between `start` or `select` and the next `select`."""
        log_probs, self._state = self._model.step(self._last, self._state)
        return log_probs.gather(-1, candidates).double().clamp(min=self._least)

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        self._state = self._state.select(parents)
        self._last = tokens


class InternalLanguageModel:
    """What a speller would write if it heard nothing: the language model that it has learnt from transcripts.

    With listener states H = 0, so that whatever it looks at brings back nothing of the audio (Variani et al. 2020;
    Meng et al. 2021, "Internal language model estimation for domain-adaptive end-to-end speech recognition"),

        log p_ILM(y_u | y_<u) = log p(y_u | y_<u, H = 0)

    and a search with an external language model takes it off again:

        log p(y | X) + lm_weight · log p_LM(y) - internal_lm_weight · log p_ILM(y)

    One state of zeros does: the context of any number of them is the same.

    Args:
        speller: Of the recogniser.
        states: (B, S, D) listener states; their shape, type and device alone matter.
    """

    def __init__(self, speller: Speller, states: Tensor) -> None:
        self._speller = speller
        lens = torch.ones(len(states), dtype=torch.int64, device=states.device)
        self._memory = speller.memory(states.new_zeros(len(states), 1, states.shape[2]), lens)

    def start(self, n_utterances: int, width: int) -> Any:
        """See `Stepping.start`."""
        return self._speller.start(self._memory, width)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """See `Stepping.step`."""
        log_probs, _, state = self._speller.step(tokens, state, self._memory)
        return log_probs, state
