"""The linear layer and the step of an LSTM, against torch's own."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor, nn

from asr.models.linear import FEWEST_ROWS, Linear, linear
from asr.models.recurrent import LstmCell

MODES = [nullcontext, torch.no_grad, torch.inference_mode]


@pytest.fixture(params=MODES, ids=["with gradient", "no_grad", "inference"])
def mode(request: pytest.FixtureRequest) -> Iterator[None]:
    """Computes as training does, and as search does."""
    chosen: AbstractContextManager[object] = request.param()
    with chosen:
        yield


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("shape", [(1, 7), (FEWEST_ROWS - 1, 7), (FEWEST_ROWS, 7), (2, 5, 7), (3, 10, 4, 33), (0, 7)])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_multiplies_as_torch_does(shape: tuple[int, ...], has_bias: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = Linear(shape[-1], 19, bias=has_bias, dtype=dtype)
    inputs = torch.randn(shape, dtype=dtype)
    exact = inputs.double() @ layer.weight.double().t() + (0.0 if layer.bias is None else layer.bias.double())
    found = layer(inputs)
    assert found.dtype == dtype and found.shape == exact.shape
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-14 if dtype == torch.float64 else 1e-5)


@pytest.mark.usefixtures("mode")
def test_takes_views() -> None:
    torch.manual_seed(0)
    inputs, weight, bias = torch.randn(16, 40), torch.randn(16, 5), torch.randn(2, 5)
    rows, weights = inputs.t()[::2], weight.t()
    torch.testing.assert_close(linear(rows, weights, bias[1]), nn.functional.linear(rows, weights, bias[1]))


def test_is_another_kernel_in_search() -> None:
    """Else the tests above would compare torch with itself."""
    inputs, weight = torch.randn(FEWEST_ROWS, 8), torch.randn(4, 8)
    with torch.inference_mode(), torch.autograd.profiler.profile() as seen:
        linear(inputs, weight)
    assert "mkldnn::_linear_pointwise" in {event.name for event in seen.function_events}


@pytest.mark.usefixtures("mode")
def test_keeps_to_autocast() -> None:
    layer, inputs = Linear(8, 4), torch.randn(FEWEST_ROWS, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(inputs).dtype == torch.bfloat16


@pytest.mark.usefixtures("mode")
@pytest.mark.parametrize("n_rows", [1, 3, 20])
@pytest.mark.parametrize("from_zero", [True, False])
def test_steps_as_torch_does(n_rows: int, from_zero: bool) -> None:
    torch.manual_seed(0)
    cell = LstmCell(6, 11)
    torchs = nn.LSTMCell(6, 11)
    torchs.load_state_dict(cell.state_dict())
    before: tuple[Tensor, Tensor] | None = None if from_zero else (torch.randn(n_rows, 11), torch.randn(n_rows, 11))
    inputs = torch.randn(n_rows, 6)
    for found, exact in zip(cell(inputs, before), torchs(inputs, before), strict=True):
        torch.testing.assert_close(found, exact)
