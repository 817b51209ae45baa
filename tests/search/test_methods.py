import pytest
import torch

from asr.search.beam import SearchSettings, beam_search
from asr.search.greedy import ctc_greedy, greedy_search
from asr.search.methods import search
from asr.search.scorers import LengthBonus, OtherScorer
from tests.search.fakes import FakeModel, collate

OTHER = OtherScorer("other", 0.5, lambda states, state_lens: LengthBonus())


def test_each_method_answers() -> None:
    model = FakeModel(n_tokens=9, seed=3)
    batch = collate([model.utterance(n) for n in (7, 12)])
    beam = SearchSettings(4, 0.3, n_best=3, max_length_ratio=0.5)
    assert search(model, *batch, beam, [OTHER]) == beam_search(model, *batch, beam, [OTHER])
    greedy = search(model, *batch, SearchSettings(method="greedy", max_length_ratio=0.5))
    assert greedy == [[found] for found in greedy_search(model, *batch, 0.5)]
    assert search(model, *batch, SearchSettings(method="ctc")) == [[found] for found in ctc_greedy(model, *batch)]


@pytest.mark.parametrize("method", ["greedy", "ctc"])
def test_a_scorer_is_never_ignored(method: str) -> None:
    model = FakeModel(n_tokens=9, seed=3)
    batch = collate([model.utterance(5)])
    with pytest.raises(ValueError, match=f"search method {method} cannot use other; beam and rescore can"):
        search(model, *batch, SearchSettings(method=method), [OTHER])
    assert search(model, *batch, SearchSettings(method=method), [OTHER._replace(weight=0.0)])


def test_a_broken_ctc_head_is_an_error() -> None:
    model = FakeModel(n_tokens=9, seed=3)
    with pytest.raises(ValueError, match="utterance 1 .* NaN"):
        search(model, *collate([model.utterance(2), torch.full((3, 9), torch.nan)]), SearchSettings(method="ctc"))
