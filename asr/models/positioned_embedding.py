"""What a Transformer reads of a token: which it is and how many came before."""

import math

import torch
from torch import Tensor, nn

from asr.models.attention.relative import encode_distances


class PositionedEmbedding(nn.Embedding):
    """Embeddings times √D plus sinusoids of their positions (Vaswani et al. 2017, §3.4 and §3.5).

    Args:
        n_tokens: Size V of the vocabulary.
        d_model: Width D, even.
    """

    def __init__(self, n_tokens: int, d_model: int) -> None:
        super().__init__(n_tokens, d_model)
        self.scale = math.sqrt(d_model)
        # Scaled up, embeddings are to be as large as the positions that are added to them.
        nn.init.normal_(self.weight, std=1 / self.scale)

    def after(self, n_before: int, tokens: Tensor) -> Tensor:
        """Embeds tokens (..., U) that follow `n_before` others: (..., U, D)."""
        values: Tensor = self(tokens) * self.scale
        positions = torch.arange(n_before, n_before + tokens.shape[-1], device=values.device, dtype=values.dtype)
        return values + encode_distances(positions, self.embedding_dim)
