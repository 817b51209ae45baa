"""The joint objective against its papers' equations, in float64, and what padding must not do to it."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel, Outputs
from asr.models.attention.additive import LocationAttention
from asr.models.guided_attention import guided_attention_loss
from asr.models.listeners.pyramid import PyramidListener
from asr.models.objective import Guide, LossSums, history_of, joint_loss
from asr.models.spellers.lstm import LstmSpeller

V, EOS = 5, 3
TOKENS, TOKEN_LENS = torch.tensor([[4, 4], [1, 0], [0, 0]]), torch.tensor([2, 1, 0])
STATE_LENS = torch.tensor([4, 3, 1])


def make_outputs() -> Outputs:
    """(3, 4, V) of CTC, (3, 3, V) of the speller and (3, 3, 2, 4) of attention, all in use by some utterance."""
    generator = torch.Generator().manual_seed(0)
    ctc = torch.randn(3, 4, V, generator=generator, dtype=torch.float64).log_softmax(-1)
    logits = torch.randn(3, 3, V, generator=generator, dtype=torch.float64)
    weights = torch.rand(3, 3, 2, 4, generator=generator, dtype=torch.float64)
    return Outputs(ctc, STATE_LENS, logits, weights)


def loss(outputs: Outputs, ctc_weight: float = 0.3, smoothing: float = 0.1, guide: Guide | None = None) -> LossSums:
    return joint_loss(outputs, TOKENS, TOKEN_LENS, EOS, ctc_weight, smoothing, guide)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != 0)


def test_ctc_is_the_sum_over_all_alignments():
    """Graves et al. 2006, equation 3, by writing all of them out."""
    outputs = make_outputs()
    expected = 0.0
    for b in range(3):
        transcript, n_states = tuple(TOKENS[b, : TOKEN_LENS[b]].tolist()), int(STATE_LENS[b])
        paths = [path for path in itertools.product(range(V), repeat=n_states) if collapsed(path) == transcript]
        scores = [sum(float(outputs.ctc_log_probs[b, s, token]) for s, token in enumerate(path)) for path in paths]
        expected -= math.log(sum(math.exp(score) for score in scores))
    assert loss(outputs).parts["ctc"].item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_spellers_loss_is_cross_entropy_with_a_smoothed_target(smoothing):
    """Szegedy et al. 2016, section 7: q(k) = (1 - ε) [k = y] + ε / V."""
    outputs = make_outputs()
    expected = 0.0
    for b in range(3):
        for u, token in enumerate([*TOKENS[b, : TOKEN_LENS[b]].tolist(), EOS]):
            total = sum(math.exp(float(value)) for value in outputs.logits[b, u])
            for k in range(V):
                q = (1 - smoothing) * (k == token) + smoothing / V
                expected -= q * math.log(math.exp(float(outputs.logits[b, u, k])) / total)
    assert loss(outputs, smoothing=smoothing).parts["attention"].item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3, 1.0])
def test_the_joint_loss_is_their_weighted_sum_and_the_guide_comes_on_top(ctc_weight):
    outputs, guide = make_outputs(), Guide(0.7, 0.2, 1)
    sums = loss(outputs, ctc_weight, guide=guide)
    guided = guided_attention_loss(outputs.weights, STATE_LENS, TOKEN_LENS + 1, 0.2, 1)
    ctc, attention = sums.parts["ctc"], sums.parts["attention"]
    torch.testing.assert_close(sums.joint, ctc_weight * ctc + (1 - ctc_weight) * attention + 0.7 * guided)
    torch.testing.assert_close(sums.parts["guided"], guided)
    assert int(sums.n_tokens) == 6


def test_tokens_that_are_right_are_counted_within_each_length():
    outputs = make_outputs()
    logits = torch.zeros_like(outputs.logits)
    logits[..., EOS] = 1.0  # right at the three ends, and beyond them, where it does not count
    logits[0, 1, 4] = 2.0
    assert int(loss(outputs._replace(logits=logits)).n_correct) == 4


def test_gradients():
    start = make_outputs()

    def joint(ctc: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
        outputs = Outputs(ctc.log_softmax(-1), STATE_LENS, logits, weights)
        return loss(outputs, guide=Guide(0.7, 0.2, None)).joint

    inputs = [each.clone().requires_grad_() for each in (start.ctc_log_probs, start.logits, start.weights)]
    assert torch.autograd.gradcheck(joint, inputs)


def test_nan_in_the_padding_changes_neither_loss_nor_gradients():
    clean, guide = make_outputs(), Guide(0.7, 0.2, None)
    dirty = clean._replace(
        ctc_log_probs=clean.ctc_log_probs.clone(), logits=clean.logits.clone(), weights=clean.weights.clone()
    )
    for b in range(3):
        n_states, n_rows = STATE_LENS[b], TOKEN_LENS[b] + 1
        dirty.ctc_log_probs[b, n_states:] = dirty.logits[b, n_rows:] = torch.nan
        dirty.weights[b, n_rows:] = dirty.weights[b, :, :, n_states:] = torch.nan
    found = []
    for outputs in (clean, dirty):
        leaves = [each.requires_grad_() for each in (outputs.ctc_log_probs, outputs.logits, outputs.weights)]
        sums = loss(outputs, guide=guide)
        found.append([*sums[:3], *sums.parts.values(), *torch.autograd.grad(sums.joint, leaves)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_more_tokens_than_states_cost_ctc_nothing_and_the_speller_goes_on():
    outputs = make_outputs()._replace(state_lens=torch.tensor([1, 3, 1]))
    ctc = outputs.ctc_log_probs.requires_grad_()
    sums = loss(outputs)
    (gradient,) = torch.autograd.grad(sums.joint, ctc)
    assert sums.joint.isfinite() and not gradient[0].any()


def test_joint_loss_is_a_sum_over_utterances() -> None:
    torch.manual_seed(0)
    model = AsrModel(LogMel(n_mels=8), PyramidListener(8, 6, 1, 0.0), _small_speller(), n_tokens=9).eval()
    features, frame_lens = torch.randn(3, 40, 8), torch.tensor([40, 33, 25])
    tokens, token_lens = torch.randint(4, 9, (3, 6)), torch.tensor([6, 3, 0])
    whole = joint_loss(model(features, frame_lens, history_of(tokens, 2)), tokens, token_lens, 3, 0.3, 0.1)
    parts = [
        joint_loss(
            model(features[b : b + 1, :t], frame_lens[b : b + 1], history_of(tokens[b : b + 1, :u], 2)),
            tokens[b : b + 1, :u],
            token_lens[b : b + 1],
            3,
            0.3,
            0.1,
        )
        for b, (t, u) in enumerate(zip(frame_lens.tolist(), token_lens.tolist(), strict=True))
    ]
    assert whole.n_tokens == sum(part.n_tokens for part in parts) == 12
    torch.testing.assert_close(whole.joint, torch.stack([part.joint for part in parts]).sum(), atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(whole.joint, 0.3 * whole.parts["ctc"] + 0.7 * whole.parts["attention"])


def test_a_model_without_ctc_head_is_judged_by_its_speller_alone() -> None:
    torch.manual_seed(0)
    model = AsrModel(LogMel(n_mels=8), PyramidListener(8, 6, 1, 0.0), _small_speller(), n_tokens=9, has_ctc=False)
    tokens, token_lens = torch.randint(4, 9, (2, 4)), torch.tensor([4, 2])
    outputs = model(torch.randn(2, 40, 8), torch.tensor([40, 33]), history_of(tokens, 2))
    found = joint_loss(outputs, tokens, token_lens, 3, 0.0, 0.1)
    found.joint.backward()
    assert outputs.ctc_log_probs is None
    assert found.parts.keys() == {"attention"}
    torch.testing.assert_close(found.joint.detach(), found.parts["attention"])
    assert all(weights.grad is not None for weights in model.parameters()), "ranks would wait for those without one"


def _small_speller() -> LstmSpeller:
    attention = LocationAttention(d_query=7, d_states=12, d_attention=5, n_filters=2, filter_width=3)
    return LstmSpeller(attention, n_tokens=9, d_embedding=4, d_hidden=7, n_layers=1, dropout=0.0)
