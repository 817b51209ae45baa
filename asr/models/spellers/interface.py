"""What training and search ask of a speller, whatever its kind."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Spelling(NamedTuple):
    """A teacher-forced pass.

    Attributes:
        logits: (B, U, V) of the token that follows each position.
        weights: (B, U, H, S) attention of each head named by `Speller.head_names`; None where a speller that has its
            weights only at a cost was not asked to look.
    """

    logits: Tensor
    weights: Tensor | None


class SpellerState(Protocol):
    """Where each hypothesis stands; its tensors lead with (B, W)."""

    def select(self, index: Tensor) -> "SpellerState":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""


class Speller(Protocol):
    """Writes token by token. Memories are what `memory` gave, states what `start` or `step` gave."""

    spells_at_once: bool
    """Whether `spell` works on all positions together, rather than on one after the other."""

    @property
    def head_names(self) -> list[str]:
        """What each of the H rows of attention weights is called, in their order."""

    def memory(self, states: Tensor, state_lens: Tensor) -> Any:
        """Prepares an utterance's states (B, S, D), finite in the padding, for any number of steps and hypotheses."""

    def start(self, memory: Any, width: int) -> Any:
        """The state of `width` hypotheses per utterance before the first token."""

    def step(self, tokens: Tensor, state: Any, memory: Any, look: bool = False) -> tuple[Tensor, Tensor | None, Any]:
        """Scores the next token of every hypothesis.

        Args:
            tokens: (B, W) int64 last tokens; `sos` at first.
            state: From `start` or the last step.
            memory: From `memory`.
            look: Whether the weights are wanted even at a cost.

        Returns:
            log_probs (B, W, V), weights (B, W, H, S) or None as in `Spelling`, and the next state.
        """

    def __call__(self, tokens: Tensor, memory: Any, sampling: float = 0.0, look: bool = False) -> Spelling:
        """Spells with the true tokens as history (teacher forcing).

        Args:
            tokens: (B, U) int64 history: `sos`, then the transcript.
            memory: From `memory`.
            sampling: Probability of feeding the model's own best token instead of the true one
                (scheduled sampling, Bengio et al. 2015).
            look: Whether the weights are wanted even at a cost.
        """

    def spell(self, tokens: Tensor, memory: Any) -> Tensor:
        """Scores what follows every position of several histories per utterance, which share its memory.

        Args:
            tokens: (B, W, U) int64 histories: `sos`, then a transcript.
            memory: From `memory`.

        Returns:
            (B, W, U, V) logits of the token that follows each position.
        """
