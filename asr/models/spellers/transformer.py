"""The Transformer as a speller: self-attention over what is written, cross-attention to what is heard."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asr.models.attention.cache import KeyValueCache
from asr.models.attention.multi_head import KeysValues, MultiHeadAttention
from asr.models.linear import Linear
from asr.models.masks import causal_mask, key_mask
from asr.models.positioned_embedding import PositionedEmbedding
from asr.models.spellers.interface import Spelling
from asr.models.spellers.sampling import mix_in_own


@dataclass(frozen=True)
class TransformerMemory:
    """What can be looked at, per utterance, however many hypotheses look.

    Attributes:
        layers: Keys and values (B, H, S, K) for the cross-attention of each layer.
        bias: (B, 1, 1, S) float32 for the energies: 0 where a state is real, -inf elsewhere.
    """

    layers: list[KeysValues]
    bias: Tensor


@dataclass(frozen=True)
class TransformerState:
    """Where each hypothesis stands.

    Attributes:
        caches: Keys and values of its tokens so far, for the self-attention of each layer.
    """

    caches: list[KeyValueCache]

    def select(self, index: Tensor) -> "TransformerState":
        """Keeps, repeats or re-orders hypotheses: index (B, W') int64 into W."""
        return TransformerState([cache.select(index) for cache in self.caches])


class TransformerLayer(nn.Module):
    """Self-attention, cross-attention and a feed-forward network, each normalised before it and added after it.

    Vaswani et al. 2017, §3.1, with the layer normalisation inside the residual branch (Xiong et al. 2020, figure 1b).

    Args:
        d_model: Width D.
        n_heads: Heads H of either attention.
        d_states: Width of the listener states; None for a layer without cross-attention, which hears nothing.
        d_feed_forward: Width of the feed-forward network's hidden layer.
        dropout: Share of activations dropped, in that layer and from what is added.
    """

    def __init__(self, d_model: int, n_heads: int, d_states: int | None, d_feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.before_self = nn.LayerNorm(d_model)
        self.to_written = MultiHeadAttention(d_model, n_heads, d_model)
        if d_states is not None:
            self.before_cross = nn.LayerNorm(d_model)
            self.to_heard = MultiHeadAttention(d_model, n_heads, d_states)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(d_model),
            Linear(d_model, d_feed_forward),
            nn.ReLU(),
            nn.Dropout(dropout),
            Linear(d_feed_forward, d_model),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        values: Tensor,
        cache: KeyValueCache,
        heard: KeysValues | None = None,
        bias: Tensor | None = None,
        look: bool = False,
    ) -> tuple[Tensor, KeyValueCache, Tensor | None]:
        """Works on the next U tokens of W hypotheses.

        Args:
            values: (B, W, U, D).
            cache: Of this layer, for the tokens before those.
            heard: From `to_heard.keys_values`: (B, H, S, K); None for a layer that hears nothing.
            bias: (B, 1, 1, S), with it, see `TransformerMemory`.
            look: Whether the weights are wanted.

        Returns:
            (B, W, U, D); the cache with these tokens; the cross-attention's weights (B, H, W, U, S).
        """
        found, cache = self._look_back(self.before_self(values), cache)
        values = values + self.dropout(found)
        weights = None
        if heard is not None:
            queries = self.before_cross(values).flatten(1, 2)  # those of all hypotheses side by side, keys are shared
            values = values + self.dropout(self.to_heard(queries, heard, bias=bias).view_as(values))
            weights = self.to_heard.weights(queries, heard, bias=bias).unflatten(2, values.shape[1:3]) if look else None
        return values + self.dropout(self.feed_forward(values)), cache, weights

    def _look_back(self, values: Tensor, cache: KeyValueCache) -> tuple[Tensor, KeyValueCache]:
        """Causal self-attention of values (B, W, U, D), each hypothesis by itself."""
        rows, n_tokens = values.flatten(0, 1), values.shape[2]
        # One token may look at all there are: no mask.
        mask = causal_mask(n_tokens, cache.n_tokens, values.device) if n_tokens > 1 else None
        cache = cache.append(*(new.unflatten(0, values.shape[:2]) for new in self.to_written.keys_values(rows)))
        written = KeysValues(cache.keys.flatten(0, 1), cache.values.flatten(0, 1))
        return self.to_written(rows, written, mask).view_as(values), cache


class TransformerSpeller(nn.Module):
    """The decoder of "Attention is all you need" (Vaswani et al. 2017), pre-norm, with a cache.

    A step with one token per hypothesis and a teacher-forced pass with all of them are the same computation, from
    caches that hold what came before. A step costs as much as its tokens, and grows by what they look at.

    Args:
        n_tokens: Size V of the vocabulary.
        d_states: Width of the listener states.
        d_model: Width D of embeddings and layers, even.
        n_layers: Layers.
        n_heads: Heads H of each attention.
        d_feed_forward: Width of the feed-forward networks' hidden layers.
        dropout: Share of activations dropped, on embeddings and in the layers.

    Raises:
        ValueError: Heads do not divide the width.
    """

    spells_at_once = True

    def __init__(
        self,
        n_tokens: int,
        d_states: int,
        d_model: int,
        n_layers: int,
        n_heads: int,
        d_feed_forward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.embedding = PositionedEmbedding(n_tokens, d_model)
        self.layers = nn.ModuleList(
            TransformerLayer(d_model, n_heads, d_states, d_feed_forward, dropout) for _ in range(n_layers)
        )
        self.last_norm = nn.LayerNorm(d_model)
        self.to_logits = Linear(d_model, n_tokens)
        self.dropout = nn.Dropout(dropout)

    @property
    def head_names(self) -> list[str]:
        """See `Speller.head_names`."""
        return [
            f"layer {layer} head {head}"
            for layer in range(1, len(self.layers) + 1)
            for head in range(1, self.n_heads + 1)
        ]

    def memory(self, states: Tensor, state_lens: Tensor) -> TransformerMemory:
        """Projects the keys and values of all layers, once per utterance: states (B, S, D), finite in the padding."""
        mask = key_mask(state_lens, states.shape[1])
        heard = [layer.to_heard.keys_values(states) for layer in self.layers]  # type: ignore[operator, union-attr]
        bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -torch.inf)
        return TransformerMemory([KeysValues(*(each.contiguous() for each in layer)) for layer in heard], bias)

    def start(self, memory: TransformerMemory, width: int) -> TransformerState:
        """The state of `width` hypotheses per utterance before the first token."""
        return TransformerState(
            [KeyValueCache.empty(heard.keys, width, self.n_heads, self.d_head) for heard in memory.layers]
        )

    def step(
        self, tokens: Tensor, state: TransformerState, memory: TransformerMemory, look: bool = False
    ) -> tuple[Tensor, Tensor | None, TransformerState]:
        """See `Speller.step`."""
        logits, weights, state = self._advance(tokens[..., None], state, memory, look)
        return logits[:, :, 0].log_softmax(-1), None if weights is None else weights[:, :, 0], state

    def forward(self, tokens: Tensor, memory: TransformerMemory, sampling: float = 0.0, look: bool = False) -> Spelling:
        """See `Speller.__call__`; own tokens come by a second pass (see `mix_in_own`)."""
        history, start = tokens[:, None], self.start(memory, 1)
        if sampling:
            with torch.no_grad():
                logits, _, _ = self._advance(history, start, memory, look=False)
            history = mix_in_own(tokens, logits[:, 0], sampling)[:, None]
        logits, weights, _ = self._advance(history, start, memory, look)
        return Spelling(logits[:, 0], None if weights is None else weights[:, 0])

    def spell(self, tokens: Tensor, memory: TransformerMemory) -> Tensor:
        """See `Speller.spell`."""
        return self._advance(tokens, self.start(memory, tokens.shape[1]), memory, look=False)[0]

    def _advance(
        self, tokens: Tensor, state: TransformerState, memory: TransformerMemory, look: bool
    ) -> tuple[Tensor, Tensor | None, TransformerState]:
        """Reads the next tokens (B, W, U) -> logits (B, W, U, V), weights (B, W, U, layers · H, S), and the state."""
        values = self.dropout(self.embedding.after(state.caches[0].n_tokens, tokens))
        caches: list[KeyValueCache] = []
        looks: list[Tensor] = []
        for layer, cache, heard in zip(self.layers, state.caches, memory.layers, strict=True):
            values, cache, weights = layer(values, cache, heard, memory.bias, look)
            caches.append(cache)
            looks += [] if weights is None else [weights]
        weights = torch.cat(looks, 1).permute(0, 2, 3, 1, 4) if look else None
        return self.to_logits(self.last_norm(values)), weights, TransformerState(caches)
