"""The model that names an utterance: front end, listener, attention pooling and a linear layer."""

from typing import NamedTuple

from torch import Tensor, nn

from asr.audio.logmel import LogMel
from asr.models.attentive_pooling import AttentivePooling
from asr.models.linear import Linear
from asr.models.listeners.interface import Listener
from asr.models.listening_model import ListeningModel


class Judgement(NamedTuple):
    """What is made of a batch of utterances.

    Attributes:
        logits: (B, V) of each label.
        weights: (B, H, S) where each head looked, as in `AttentivePooling`.
    """

    logits: Tensor
    weights: Tensor


class ClassifyModel(ListeningModel):
    """Listens, pools all states into one vector, and names it.

    Args:
        front_end: Samples to features.
        listener: Features to states.
        pooling: States to a vector.
        n_labels: Size V of the set of labels.
        dropout: Share of the vector dropped.
    """

    def __init__(
        self, front_end: LogMel, listener: Listener, pooling: AttentivePooling, n_labels: int, dropout: float
    ) -> None:
        super().__init__(front_end, listener)
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.to_logits = Linear(pooling.d_output, n_labels)

    def judge(self, states: Tensor, state_lens: Tensor) -> Judgement:
        """States (B, S, D) and lengths (B,) -> logits of the labels, and where was looked."""
        pooled, weights = self.pooling(states, state_lens)
        return Judgement(self.to_logits(self.dropout(pooled)), weights)

    def forward(self, features: Tensor, frame_lens: Tensor) -> Judgement:
        """A training pass: features (B, T, M) and lengths (B,)."""
        return self.judge(*self.encode(features, frame_lens))
