"""Multi-head attention against torch's, and a cache against attending at once."""

import pytest
import torch

from asr.models.attention.cache import KeyValueCache
from asr.models.attention.multi_head import KeysValues, MultiHeadAttention
from asr.models.masks import causal_mask, key_mask


@torch.no_grad()
def copy_to_torch(attention: MultiHeadAttention) -> torch.nn.MultiheadAttention:
    """torch's module with the same weights."""
    d_model, d_memory = attention.to_query.in_features, attention.to_key_value.in_features
    theirs = torch.nn.MultiheadAttention(
        d_model, attention.n_heads, kdim=d_memory, vdim=d_memory, batch_first=True, dtype=torch.float64
    )
    keys, values = attention.to_key_value.weight.chunk(2)
    for name, weight in (("q", attention.to_query.weight), ("k", keys), ("v", values)):
        getattr(theirs, f"{name}_proj_weight").copy_(weight)
    theirs.in_proj_bias.copy_(torch.cat([attention.to_query.bias, attention.to_key_value.bias]))
    theirs.out_proj.load_state_dict(attention.to_output.state_dict())
    return theirs


def test_equals_torchs_module() -> None:
    torch.manual_seed(0)
    ours = MultiHeadAttention(d_model=12, n_heads=3, d_memory=7).double()
    queries, memory = torch.randn(2, 4, 12).double(), torch.randn(2, 6, 7).double()
    lens = torch.tensor([6, 3])
    mask = key_mask(lens, 6)
    theirs = copy_to_torch(ours)
    expected, weights = theirs(
        queries, memory, memory, key_padding_mask=~mask[:, 0, 0], average_attn_weights=False, need_weights=True
    )
    keys_values = ours.keys_values(memory)
    torch.testing.assert_close(ours(queries, keys_values, mask), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.weights(queries, keys_values, mask), weights, atol=1e-12, rtol=0)
    bias = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(ours(queries, keys_values, bias=bias), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(ours.weights(queries, keys_values, bias=bias), weights, atol=1e-12, rtol=0)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="multiple of n_heads = 5"):
        MultiHeadAttention(d_model=12, n_heads=5, d_memory=12)


def test_token_by_token_with_a_cache_is_attending_at_once() -> None:
    """Hypotheses W fold into the batch; each looks at its own past."""
    torch.manual_seed(0)
    attention = MultiHeadAttention(d_model=8, n_heads=2, d_memory=8).double()
    tokens = torch.randn(2, 3, 5, 8).double()  # (B, W, U, D)
    flat = tokens.flatten(0, 1)
    expected = attention(flat, attention.keys_values(flat), causal_mask(5, 0, flat.device)).unflatten(0, (2, 3))
    cache = KeyValueCache.empty(tokens, width=3, n_heads=2, d_head=4)
    for start, end in ((0, 1), (1, 3), (3, 5)):
        some = tokens[:, :, start:end].flatten(0, 1)
        mask = causal_mask(end - start, cache.n_tokens, some.device)
        cache = cache.append(*(x.unflatten(0, (2, 3)) for x in attention.keys_values(some)))
        past = KeysValues(cache.keys.flatten(0, 1), cache.values.flatten(0, 1))
        found = attention(some, past, mask)
        torch.testing.assert_close(found.unflatten(0, (2, 3)), expected[:, :, start:end], atol=1e-12, rtol=0)


@pytest.mark.parametrize("with_gradient", [True, False])
def test_a_cache_is_a_state(with_gradient: bool) -> None:
    """Two that go on from one do not write over each other, though they share its memory."""
    with torch.set_grad_enabled(with_gradient):
        check_a_cache()


def check_a_cache() -> None:
    torch.manual_seed(0)
    keys, values = torch.randn(2, 3, 2, 5, 4), torch.randn(2, 3, 2, 5, 4)
    empty = KeyValueCache.empty(keys, width=3, n_heads=2, d_head=4)
    cache = empty.append(keys, values)
    assert (empty.n_tokens, cache.n_tokens) == (0, 5)
    longer, other = cache.append(keys, values), cache.append(values, keys)
    assert longer.keys.equal(torch.cat([keys, keys], 3))
    assert other.keys.equal(torch.cat([keys, values], 3))
    picked = cache.select(torch.tensor([[2, 0], [1, 1]]))
    for b, w, source in ((0, 0, 2), (0, 1, 0), (1, 0, 1), (1, 1, 1)):
        assert picked.keys[b, w].equal(keys[b, source])
        assert picked.values[b, w].equal(values[b, source])
