"""What an n-gram model thinks of hypotheses."""

from torch import Tensor

from asr.models.ngram import NgramModel


class NgramScorer:
    """Log-probabilities of an n-gram model, which knows nothing of the utterances.

    Args:
        model: Over the recogniser's tokens, on its device.
        state_lens: (B,) int64, of the utterances.
    """

    def __init__(self, model: NgramModel, state_lens: Tensor) -> None:
        self._model = model
        self._start = state_lens.new_full((len(state_lens), 1), model.start)

    def start(self, width: int) -> None:
        """See `Scorer.start`."""
        self._states = self._start.expand(-1, width)  # (B, W)

    def score(self, candidates: Tensor) -> Tensor:
        """See `Scorer.score`."""
        return self._model.log_probs(self._states[..., None], candidates)

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        """See `Scorer.select`."""
        self._states = self._model.after(self._states.gather(1, parents), tokens)
