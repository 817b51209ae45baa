"""Attention pooling against a literal transcription of Lin et al. 2017, and the classifier around it."""

import math

import pytest
import torch

from asr.audio.logmel import LogMel
from asr.models.attentive_pooling import AttentivePooling
from asr.models.classify_model import ClassifyModel
from asr.models.listeners.conv_blstm import ConvBlstmListener
from asr.models.objective import label_loss


def literal(pooling: AttentivePooling, states: list[torch.Tensor]) -> tuple[list[list[float]], torch.Tensor]:
    """A = softmax(W_2 tanh(W_1 H^T)), M = A H, one number at a time: the rows of A, and M's rows laid end to end."""
    keys = [
        [
            math.tanh(float(sum(w * h for w, h in zip(row, state, strict=True)) + b))
            for row, b in zip(pooling.to_key.weight.tolist(), pooling.to_key.bias.tolist(), strict=True)
        ]
        for state in (state.tolist() for state in states)
    ]
    rows, pooled = [], []
    for head in pooling.to_energy.weight.tolist():
        energies = [sum(w * k for w, k in zip(head, key, strict=True)) for key in keys]
        total = sum(math.exp(energy) for energy in energies)
        rows.append([math.exp(energy) / total for energy in energies])
        pooled.append(sum(a * state for a, state in zip(rows[-1], states, strict=True)))
    return rows, torch.cat(pooled)


@pytest.mark.parametrize("n_heads", [1, 3])
def test_matches_the_paper(n_heads: int) -> None:
    torch.manual_seed(0)
    pooling = AttentivePooling(d_states=5, d_attention=4, n_heads=n_heads).double()
    states, lens = torch.randn(2, 7, 5, dtype=torch.float64), torch.tensor([7, 4])
    pooled, weights = pooling(states, lens)
    assert pooled.shape == (2, pooling.d_output) == (2, 5 * n_heads)
    assert weights.shape == (2, len(pooling.head_names), 7)
    for b, n in enumerate(lens.tolist()):
        rows, expected = literal(pooling, list(states[b, :n]))
        torch.testing.assert_close(weights[b, :, :n], torch.tensor(rows, dtype=torch.float64), atol=1e-10, rtol=0)
        torch.testing.assert_close(pooled[b], expected, atol=1e-10, rtol=0)
        assert weights[b, :, n:].eq(0).all()


def test_gradients() -> None:
    torch.manual_seed(0)
    pooling = AttentivePooling(d_states=3, d_attention=2, n_heads=2).double()
    states = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)

    def pool(states: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        pooled, weights = pooling(states, torch.tensor([4, 2]))
        return torch.cat([pooled.flatten(), weights.flatten()])

    assert torch.autograd.gradcheck(pool, [states, *pooling.parameters()])


def test_energies_are_float32_under_bf16() -> None:
    pooling = AttentivePooling(d_states=6, d_attention=5, n_heads=2)
    with torch.autocast("cpu", torch.bfloat16):
        pooled, weights = pooling(torch.randn(2, 7, 6).bfloat16(), torch.tensor([7, 3]))
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2))


def make_model() -> ClassifyModel:
    torch.manual_seed(0)
    listener = ConvBlstmListener(n_mels=8, n_channels=3, d_hidden=6, n_layers=1, dropout=0.1)
    return ClassifyModel(LogMel(n_mels=8), listener, AttentivePooling(12, 5, 2), n_labels=4, dropout=0.1).eval()


def test_neither_padding_nor_company_changes_a_judgement() -> None:
    model = make_model().double()
    features, lens = torch.randn(3, 41, 8, dtype=torch.float64), torch.tensor([41, 33, 2])
    padded = features.clone()
    for b, n in enumerate(lens.tolist()):
        padded[b, n:] = math.nan
    together = model(padded, lens)
    for b, n in enumerate(lens.tolist()):
        alone = model(features[b : b + 1, :n], lens[b : b + 1])
        torch.testing.assert_close(together.logits[b], alone.logits[0], atol=1e-10, rtol=0)
        n_states = alone.weights.shape[-1]
        torch.testing.assert_close(together.weights[b, :, :n_states], alone.weights[0], atol=1e-10, rtol=0)
        assert together.weights[b, :, n_states:].eq(0).all()


def test_the_loss_is_smoothed_cross_entropy_summed_over_utterances() -> None:
    logits, labels = torch.randn(3, 4, dtype=torch.float64), torch.tensor([2, 0, 3])
    found = label_loss(logits, labels, 0.2)
    log_probs = logits.log_softmax(-1)
    expected = sum(-0.8 * log_probs[b, label] - 0.2 * log_probs[b].mean() for b, label in enumerate([2, 0, 3]))
    torch.testing.assert_close(found.joint, expected)
    assert found.n_tokens == 3
    assert found.n_correct == sum(int(logits[b].argmax()) == label for b, label in enumerate([2, 0, 3]))
    assert found.parts == {}
