"""Listeners: exact per utterance, whatever stands in the padding."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from asr.audio.logmel import LogMel
from asr.models.listeners import ConvBlstmListener, PyramidListener
from asr.models.masks import reverse_in_time
from asr.models.recurrent import BiLstm

LISTENERS = {
    "pyramid": lambda: PyramidListener(n_mels=20, d_hidden=12, n_layers=2, dropout=0.1),
    "conv_blstm": lambda: ConvBlstmListener(n_mels=20, n_channels=4, d_hidden=12, n_layers=2, dropout=0.1),
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
