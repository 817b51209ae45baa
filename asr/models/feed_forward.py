"""Two linear layers with a nonlinearity between, for each state alone."""

from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.dropout import Dropout
from asr.models.linear import Linear


class FeedForward(nn.Module):
    """Normalisation, a wide layer with Swish, a layer back (Gulati et al. 2020, "Conformer", §2.3).

    Args:
        d_model: Width D.
        d_feed_forward: Width of the wide layer.
        dropout: Share of activations dropped, in the wide layer and from what comes out.
    """

    def __init__(self, d_model: int, d_feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.normalize = nn.LayerNorm(d_model)
        self.widen = Linear(d_model, d_feed_forward)
        self.narrow = Linear(d_feed_forward, d_model)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(..., D) -> (..., D), to be added."""
        wide = self.dropout(F.silu(self.widen(self.normalize(states))))
        return self.dropout(self.narrow(wide))
