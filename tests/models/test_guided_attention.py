"""Guided attention against its paper's equations."""

import math

import pytest
import torch

from asr.models.guided_attention import guided_attention_loss
from asr.models.spellers.transformer import TransformerSpeller

STATE_LENS, ROW_LENS = torch.tensor([7, 5, 1]), torch.tensor([4, 5, 2])


def make_weights(n_heads: int = 2) -> torch.Tensor:
    """(3, 5, n_heads, 7) float64, rows that sum to one within their own lengths, zero beyond."""
    generator = torch.Generator().manual_seed(0)
    energies = torch.randn(3, 5, n_heads, 7, generator=generator, dtype=torch.float64)
    padding = torch.arange(7) >= STATE_LENS[:, None]
    return energies.masked_fill(padding[:, None, None], -torch.inf).softmax(-1)


def literal(weights: torch.Tensor, b: int, head: int, width: float) -> float:
    """Equations 6 and 7 for one utterance and head: the sum of A ⊙ W, not yet divided by N · T."""
    n_rows, n_states = int(ROW_LENS[b]), int(STATE_LENS[b])
    total = 0.0
    for n in range(n_rows):
        for t in range(n_states):
            w = 1 - math.exp(-((n / n_rows - t / n_states) ** 2) / (2 * width**2))
            total += float(weights[b, n, head, t]) * w
    return total


@pytest.mark.parametrize("width", [0.05, 0.2, 1.0])
def test_it_is_what_the_paper_says(width):
    weights = make_weights()
    expected = sum(literal(weights, b, head, width) for b in range(3) for head in range(2)) / 2
    assert float(guided_attention_loss(weights, STATE_LENS, ROW_LENS, width)) == pytest.approx(expected, abs=1e-10)


def test_only_the_last_heads_are_guided_where_asked():
    weights = make_weights(n_heads=4)
    last_two = sum(literal(weights, b, head, 0.2) for b in range(3) for head in (2, 3)) / 2
    assert float(guided_attention_loss(weights, STATE_LENS, ROW_LENS, 0.2, 2)) == pytest.approx(last_two, abs=1e-10)


def test_an_even_walk_pays_little_and_a_walk_backwards_much():
    walk = torch.eye(20, dtype=torch.float64)[None, :, None]
    lens = torch.tensor([20])
    assert float(guided_attention_loss(walk, lens, lens, 0.2)) == 0.0
    assert float(guided_attention_loss(walk.flip(1), lens, lens, 0.2)) > 10.0


def test_padding_changes_neither_loss_nor_gradient():
    clean = make_weights().requires_grad_()
    guided_attention_loss(clean, STATE_LENS, ROW_LENS, 0.2).backward()
    dirty = torch.full((3, 8, 2, 9), torch.nan, dtype=torch.float64)
    for b in range(3):
        dirty[b, : ROW_LENS[b], :, : STATE_LENS[b]] = clean.detach()[b, : ROW_LENS[b], :, : STATE_LENS[b]]
    dirty.requires_grad_()
    loss = guided_attention_loss(dirty, STATE_LENS, ROW_LENS, 0.2)
    loss.backward()
    torch.testing.assert_close(loss, guided_attention_loss(clean, STATE_LENS, ROW_LENS, 0.2))
    torch.testing.assert_close(dirty.grad[:, :5, :, :7], clean.grad)
    assert not dirty.grad[:, 5:].any() and not dirty.grad[..., 7:].any()


def test_it_is_a_sum_over_utterances():
    weights = make_weights()
    parts = [
        guided_attention_loss(weights[b : b + 1], STATE_LENS[b : b + 1], ROW_LENS[b : b + 1], 0.2) for b in range(3)
    ]
    torch.testing.assert_close(guided_attention_loss(weights, STATE_LENS, ROW_LENS, 0.2), torch.stack(parts).sum())


def test_gradients():
    weights = make_weights().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: guided_attention_loss(w, STATE_LENS, ROW_LENS, 0.2), weights)


def test_a_transformer_is_guided_in_its_last_layer_by_as_many_heads_as_that_has():
    torch.manual_seed(0)
    speller = TransformerSpeller(9, 6, d_model=8, n_layers=2, n_heads=2, d_feed_forward=12, dropout=0.0)
    memory = speller.memory(torch.randn(3, 7, 6), STATE_LENS)
    weights = speller(torch.randint(0, 9, (3, 5)), memory, look=True).weights
    names = speller.head_names[-speller.n_heads :]
    assert names == ["layer 2 head 1", "layer 2 head 2"]
    loss = guided_attention_loss(weights, STATE_LENS, ROW_LENS, 0.2, speller.n_heads)
    torch.testing.assert_close(loss, guided_attention_loss(weights[:, :, 2:], STATE_LENS, ROW_LENS, 0.2))
    loss.backward()
    assert any(each.grad is not None and each.grad.any() for each in speller.parameters())
