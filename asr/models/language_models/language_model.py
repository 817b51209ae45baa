"""What training and search ask of a language model, whatever its kind."""

from typing import Any

from torch import Tensor, nn


class LanguageModel(nn.Module):
    """Tells how likely each token is after the tokens before it. States are what `start` or `step` gave.

    To a trainer it is a model of utterances that make no sound.
    """

    def features(self, samples: Tensor, sample_lens: Tensor) -> tuple[Tensor, Tensor]:
        """There is nothing to hear: samples (B, 0) -> (B, 0, 0)."""
        return samples[..., None], sample_lens

    def start(self, n_utterances: int, width: int) -> Any:
        """The state of `width` hypotheses per utterance before the first token, a `SpellerState`."""
        raise NotImplementedError

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Scores the next token of every hypothesis: last tokens (B, W), `sos` at first -> log_probs (B, W, V)."""
        raise NotImplementedError

    def forward(self, tokens: Tensor) -> Tensor:
        """A training pass: history (B, U) int64, `sos` first -> logits (B, U, V) of the token that follows each."""
        raise NotImplementedError
