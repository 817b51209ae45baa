"""What the rest of the model asks of a listener, whatever its kind."""

from typing import Protocol

from torch import Tensor


class Listener(Protocol):
    """Turns features into fewer, richer states; a module.

    One that has self-attention also has `attention_maps(features, frame_lens)`, which takes what a call takes and gives
    where the states of each layer look: (B, n_layers, H, S, S), zero on padded keys.
    """

    d_output: int
    """Width D of the states."""

    time_reduction: int
    """Frames per state."""

    def __call__(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Listens.

        Args:
            features: (B, T, M); values beyond a length are ignored, NaN included.
            frame_lens: (B,) int64.

        Returns:
            states (B, S, D), zero beyond each length, and state_lens (B,) = ceil(frame_lens / time_reduction). Those
            of an utterance do not depend on the batch it is in.
        """
