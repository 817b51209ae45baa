"""Minimum word error rate training against its paper's equations, and against all transcripts there are."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel
from asr.models.attention.additive import LocationAttention
from asr.models.listeners.pyramid import PyramidListener
from asr.models.min_wer import NBest, min_wer_loss, sequence_log_probs
from asr.models.objective import history_of, joint_loss, targets_of, with_min_wer
from asr.models.spellers.lstm import LstmSpeller

SOS, EOS, V = 2, 3, 6
LISTED = torch.tensor([[True, True, True], [True, True, False], [True, False, False]])
ERRORS = torch.tensor([[2, 0, 5], [1, 3, 99], [4, 99, 99]])


def literal(log_probs: Tensor) -> tuple[float, float]:
    """Equations 3 to 5 of Prabhavalkar et al. 2018 and the expected errors, utterance by utterance."""
    loss = expected = 0.0
    for row, errors, listed in zip(log_probs.tolist(), ERRORS.tolist(), LISTED.tolist(), strict=True):
        there = [(math.exp(p), w) for p, w, is_there in zip(row, errors, listed, strict=True) if is_there]
        total = sum(p for p, _ in there)
        mean = sum(w for _, w in there) / len(there)
        loss += sum(p / total * (w - mean) for p, w in there)
        expected += sum(p / total * w for p, w in there)
    return loss, expected


def test_it_is_what_the_paper_says():
    log_probs = torch.randn(3, 3, dtype=torch.float64) * 3 - 5
    loss, expected = min_wer_loss(log_probs, ERRORS, LISTED)
    assert (float(loss), float(expected)) == pytest.approx(literal(log_probs), abs=1e-10)


def test_gradients_given_the_list():
    log_probs = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda values: min_wer_loss(values, ERRORS, LISTED)[0], log_probs)
    (found,) = torch.autograd.grad(min_wer_loss(log_probs, ERRORS, LISTED)[0], log_probs)
    probs = log_probs.detach().masked_fill(~LISTED, -torch.inf).softmax(-1)
    errors = ERRORS * LISTED
    by_hand = probs * (errors - (probs * errors).sum(-1, keepdim=True))  # the baseline has no part in it
    torch.testing.assert_close(found, by_hand)


def test_only_what_is_likelier_within_the_list_counts():
    log_probs = torch.randn(3, 3, dtype=torch.float64)
    raised = log_probs + torch.tensor([[0.0], [-700.0], [3.0]])  # of all that are listed for an utterance alike
    for one, other in zip(*(min_wer_loss(each, ERRORS, LISTED) for each in (log_probs, raised)), strict=True):
        torch.testing.assert_close(one, other)


def make_model() -> AsrModel:
    torch.manual_seed(0)
    listener = PyramidListener(8, 6, 1, 0.0)
    attention = LocationAttention(7, 12, 5, n_filters=2, filter_width=3)
    return AsrModel(LogMel(n_mels=8), listener, LstmSpeller(attention, V, 4, 7, 1, 0.0), V).double()


def pad_all(sequences: list[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
    lens = torch.tensor([len(each) for each in sequences])
    rows = [[*each, *[0] * (int(lens.max()) - len(each))] for each in sequences]
    return torch.tensor(rows, dtype=torch.int64), lens


def test_the_probabilities_of_all_transcripts_add_up_to_one():
    """Of all that end within three tokens, and of all beginnings of three that do not end."""
    model = make_model()
    words = [token for token in range(V) if token != EOS]
    ended = [each for n in range(3) for each in itertools.product(words, repeat=n)]
    open_ended = list(itertools.product(words, repeat=3))
    tokens, lens = pad_all([*ended, *open_ended])
    features, frame_lens = torch.randn(1, 12, 8, dtype=torch.float64), torch.tensor([12])
    history = history_of(tokens[None], SOS)
    logits = model(features, frame_lens, history[:, 0], hypotheses=history).hypothesis_logits[0]
    targets, _ = targets_of(tokens, lens, EOS)
    with_end = sequence_log_probs(logits, targets, lens + 1)
    without = sequence_log_probs(logits, targets, lens)
    n = len(ended)
    assert (with_end[:n].exp().sum() + without[n:].exp().sum()).item() == pytest.approx(1.0, abs=1e-10)


N_BEST = NBest(
    torch.tensor([[[4, 5, 4], [5, 0, 0]], [[4, 0, 0], [0, 0, 0]]]),
    torch.tensor([[3, 1], [1, 0]]),
    torch.tensor([[True, True], [True, True]]),
    torch.tensor([[2, 1], [0, 3]]),
)
TOKENS, TOKEN_LENS = torch.tensor([[4, 5], [4, 0]]), torch.tensor([2, 1])
FRAME_LENS = torch.tensor([12, 9])


def losses(model: AsrModel, features: Tensor, rows: slice, width: int, n_best: NBest) -> Tensor:
    tokens, lens = TOKENS[rows, :width], TOKEN_LENS[rows]
    histories = history_of(n_best.tokens, SOS)
    outputs = model(features, FRAME_LENS[rows], history_of(tokens, SOS), hypotheses=histories)
    sums = joint_loss(outputs, tokens, lens, EOS, 0.3, 0.1)
    found = with_min_wer(sums, outputs, n_best, EOS, 0.01)
    return torch.stack([found.joint, found.n_tokens, *found.parts.values()]).detach()


def test_the_loss_is_a_sum_over_utterances_and_knows_no_padding():
    model, features = make_model(), torch.randn(2, 12, 8, dtype=torch.float64)
    whole = losses(model, features, slice(0, 2), 2, N_BEST)
    first = NBest._make(each[:1] for each in N_BEST)
    second = NBest._make(each[1:] for each in N_BEST._replace(tokens=N_BEST.tokens[:, :, :1]))
    parts = losses(model, features[:1], slice(0, 1), 2, first), losses(model, features[1:, :9], slice(1, 2), 1, second)
    torch.testing.assert_close(whole, parts[0] + parts[1], atol=1e-10, rtol=0)


def test_what_lies_beyond_an_end_is_never_read():
    logits = torch.randn(2, 4, V, dtype=torch.float64)
    targets, lens = torch.randint(0, V, (2, 4)), torch.tensor([4, 2])
    dirty = logits.clone()
    dirty[1, 2:] = torch.nan
    dirty.requires_grad_()
    found = sequence_log_probs(dirty, targets, lens)
    torch.testing.assert_close(found, sequence_log_probs(logits, targets, lens))
    found.sum().backward()
    assert dirty.grad.isfinite().all()


def test_the_sum_is_expected_errors_and_a_share_of_the_joint_loss():
    model, features = make_model(), torch.randn(2, 12, 8, dtype=torch.float64)
    outputs = model(features, FRAME_LENS, history_of(TOKENS, SOS), hypotheses=history_of(N_BEST.tokens, SOS))
    joint = joint_loss(outputs, TOKENS, TOKEN_LENS, EOS, 0.3, 0.1)
    found = with_min_wer(joint, outputs, N_BEST, EOS, 0.25)
    log_probs = [[0.0, 0.0], [0.0, 0.0]]
    for b, i in itertools.product(range(2), range(2)):
        sequence = [*N_BEST.tokens[b, i, : N_BEST.token_lens[b, i]].tolist(), EOS]
        for u, token in enumerate(sequence):
            log_probs[b][i] += outputs.hypothesis_logits[b, i, u].log_softmax(-1)[token].item()
    loss, expected = min_wer_loss(torch.tensor(log_probs, dtype=torch.float64), N_BEST.n_errors, N_BEST.listed)
    torch.testing.assert_close(found.joint, loss + 0.25 * joint.joint)
    torch.testing.assert_close(found.parts["word_errors"], expected)
    assert int(found.n_tokens) == 5
    assert found.parts.keys() == {"attention", "ctc", "word_errors"}
