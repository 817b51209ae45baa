"""The search on real, randomly initialised models: from features to transcripts."""

import math

import pytest
import torch
from torch import Tensor

from asr.audio.logmel import LogMel
from asr.models.asr_model import AsrModel
from asr.models.attention.additive import AdditiveAttention, LocationAttention
from asr.models.listeners.conv_blstm import ConvBlstmListener
from asr.models.listeners.pyramid import PyramidListener
from asr.models.objective import history_of
from asr.models.spellers.lstm import LstmSpeller
from asr.models.spellers.parallel_lstm import ParallelLstmSpeller
from asr.models.spellers.transformer import TransformerSpeller
from asr.search.beam import Method, SearchSettings, beam_search
from asr.search.greedy import ctc_greedy, greedy_search
from asr.search.methods import search

N_TOKENS, N_MELS = 20, 16
FRAME_LENS = [37, 90, 12, 150, 64, 8]


PARTS = {
    "pyramid-additive-lstm": lambda: (
        PyramidListener(N_MELS, 16, 2, 0.0),
        LstmSpeller(AdditiveAttention(24, 32, 16), N_TOKENS, 12, 24, 2, 0.1),
    ),
    "conv-location-lstm": lambda: (
        ConvBlstmListener(N_MELS, 4, 16, 2, 0.0),
        LstmSpeller(LocationAttention(24, 32, 16, 4, 7), N_TOKENS, 12, 24, 2, 0.1),
    ),
    "pyramid-additive-parallel": lambda: (
        PyramidListener(N_MELS, 16, 2, 0.0),
        ParallelLstmSpeller(AdditiveAttention(24, 32, 16), N_TOKENS, 12, 24, 2, 0.1),
    ),
    "conv-transformer": lambda: (
        ConvBlstmListener(N_MELS, 4, 16, 2, 0.0),
        TransformerSpeller(N_TOKENS, 32, 24, 2, 4, 32, 0.1),
    ),
}


def random_model(kind: str) -> AsrModel:
    """A model with opinions: its output layers are enlarged, so that scores are far apart."""
    torch.manual_seed(7)
    listener, speller = PARTS[kind]()
    model = AsrModel(LogMel(), listener, speller, N_TOKENS)
    with torch.no_grad():
        model.speller.to_logits.weight *= 25
        model.ctc_head.weight *= 25
    return model.eval()


def encode(model: AsrModel, utterances: list[Tensor]) -> tuple[Tensor, Tensor]:
    lens = torch.tensor([len(features) for features in utterances])
    batch = torch.full((len(utterances), int(lens.max()) + 5, N_MELS), torch.nan)
    for row, features in zip(batch, utterances, strict=True):
        row[: len(features)] = features
    with torch.inference_mode():
        return model.encode(batch, lens)


@pytest.fixture(params=PARTS)
def model(request: pytest.FixtureRequest) -> AsrModel:
    return random_model(request.param)


@pytest.fixture
def utterances() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n_frames, N_MELS, generator=generator) for n_frames in FRAME_LENS]


@pytest.mark.parametrize(("ctc_weight", "coverage"), [(0.0, 0.0), (0.3, 0.05)])
def test_the_batch_changes_nothing(
    model: AsrModel, utterances: list[Tensor], ctc_weight: float, coverage: float
) -> None:
    search = SearchSettings(5, ctc_weight, 0.3, n_best=2, coverage_bonus=coverage)
    together = beam_search(model, *encode(model, utterances), search)
    assert len({n_best[0].tokens for n_best in together}) > 3
    for found, features in zip(together, utterances, strict=True):
        (alone,) = beam_search(model, *encode(model, [features]), search)
        assert [h.tokens for h in found] == [h.tokens for h in alone]
        assert [h.score for h in found] == pytest.approx([h.score for h in alone], abs=1e-3)


def test_beam_one_equals_greedy(model: AsrModel, utterances: list[Tensor]) -> None:
    batch = encode(model, utterances)
    greedy = greedy_search(model, *batch)
    found = beam_search(model, *batch, SearchSettings(1, 0.0, 0.0, math.inf))
    for (best, *_), other in zip(found, greedy, strict=True):
        assert (best.tokens, best.finish) == (other.tokens, other.finish)
        assert best.scores == pytest.approx(other.scores, abs=1e-3)  # of spans, where the speller can
    for hypothesis, features in zip(greedy, utterances, strict=True):
        assert greedy_search(model, *encode(model, [features]))[0].tokens == hypothesis.tokens


def test_ctc_greedy_in_a_batch(model: AsrModel, utterances: list[Tensor]) -> None:
    together = ctc_greedy(model, *encode(model, utterances))
    for found, features in zip(together, utterances, strict=True):
        assert ctc_greedy(model, *encode(model, [features]))[0].tokens == found.tokens


@torch.no_grad()
@pytest.mark.parametrize("method", ["beam", "greedy"])
def test_gains_are_those_of_the_speller_told_the_tokens(
    model: AsrModel, utterances: list[Tensor], method: Method
) -> None:
    states, lens = encode(model, utterances)
    for b, n_best in enumerate(search(model, states, lens, SearchSettings(5, 0.3, 0.3, n_best=3, method=method))):
        for found in n_best:
            history = history_of(torch.tensor([found.tokens], dtype=torch.int64), 2)
            memory = model.speller.memory(states[b : b + 1], lens[b : b + 1])
            log_probs = model.speller(history, memory).logits.log_softmax(-1)[0]
            told = [row[token].item() for row, token in zip(log_probs, [*found.tokens, 3], strict=True)]
            assert found.gains["attention"] == pytest.approx(told, abs=1e-3)
            for name, gains in found.gains.items():
                assert len(gains) == len(found.tokens) + 1
                assert sum(gains) == pytest.approx(found.scores[name], abs=1e-9)
