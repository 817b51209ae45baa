"""What the models of all tasks begin with: samples become features, features become states."""

from torch import Tensor, nn

from asr.audio.logmel import LogMel
from asr.models.listeners.interface import Listener


class ListeningModel(nn.Module):
    """Front end and listener.

    Args:
        front_end: Samples to features.
        listener: Features to states; a module.
    """

    def __init__(self, front_end: LogMel, listener: Listener) -> None:
        super().__init__()
        self.front_end = front_end
        self.listener = listener

    def features(self, samples: Tensor, sample_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Samples (B, N) and lengths (B,) -> features (B, T, M) and frame_lens (B,)."""
        features, frame_lens = self.front_end(samples, sample_lens)
        return features, frame_lens

    def encode(self, features: Tensor, frame_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, M) and lengths (B,) -> states (B, S, D), zero beyond each length, and state_lens (B,)."""
        states, state_lens = self.listener(features, frame_lens)
        return states, state_lens
