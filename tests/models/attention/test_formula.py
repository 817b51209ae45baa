"""The formula against its literal transcription, torch's own, and what must hold for any attention."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from asr.models.attention.formula import attend, attention_weights
from asr.models.masks import causal_mask, key_mask

B, H, U, S, K = 2, 3, 4, 6, 5


def draw(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys, values, a mask in which each query sees something, and a bias."""
    torch.manual_seed(seed)
    q, k, v = (torch.randn(B, H, n, K, dtype=torch.float64) for n in (U, S, S))
    mask = torch.rand(B, 1, U, S) < 0.5
    mask[..., 0] = True
    return q, k, v, mask, torch.randn(B, H, U, S, dtype=torch.float64)


def literal_row(query: Tensor, keys: Tensor, seen: list[int], biases: Tensor) -> list[float]:
    """Equation 1 for one query, one number at a time: the weights of all keys."""
    energies = {s: sum(float(a * b) for a, b in zip(query, keys[s], strict=True)) for s in seen}
    exponentials = {s: math.exp(e / math.sqrt(len(query)) + float(biases[s])) for s, e in energies.items()}
    total = sum(exponentials.values())
    return [exponentials[s] / total if s in seen else 0.0 for s in range(len(keys))]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_matches_the_paper(masked: bool, biased: bool) -> None:
    q, k, v, mask, bias = draw()
    given = {"mask": mask if masked else None, "bias": bias if biased else None}
    mask, bias = mask if masked else mask | True, bias if biased else bias * 0.0
    found, weights = attend(q, k, v, **given), attention_weights(q, k, **given)
    for b in range(B):
        for h in range(H):
            for u in range(U):
                seen = mask[b, 0, u].nonzero().flatten().tolist()
                expected = torch.tensor(literal_row(q[b, h, u], k[b, h], seen, bias[b, h, u]), dtype=torch.float64)
                torch.testing.assert_close(weights[b, h, u], expected, atol=1e-10, rtol=0)
                torch.testing.assert_close(found[b, h, u], expected @ v[b, h], atol=1e-10, rtol=0)


def test_matches_torch() -> None:
    q, k, v, mask, _ = draw()
    expected = F.scaled_dot_product_attention(q, k, v, mask)
    torch.testing.assert_close(attend(q, k, v, mask), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(attention_weights(q, k, mask) @ v, expected, atol=1e-12, rtol=0)


def assert_softmax_over_keys(weights: Tensor) -> None:
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]), atol=1e-9, rtol=0)


def test_the_softmax_is_over_keys() -> None:
    """The common bug normalises over queries; this test sees it, as its last lines show."""
    q, k, v, mask, _ = draw()
    assert_softmax_over_keys(attention_weights(q, k))
    assert_softmax_over_keys(attention_weights(q, k, mask))
    ones = torch.ones_like(v)  # values of one come back as the sum of the weights
    torch.testing.assert_close(attend(q, k, ones, mask), torch.ones_like(q), atol=1e-9, rtol=0)
    buggy = (q @ k.transpose(-1, -2) / math.sqrt(K)).softmax(-2)
    with pytest.raises(AssertionError):
        assert_softmax_over_keys(buggy)


@pytest.mark.parametrize("biased", [False, True])
def test_gradients(biased: bool) -> None:
    q, k, v, mask, bias = draw()
    mask[0, 0, 1] = False  # nothing to see
    q, bias, mask = q[:, :, :2], bias[:, :, :2], mask[:, :, :2]
    inputs = [x[:, :2].detach().requires_grad_() for x in (q, k, v, bias)]

    def run(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        given = bias if biased else None
        return attend(q, k, v, mask, given), attention_weights(q, k, mask, given)

    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("biased", [False, True])
def test_nan_in_what_nobody_sees_changes_nothing(biased: bool) -> None:
    q, k, v, _, bias = draw()
    bias = bias if biased else None
    lens = torch.tensor([S, 4])
    mask = key_mask(lens, S)
    clean = [x.clone().requires_grad_() for x in (q, k, v)]
    dirty = [x.clone().requires_grad_() for x in (q, k, v)]
    with torch.no_grad():
        for x in dirty[1:]:
            x[1, :, 4:] = float("nan")
    results = []
    for q, k, v in (clean, dirty):
        out, weights = attend(q, k, v, mask, bias), attention_weights(q, k, mask, bias)
        (out.square().sum() + weights.square().sum()).backward()
        results.append((out, weights, q.grad, k.grad, v.grad))
    for expected, found in zip(*results, strict=True):
        assert torch.equal(expected, found)
    assert results[1][3][1, :, 4:].eq(0).all()
    alone = attend(q[1:], k[1:, :, :4], v[1:, :, :4], bias=None if bias is None else bias[1:, ..., :4])
    torch.testing.assert_close(results[1][0][1:], alone, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("biased", [False, True])
def test_nothing_to_see_gives_zeros(dtype: torch.dtype, biased: bool) -> None:
    q, k, v, mask, bias = (x if x.dtype == torch.bool else x.to(dtype) for x in draw())
    mask[1, 0, 2] = False
    inputs = [x.requires_grad_() for x in (q, k, v)]
    given = bias if biased else None
    out, weights = attend(q, k, v, mask, given), attention_weights(q, k, mask, given)
    assert out[1, :, 2].eq(0).all() and weights[1, :, 2].eq(0).all()
    (out.sum() + weights.sum()).backward()
    assert all(x.grad is not None and x.grad.isfinite().all() for x in inputs)


def test_energies_are_float32_under_bf16() -> None:
    q, k, v, mask, bias = (x if x.dtype == torch.bool else x.float() for x in draw())
    with torch.autocast("cpu", torch.bfloat16):
        weights, out = attention_weights(q, k, mask, bias), attend(q, k, v, mask, bias.requires_grad_())
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, attention_weights(q, k, mask, bias), atol=1e-6, rtol=0)
    torch.testing.assert_close(out.float(), weights @ v, atol=3e-2, rtol=0)


def test_a_causal_mask_with_an_offset_is_the_end_of_one_without() -> None:
    whole = causal_mask(7, 0, torch.device("cpu"))
    assert whole.tolist() == [[s <= u for s in range(7)] for u in range(7)]
    assert causal_mask(3, 4, torch.device("cpu")).equal(whole[4:])
