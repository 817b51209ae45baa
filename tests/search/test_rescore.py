import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.search.beam import SearchSettings, beam_search
from asr.search.biasing import bias
from asr.search.ctc_beam import ctc_n_best
from asr.search.methods import search
from asr.text.phrases import Phrase
from tests.search.fakes import EOS, SOS, FakeModel, collate, ctc_distribution, log

SURFACES = ["", "?", "", "", *"abcdefgh"]


def fake(seed: int, n_tokens: int = 7) -> FakeModel:
    model = FakeModel(n_tokens, seed)
    utterance = model.utterance
    model.utterance = (
        lambda n: torch.cat(  # no start or end of sentence in CTC's transcripts
            [utterance(n)[:, :2], torch.full((n, 2), -50.0, dtype=torch.float64), utterance(n)[:, 4:]], 1
        ).log_softmax(-1)
    )
    return model


def attention(model: FakeModel, states: torch.Tensor, tokens: tuple[int, ...]) -> list[float]:
    memory = model.speller.memory(*collate([states]))
    state, gains = model.speller.start(memory, 1), []
    for last, token in zip((SOS, *tokens), (*tokens, EOS), strict=True):
        log_probs, _, state = model.speller.step(torch.tensor([[last]]), state, memory)
        gains.append(log_probs[0, 0, token].item())
    return gains


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9999), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.sampled_from([0.0, 0.3, 1.0]))
def test_all_that_ctc_can_say_is_ordered_by_the_joint_score(seed: int, lens: list[int], ctc: float) -> None:
    """Wide enough, the list holds every transcript: the order is that of exhaustive search, phrases included."""
    model = fake(seed)
    utterances = [model.utterance(n) for n in lens]
    phrases = [Phrase("a"), Phrase("bc", 2.0)]
    given_ = SearchSettings(400, ctc, 0.4, n_best=6, method="rescore")
    found = search(model, *collate(utterances, 2), given_, bias([phrases], SURFACES[:7], 0.6))
    for states, n_best in zip(utterances, found, strict=True):
        truth = {tokens: log(p) for tokens, p in ctc_distribution(states).items() if not {SOS, EOS} & set(tokens)}

        def joint(tokens: tuple[int, ...], truth: dict = truth, states: torch.Tensor = states) -> float:
            text = "".join(SURFACES[token] for token in tokens)
            favoured = 0.6 * ((text == "a") * 1 + (text == "bc") * 2 * 2)
            return (
                (1 - ctc) * sum(attention(model, states, tokens)) + ctc * truth[tokens] + 0.4 * len(tokens) + favoured
            )

        scores = sorted(((joint(tokens), tokens) for tokens in truth), reverse=True)[:6]
        assert [h.tokens for h in n_best] == [tokens for _, tokens in scores]
        assert [h.score for h in n_best] == pytest.approx([score for score, _ in scores], abs=1e-6)
        for hypothesis in n_best:
            assert hypothesis.gains["attention"] == pytest.approx(attention(model, states, hypothesis.tokens), abs=1e-9)
            assert hypothesis.scores["ctc"] == pytest.approx(truth[hypothesis.tokens], abs=1e-6)
            assert sum(hypothesis.gains["phrases"]) == pytest.approx(hypothesis.scores["phrases"], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(0, 3))
def test_the_batch_changes_nothing(seed: int, lens: list[int], extra: int) -> None:
    model = fake(seed, 9)
    utterances = [model.utterance(n) for n in lens]
    given_ = SearchSettings(6, 0.3, n_best=3, method="rescore")
    together = search(model, *collate(utterances, extra), given_)
    for states, found in zip(utterances, together, strict=True):
        (alone,) = search(model, *collate([states]), given_)
        assert [h.tokens for h in found] == [h.tokens for h in alone]
        assert [h.score for h in found] == pytest.approx([h.score for h in alone], abs=1e-9)


def test_weights_decide() -> None:
    model = fake(5, 9)
    batch = collate([model.utterance(12)])
    proposed = ctc_n_best(model.ctc_log_probs(batch[0]), batch[1], 8, batch[1])
    ((by_ctc, *_),) = search(model, *batch, SearchSettings(8, 1.0, method="rescore"))
    assert list(by_ctc.tokens) == proposed.tokens[0, 0, : proposed.lens[0, 0]].tolist()
    (by_attention,) = search(model, *batch, SearchSettings(8, 0.0, n_best=8, method="rescore"))
    assert [h.score for h in by_attention] == sorted((h.scores["attention"] for h in by_attention), reverse=True)
    assert by_attention[0].tokens != by_ctc.tokens
    (joint,) = beam_search(model, *batch, SearchSettings(30, 0.3, eos_threshold=math.inf))
    assert joint[0].score >= search(model, *batch, SearchSettings(8, 0.3, method="rescore"))[0][0].score - 1e-9


def test_a_broken_model_is_an_error() -> None:
    model = fake(3, 9)
    batch = collate([model.utterance(2), torch.full((3, 9), torch.nan, dtype=torch.float64)])
    with pytest.raises(ValueError, match="utterance 1 .* NaN"):
        search(model, *batch, SearchSettings(method="rescore"))
