"""The objective is a sum over utterances and tokens."""

import torch
from torch.nn import functional as F

from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel, Outputs
from asr.models.attention.additive import LocationAttention
from asr.models.listeners.pyramid import PyramidListener
from asr.models.objective import history_of, joint_loss
from asr.models.spellers.lstm import LstmSpeller


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


def test_attention_loss_is_smoothed_cross_entropy() -> None:
    logits = torch.randn(1, 3, 5)
    ctc = torch.randn(1, 6, 5).log_softmax(-1)
    found = joint_loss(
        Outputs(ctc, torch.tensor([6]), logits, torch.zeros(1, 3, 1, 6)),
        torch.tensor([[4, 1]]),
        torch.tensor([2]),
        3,
        0.0,
        0.2,
    )
    log_probs = logits[0].log_softmax(-1)
    expected = sum(-0.8 * log_probs[u, token] - 0.2 * log_probs[u].mean() for u, token in enumerate([4, 1, 3]))
    torch.testing.assert_close(found.joint, expected)
    oracle = F.ctc_loss(ctc.transpose(0, 1), torch.tensor([[4, 1]]), [6], [2], reduction="sum")
    torch.testing.assert_close(found.parts["ctc"], oracle)


def _small_speller() -> LstmSpeller:
    attention = LocationAttention(d_query=7, d_states=12, d_attention=5, n_filters=2, filter_width=3)
    return LstmSpeller(attention, n_tokens=9, d_embedding=4, d_hidden=7, n_layers=1, dropout=0.0)
