"""Attention over the spectrogram as an image, against the papers' equations in float64, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from asr.models.attention.image import SqueezeExcitation, TwoDimensionalAttention

KINDS: dict[str, Callable[[], nn.Module]] = {
    "squeeze_excitation": lambda: SqueezeExcitation(n_channels=4, reduction=2),
    "squeezed to one": lambda: SqueezeExcitation(n_channels=4, reduction=100),
    "two_dimensional": lambda: TwoDimensionalAttention(n_channels=4, n_heads=2),
}
LENS = [7, 3, 1]


def draw(kind: str) -> tuple[Any, Tensor]:
    """A module with weights of some size, and images (3, 7, 5, 4), zero in the padding."""
    torch.manual_seed(0)
    module = KINDS[kind]().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.5)
    image = torch.randn(3, 7, 5, 4, dtype=torch.float64)
    for row, n in enumerate(LENS):
        image[row, n:] = 0.0
    return module, image


def literal_squeeze(module: SqueezeExcitation, image: Tensor) -> Tensor:
    """Hu et al. 2018, equations 2 to 4, on one image (S, F, C)."""
    n_states, n_bins, n_channels = image.shape
    z = [sum(image[s, f, c] for s in range(n_states) for f in range(n_bins)) for c in range(n_channels)]
    z = torch.stack(z) / (n_states * n_bins)
    inner = module.squeeze.weight @ z + module.squeeze.bias
    s = 1 / (1 + torch.exp(-(module.excite.weight @ inner.clamp(min=0) + module.excite.bias)))
    return torch.stack([image[..., c] * s[c] for c in range(n_channels)], -1)


def literal_attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(Q Kᵀ / √d) V on matrices, row by row."""
    rows = []
    for query in queries:
        shares = [math.exp(float(query @ key) / math.sqrt(len(key))) for key in keys]
        rows.append(sum(share / sum(shares) * value for share, value in zip(shares, values, strict=True)))
    return torch.stack(rows)


def literal_convolution(image: Tensor, convolution: nn.Conv2d) -> Tensor:
    """(S, F, C) -> (S, F, C'), zeros around."""
    assert convolution.bias is not None
    padded = F.pad(image, (0, 0, 1, 1, 1, 1))
    rows = [
        [
            torch.einsum("ochw,hwc->o", convolution.weight, padded[s : s + 3, f : f + 3]) + convolution.bias
            for f in range(image.shape[1])
        ]
        for s in range(image.shape[0])
    ]
    return torch.stack([torch.stack(row) for row in rows])


def literal_two_dimensional(module: TwoDimensionalAttention, image: Tensor) -> Tensor:
    """Dong et al. 2018: in every channel along time, then in every channel along frequency, joined and added."""
    channels = literal_convolution(image, module.to_query_key_value).unbind(-1)
    c = len(channels) // 3
    triples = list(zip(channels[:c], channels[c : 2 * c], channels[2 * c :], strict=True))
    along_time = [literal_attention(q, k, v) for q, k, v in triples]
    along_frequency = [literal_attention(q.T, k.T, v.T).T for q, k, v in triples]
    return image + literal_convolution(torch.stack([*along_time, *along_frequency], -1), module.to_output)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_matches_the_papers_for_each_utterance_alone(kind: str) -> None:
    module, image = draw(kind)
    literal = literal_two_dimensional if kind == "two_dimensional" else literal_squeeze
    found = module(image, torch.tensor(LENS))
    for row, n in enumerate(LENS):
        torch.testing.assert_close(found[row, :n], literal(module, image[row, :n]), atol=1e-10, rtol=0)
        assert found[row, n:].eq(0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    module, image = draw(kind)
    lens = torch.tensor(LENS)
    names = list(dict(module.named_parameters()))

    def run(image: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (image, lens))

    parameters = [parameter.detach().requires_grad_() for parameter in module.parameters()]
    # The contract says zero in the padding: a step away from it is not a gradient.
    real = torch.arange(7) < lens[:, None]
    assert torch.autograd.gradcheck(
        lambda image, *parameters: run(torch.where(real[..., None, None], image, 0.0), *parameters),
        [image.requires_grad_(), *parameters],
        fast_mode=True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_under_bf16_it_is_itself_to_three_digits(kind: str) -> None:
    module, image = draw(kind)
    module, image, lens = module.float(), image.float(), torch.tensor(LENS)
    exact = module(image, lens)
    with torch.autocast("cpu", torch.bfloat16):
        rough = module(image, lens)
    assert (rough.float() - exact).norm() < 1e-2 * exact.norm()
    rough.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())
