"""The Transformer as a language model."""

from torch import Tensor, nn

from asr.models.attention.cache import KeyValueCache
from asr.models.language_models.language_model import LanguageModel
from asr.models.linear import Linear
from asr.models.positioned_embedding import PositionedEmbedding
from asr.models.spellers.transformer import TransformerLayer, TransformerState


class TransformerLanguageModel(LanguageModel):
    """The layers of `TransformerSpeller` without what looks at listener states (Radford et al. 2018; pre-norm).

    A step with one token per hypothesis and a pass over a whole history are the same computation, from caches that
    hold what came before.

    Args:
        n_tokens: Size V of the vocabulary.
        d_model: Width D of embeddings and layers, even.
        n_layers: Layers.
        n_heads: Heads H of each attention.
        d_feed_forward: Width of the feed-forward networks' hidden layers.
        dropout: Share of activations dropped, on embeddings and in the layers.

    Raises:
        ValueError: Heads do not divide the width.
    """

    def __init__(
        self, n_tokens: int, d_model: int, n_layers: int, n_heads: int, d_feed_forward: int, dropout: float
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.embedding = PositionedEmbedding(n_tokens, d_model)
        self.layers = nn.ModuleList(
            TransformerLayer(d_model, n_heads, None, d_feed_forward, dropout) for _ in range(n_layers)
        )
        self.last_norm = nn.LayerNorm(d_model)
        self.to_logits = Linear(d_model, n_tokens)
        self.dropout = nn.Dropout(dropout)

    def start(self, n_utterances: int, width: int) -> TransformerState:
        """See `LanguageModel.start`."""
        like = self.embedding.weight.new_zeros(n_utterances, 0)
        d_head = self.embedding.embedding_dim // self.n_heads
        return TransformerState([KeyValueCache.empty(like, width, self.n_heads, d_head) for _ in self.layers])

    def step(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """See `LanguageModel.step`."""
        logits, state = self._advance(tokens[..., None], state)
        return logits[:, :, 0].log_softmax(-1), state

    def forward(self, tokens: Tensor) -> Tensor:
        """See `LanguageModel.forward`."""
        logits, _ = self._advance(tokens[:, None], self.start(len(tokens), 1))
        return logits[:, 0]

    def _advance(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """Reads the next tokens (B, W, U) -> logits (B, W, U, V) and the state."""
        values = self.dropout(self.embedding.after(state.caches[0].n_tokens, tokens))
        caches: list[KeyValueCache] = []
        for layer, cache in zip(self.layers, state.caches, strict=True):
            values, cache, _ = layer(values, cache)
            caches.append(cache)
        return self.to_logits(self.last_norm(values)), TransformerState(caches)
