"""What a listener's blocks ask of self-attention, whatever its kind."""

from typing import Protocol

from torch import Tensor


class SelfAttention(Protocol):
    """Lets the states of an utterance look at each other: a module made from d_model and what its recipe section says.

    An utterance's results depend neither on the batch it is in nor on what stands in the padding, as long as that is
    finite.
    """

    def __call__(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Attends.

        Args:
            inputs: (B, S, D), finite in the padding.
            lens: (B,) int64.

        Returns:
            (B, S, D); values beyond a length are meaningless but finite.
        """

    def weights(self, inputs: Tensor, lens: Tensor) -> Tensor:
        """Where each state looks, to be drawn: (B, H, S, S), zero on padded keys; may cost what the call avoids."""
