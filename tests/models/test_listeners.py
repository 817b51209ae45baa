"""Listeners: exact per utterance, whatever stands in the padding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.audio.logmel import LogMel
from asr.models import recurrent
from asr.models.attention.image import SqueezeExcitation, TwoDimensionalAttention
from asr.models.attention.pyramid import PyramidSelfAttention
from asr.models.attention.relative import RelativeSelfAttention
from asr.models.end_to_end import EndToEnd, ReluWithGaps
from asr.models.listeners.conformer import ConformerListener
from asr.models.listeners.conv_blstm import ConvBlstmListener
from asr.models.listeners.e_branchformer import EBranchformerListener
from asr.models.listeners.pyramid import PyramidListener
from asr.models.listeners.vgg_blstm import VggBlstmListener
from asr.models.masks import reverse_in_time
from asr.models.recurrent import BiLstm

LISTENERS = {
    "pyramid": lambda: PyramidListener(n_mels=20, d_hidden=12, n_layers=2, dropout=0.1),
    "conv_blstm": lambda: ConvBlstmListener(n_mels=20, n_channels=4, d_hidden=12, n_layers=2, dropout=0.1),
    "conv_blstm, squeeze_excitation": lambda: ConvBlstmListener(
        n_mels=20, n_channels=4, d_hidden=12, n_layers=1, dropout=0.1, image_attention=SqueezeExcitation(4, reduction=2)
    ),
    "conv_blstm, two_dimensional": lambda: ConvBlstmListener(
        n_mels=20, n_channels=4, d_hidden=12, n_layers=1, dropout=0.1, image_attention=TwoDimensionalAttention(4, 2)
    ),
    "vgg_blstm": lambda: VggBlstmListener(
        n_mels=20, n_channels=(3, 5), d_hidden=6, d_projection=7, n_layers=2, dropout=0.1
    ),
    "vgg_blstm, directions added": lambda: VggBlstmListener(
        n_mels=20, n_channels=(3, 5), d_hidden=6, d_projection=None, n_layers=2, dropout=0.1
    ),
    "conformer": lambda: ConformerListener(
        n_mels=20,
        n_channels=4,
        d_model=12,
        d_feed_forward=16,
        kernel_width=5,
        n_layers=2,
        dropout=0.1,
        self_attention=lambda d_model: RelativeSelfAttention(d_model, 2),
    ),
    "conformer, pyramid, two_dimensional": lambda: ConformerListener(
        n_mels=20,
        n_channels=4,
        d_model=12,
        d_feed_forward=16,
        kernel_width=5,
        n_layers=1,
        dropout=0.1,
        self_attention=lambda d_model: PyramidSelfAttention(d_model, 2, n_near=1),
        image_attention=TwoDimensionalAttention(4, 2),
    ),
    "e_branchformer": lambda: EBranchformerListener(
        n_mels=20,
        n_channels=4,
        d_model=12,
        d_feed_forward=16,
        d_gated=14,
        kernel_width=5,
        n_layers=2,
        dropout=0.1,
        self_attention=lambda d_model: RelativeSelfAttention(d_model, 2),
    ),
}


@pytest.mark.parametrize("kind", LISTENERS)
@pytest.mark.parametrize("garbage", [float("nan"), 1e4])
def test_padding_never_reaches_a_state(kind: str, garbage: float) -> None:
    torch.manual_seed(0)
    listener = LISTENERS[kind]().eval()
    lens = torch.tensor([37, 50, 1, 22])
    features = torch.randn(4, 53, 20)
    for row, length in enumerate(lens.tolist()):
        features[row, length:] = garbage
    states, state_lens = listener(features, lens)
    assert state_lens.tolist() == [-(-length // listener.time_reduction) for length in lens.tolist()]
    for row, length in enumerate(lens.tolist()):
        alone, _ = listener(features[row : row + 1, :length], lens[row : row + 1])
        torch.testing.assert_close(states[row, : state_lens[row]], alone[0], atol=1e-5, rtol=0)
        assert states[row, state_lens[row] :].eq(0).all()


@pytest.mark.parametrize("kind", LISTENERS)
def test_no_gradient_flows_into_padding(kind: str) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 30, 20, requires_grad=True)
    states, state_lens = LISTENERS[kind]().eval()(features, torch.tensor([30, 13]))
    states.square().sum().backward()
    assert features.grad is not None
    assert features.grad[1, 13:].eq(0).all()
    assert features.grad[1, :13].ne(0).any()


def test_bilstm_equals_torchs_packed_bidirectional_lstm() -> None:
    torch.manual_seed(0)
    ours = BiLstm(7, 5).double()
    oracle = torch.nn.LSTM(7, 5, batch_first=True, bidirectional=True).double()
    weights = {f"{name}_l0": value for name, value in _parameters(ours.forwards)}
    weights |= {f"{name}_l0_reverse": value for name, value in _parameters(ours.backwards)}
    oracle.load_state_dict(weights)
    inputs, lens = torch.randn(3, 11, 7, dtype=torch.float64), torch.tensor([11, 4, 8])
    expected, _ = pad_packed_sequence(
        oracle(pack_padded_sequence(inputs, lens, batch_first=True, enforce_sorted=False))[0], batch_first=True
    )
    found = ours(inputs, lens)
    for row, length in enumerate(lens.tolist()):
        torch.testing.assert_close(found[row, :length], expected[row, :length], atol=1e-12, rtol=0)


@pytest.mark.parametrize("most_weights", [0, 10**9])
def test_bf16_only_where_a_layer_is_small_enough(monkeypatch: pytest.MonkeyPatch, most_weights: int) -> None:
    """Either way states and gradients are those of float32, to bf16's three digits; a large layer's exactly."""
    monkeypatch.setattr(recurrent, "MOST_WEIGHTS_IN_BF16", most_weights)
    torch.manual_seed(0)
    layer, lens = BiLstm(12, 8), torch.tensor([9, 4])
    exact = torch.randn(2, 9, 12, requires_grad=True)
    states = layer(exact, lens)
    states.sum().backward()
    rough = exact.detach().clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(rough, lens)
    found.float().sum().backward()
    assert found.dtype == (torch.bfloat16 if most_weights else torch.float32)
    tolerance = 2e-2 if most_weights else 0.0
    assert exact.grad is not None and rough.grad is not None
    torch.testing.assert_close(found.float(), states, atol=tolerance, rtol=0)
    torch.testing.assert_close(rough.grad, exact.grad, atol=tolerance, rtol=0)


def _parameters(lstm: torch.nn.LSTM) -> list[tuple[str, torch.Tensor]]:
    return [(name.removesuffix("_l0"), value) for name, value in lstm.state_dict().items()]


def test_reversing_twice_gives_the_input_back() -> None:
    values, lens = torch.randn(3, 9, 2), torch.tensor([9, 1, 5])
    reversed_once = reverse_in_time(values, lens)
    assert reversed_once[2, 0].equal(values[2, 4])
    assert reverse_in_time(reversed_once, lens).equal(values)


def test_features_to_states_with_nan_samples() -> None:
    torch.manual_seed(0)
    front_end, listener = LogMel(n_mels=20), LISTENERS["conv_blstm"]().eval()
    lens = torch.tensor([8000, 4321])
    samples = torch.randn(2, 9000) * 0.1
    samples[0, 8000:] = samples[1, 4321:] = float("nan")
    states, state_lens = listener(*front_end(samples, lens))
    alone, _ = listener(*front_end(samples[1:, :4321], lens[1:]))
    torch.testing.assert_close(states[1, : state_lens[1]], alone[0], atol=1e-5, rtol=0)


def test_end_to_end_convolutions_equal_those_of_each_utterance_alone() -> None:
    """The oracle: torch's convolutions, ReLU and pooling on one utterance, nothing laid anywhere."""
    torch.manual_seed(0)
    listener = VggBlstmListener(n_mels=10, n_channels=(3, 4), d_hidden=5, d_projection=6, n_layers=1, dropout=0.0)
    lens = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 33])
    features = torch.randn(len(lens), 33, 10)
    states, state_lens = listener(features, lens)
    for row, length in enumerate(lens.tolist()):
        image = features[row, :length][None, None]
        for number, convolution in enumerate(listener.convolutions):
            image = convolution(image).relu()
            if number % 2:
                image = torch.nn.functional.max_pool2d(image, 2, ceil_mode=True)
        rows = image[0].transpose(0, 1).flatten(1)[None]
        assert rows.shape[1] == state_lens[row]
        projection = listener.joins[0]
        both = listener.layers[0](rows, state_lens[row : row + 1])
        expected = (both @ projection.weight.T + projection.bias).tanh()
        torch.testing.assert_close(states[row, : state_lens[row]], expected[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_added_directions_are_the_halves_of_a_layers_output() -> None:
    listener = VggBlstmListener(n_mels=8, n_channels=(2, 2), d_hidden=5, d_projection=None, n_layers=1, dropout=0.0)
    seen: list[torch.Tensor] = []
    listener.layers[0].register_forward_hook(lambda _module, _inputs, both: seen.append(both))
    states, _ = listener(torch.randn(1, 12, 8), torch.tensor([12]))
    torch.testing.assert_close(states, seen[0][..., :5] + seen[0][..., 5:])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_no_utterance_touches_another(lens: list[int]) -> None:
    layout = EndToEnd(torch.tensor(lens))
    for rate in (1, 2):
        gaps = set(layout.gaps(rate).tolist())
        taken = [
            range(start // rate, start // rate - (-length // rate))
            for start, length in zip(layout.starts.tolist(), lens, strict=True)
        ]
        assert gaps == set(range(layout.n_rows // rate)) - {row for rows in taken for row in rows}
        assert all(rows.stop in gaps for rows in taken), "an empty row follows each"


def test_relu_with_gaps_has_the_gradient_of_its_parts() -> None:
    image = torch.randn(1, 2, 6, 3, dtype=torch.float64, requires_grad=True)
    gaps = torch.tensor([2, 5])
    assert torch.autograd.gradcheck(lambda x: ReluWithGaps.apply(x, gaps), image)
    assert ReluWithGaps.apply(image, gaps)[:, :, gaps].eq(0).all()
