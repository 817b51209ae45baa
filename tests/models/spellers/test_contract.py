"""What every speller promises: steps equal the teacher-forced pass, hypotheses are independent, padding is nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor

from asr.models.attention.additive import AdditiveAttention, CoverageAttention, LocationAttention
from asr.models.attention.dot import DotAttention, ScaledDotAttention
from asr.models.attention.gmm import GmmAttention
from asr.models.attention.monotonic import MochaAttention, MonotonicAttention
from asr.models.masks import length_mask
from asr.models.spellers.lstm import LstmSpeller
from asr.models.spellers.parallel_lstm import ParallelLstmSpeller
from asr.models.spellers.transformer import TransformerSpeller
from asr.recipe.attention_section import WITHOUT_A_PAST

N_TOKENS, D_STATES = 11, 6
LSTM = {"n_tokens": N_TOKENS, "d_embedding": 4, "d_hidden": 10, "n_layers": 2, "dropout": 0.1}
ATTENTIONS = {
    "dot": lambda: DotAttention(10, D_STATES, 8, n_heads=2),
    "scaled_dot": lambda: ScaledDotAttention(10, D_STATES, 8),
    "additive": lambda: AdditiveAttention(10, D_STATES, 8, n_heads=2),
    "location": lambda: LocationAttention(10, D_STATES, 8, n_filters=3, filter_width=5),
    "coverage": lambda: CoverageAttention(10, D_STATES, 8, n_heads=2),
    "gmm": lambda: GmmAttention(10, D_STATES, 8, n_components=3, initial_step=1.0, initial_width=1.5),
    "monotonic": lambda: MonotonicAttention(10, D_STATES, 8, initial_step=1.0, noise=1.0, n_heads=2),
    "mocha": lambda: MochaAttention(10, D_STATES, 8, chunk_width=2, initial_step=1.0, noise=1.0),
}
SPELLERS = {
    "transformer": lambda: TransformerSpeller(
        N_TOKENS, D_STATES, d_model=8, n_layers=2, n_heads=2, d_feed_forward=12, dropout=0.1
    ),
    **{f"lstm-{kind}": lambda make=make: LstmSpeller(make(), **LSTM) for kind, make in ATTENTIONS.items()},
    **{
        f"parallel_lstm-{kind}": lambda make=ATTENTIONS[kind]: ParallelLstmSpeller(make(), **LSTM)
        for kind in WITHOUT_A_PAST
    },
}


@pytest.fixture(params=SPELLERS)
def speller(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return SPELLERS[request.param]().eval()


def test_steps_equal_the_teacher_forced_pass(speller: Any) -> None:
    memory = speller.memory(torch.randn(3, 7, D_STATES), torch.tensor([7, 5, 2]))
    tokens = torch.randint(0, N_TOKENS, (3, 5))
    forced = speller(tokens, memory, look=True)
    assert forced.weights.shape == (3, 5, len(speller.head_names), 7)
    state = speller.start(memory, 1)
    for u in range(5):
        log_probs, weights, state = speller.step(tokens[:, u : u + 1], state, memory, look=True)
        torch.testing.assert_close(log_probs[:, 0], forced.logits[:, u].log_softmax(-1), atol=1e-5, rtol=0)
        torch.testing.assert_close(weights[:, 0], forced.weights[:, u], atol=1e-5, rtol=0)


def test_several_histories_are_spelled_as_each_alone(speller: Any) -> None:
    states, lens = torch.randn(3, 7, D_STATES), torch.tensor([7, 5, 2])
    memory = speller.memory(states, lens)
    tokens = torch.randint(0, N_TOKENS, (3, 4, 5))
    together = speller.spell(tokens, memory)
    for w in range(4):
        torch.testing.assert_close(together[:, w], speller(tokens[:, w], memory).logits, atol=1e-5, rtol=0)
    alone = speller.spell(tokens[2:, 1:2], speller.memory(states[2:, :2], lens[2:]))
    torch.testing.assert_close(together[2:, 1:2], alone, atol=1e-5, rtol=0)


def test_looking_changes_nothing(speller: Any) -> None:
    memory = speller.memory(torch.randn(2, 7, D_STATES), torch.tensor([7, 4]))
    tokens = torch.randint(0, N_TOKENS, (2, 5))
    torch.testing.assert_close(speller(tokens, memory).logits, speller(tokens, memory, look=True).logits)


def test_hypotheses_are_independent_and_follow_select(speller: Any) -> None:
    """Places are exchanged, repeated and given up; each hypothesis must be what it is alone, in a batch of one."""
    states, lens = torch.randn(2, 7, D_STATES), torch.tensor([7, 4])
    memory = speller.memory(states, lens)
    state, histories = speller.start(memory, 3), torch.zeros(2, 3, 0, dtype=torch.int64)
    for order in (torch.tensor([[2, 0, 0], [1, 1, 2]]), torch.tensor([[1, 2], [0, 2]])):
        tokens = torch.randint(0, N_TOKENS, (2, 3))
        _, _, state = speller.step(tokens, state, memory)
        state = state.select(order)
        histories = torch.cat([histories, tokens[..., None]], -1)
        histories = torch.stack([rows[places] for rows, places in zip(histories, order, strict=True)])
    last = torch.randint(0, N_TOKENS, (2, 2))
    log_probs, weights, _ = speller.step(last, state, memory, look=True)
    for b in range(2):
        alone = speller.memory(states[b : b + 1, : lens[b]], lens[b : b + 1])
        for w in range(2):
            history = torch.cat([histories[b, w], last[b, w : w + 1]])[None]
            expected = speller(history, alone, look=True)
            torch.testing.assert_close(log_probs[b, w], expected.logits[0, -1].log_softmax(-1), atol=1e-5, rtol=0)
            torch.testing.assert_close(weights[b, w, :, : lens[b]], expected.weights[0, -1], atol=1e-5, rtol=0)


def test_padding_changes_nothing(speller: Any) -> None:
    """Neither what stands in padded states nor which tokens are in the padding, in results and in gradients."""
    states, lens = torch.randn(2, 7, D_STATES), torch.tensor([7, 4])
    tokens, token_lens = torch.randint(0, N_TOKENS, (2, 6)), torch.tensor([6, 3])
    real, found = length_mask(token_lens, 6), []
    for garbage, filler in ((0.0, 0), (1e4, N_TOKENS - 1)):
        padded, history = states.clone(), tokens.clone()
        padded[1, 4:], history[1, 3:] = garbage, filler
        padded.requires_grad_()
        spelling = speller(history, speller.memory(padded, lens), look=True)
        assert spelling.weights[1, :, :, 4:].eq(0).all()
        assert spelling.weights.ge(0).all()
        if not isinstance(
            getattr(speller, "attention", None), GmmAttention | MonotonicAttention
        ):  # these may have walked past the end
            torch.testing.assert_close(spelling.weights.sum(-1), torch.ones(2, 6, len(speller.head_names)))
        spelling.logits[real].square().sum().backward()
        assert padded.grad is not None and padded.grad[1, 4:].eq(0).all()
        found.append((spelling.logits[real], spelling.weights[real], padded.grad))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-4)


def test_gradients(speller: Any) -> None:
    """Of all weights and of the states, against differences."""
    speller = speller.double()
    lens, tokens = torch.tensor([4, 2]), torch.randint(0, N_TOKENS, (2, 3))
    states = torch.randn(2, 4, D_STATES, dtype=torch.float64, requires_grad=True)

    def spell(states: Tensor, *_weights: Tensor) -> Tensor:  # gradcheck moves the weights where they are
        return speller(tokens, speller.memory(states, lens)).logits

    assert torch.autograd.gradcheck(spell, (states, *speller.parameters()), fast_mode=True)


def test_own_tokens_are_fed_where_sampling_says_so(speller: Any) -> None:
    memory = speller.memory(torch.randn(2, 7, D_STATES), torch.tensor([7, 4]))
    tokens = torch.randint(0, N_TOKENS, (2, 6))
    free = speller(tokens, memory, sampling=1.0)
    # Fed its own context, a speller writes token by token; the others write twice, and read what they wrote first.
    written = free.logits if isinstance(speller, LstmSpeller) else speller(tokens, memory).logits
    own = torch.cat([tokens[:, :1], written[:, :-1].argmax(-1)], 1)
    assert not own.equal(tokens)
    torch.testing.assert_close(free.logits, speller(own, memory).logits)
    mixed = speller(tokens, memory, sampling=0.5)
    assert not mixed.logits.equal(free.logits)
    assert not mixed.logits.equal(speller(tokens, memory).logits)


def test_bf16_stays_near_float32(speller: Any) -> None:
    """Training in bf16 gives logits and gradients of float32, to bf16's three digits."""
    states, lens = torch.randn(2, 7, D_STATES), torch.tensor([7, 4])
    tokens, found = torch.randint(0, N_TOKENS, (2, 5)), {}
    for enabled in (False, True):
        speller.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            spelling = speller(tokens, speller.memory(states, lens), look=True)
        spelling.logits.float().logsumexp(-1).sum().backward()
        gradient = torch.cat([weights.grad.flatten() for weights in speller.parameters()])
        assert spelling.weights.dtype == torch.float32
        found[enabled] = spelling.logits.float(), gradient
    for exact, rough in zip(found[False], found[True], strict=True):
        assert 0 < (rough - exact).norm() < 0.03 * exact.norm()
