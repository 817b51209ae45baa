import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.search.greedy import ctc_greedy, greedy_search
from tests.search.fakes import BLANK, EOS, SOS, UNK, FakeModel, collate


def test_follows_the_best_token() -> None:
    model = FakeModel(n_tokens=9, seed=4)
    states, lens = collate([model.utterance(20)])
    (hypothesis,) = greedy_search(model, states, lens)
    memory = model.speller.memory(states, lens)
    state, last, total = model.speller.start(memory, 1), SOS, 0.0
    for token in (*hypothesis.tokens, EOS):
        log_probs, _, state = model.speller.step(torch.tensor([[last]]), state, memory)
        log_probs = log_probs[0, 0].clone()
        log_probs[[BLANK, SOS]] = -torch.inf
        assert token == log_probs.argmax()
        last, total = token, total + log_probs[token].item()
    assert hypothesis.score == pytest.approx(total, abs=1e-12)
    assert hypothesis.finish == "eos"
    assert hypothesis.scores == {"attention": hypothesis.score, "length": len(hypothesis.tokens)}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 5))
def test_the_batch_changes_nothing(seed: int, lens: list[int], extra: int) -> None:
    model = FakeModel(n_tokens=7, seed=seed)
    utterances = [model.utterance(n_states) for n_states in lens]
    together = greedy_search(model, *collate(utterances, extra), max_length_ratio=0.7)
    assert together == [greedy_search(model, *collate([states]), max_length_ratio=0.7)[0] for states in utterances]


def test_stops_at_the_bound_and_says_so() -> None:
    model = FakeModel(n_tokens=7, seed=0)
    model.speller.table[:, EOS] = -50.0
    found = greedy_search(model, *collate([model.utterance(n) for n in (1, 5, 8)]), max_length_ratio=0.5)
    assert [len(hypothesis.tokens) for hypothesis in found] == [1, 2, 4]
    assert {hypothesis.finish for hypothesis in found} == {"max_length"}


def test_ties_go_to_the_end_then_to_the_lowest_token() -> None:
    model = FakeModel(n_tokens=7, seed=0)
    model.speller.table[:] = -2.0
    batch = collate([model.utterance(3)])
    assert greedy_search(model, *batch)[0].tokens == ()
    model.speller.table[:, :5] = -3.0
    assert greedy_search(model, *batch)[0].tokens == (5, 5, 5)


def test_a_broken_model_is_an_error() -> None:
    model = FakeModel(n_tokens=7, seed=0)
    model.speller.table[:] = torch.nan
    with pytest.raises(ValueError, match="utterance 0 .* NaN"):
        greedy_search(model, *collate([model.utterance(3)]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from([BLANK, 4, 5]), min_size=1, max_size=9), min_size=1, max_size=4))
def test_ctc_path_collapses(paths: list[list[int]]) -> None:
    batch, lens = collate(
        [torch.nn.functional.one_hot(torch.tensor(path), 6).float().log_softmax(-1) for path in paths]
    )
    expected = [tuple(token for token, _ in itertools.groupby(path) if token != BLANK) for path in paths]
    assert [found.tokens for found in ctc_greedy(FakeModel(6, 0), batch, lens)] == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3))
def test_ctc_path_is_the_best_one(seed: int, lens: list[int], extra: int) -> None:
    model = FakeModel(n_tokens=6, seed=seed)
    utterances = [model.utterance(n) for n in lens]
    for states, found in zip(utterances, ctc_greedy(model, *collate(utterances, extra)), strict=True):
        best = [max((BLANK, UNK, 4, 5), key=row.__getitem__) for row in states.tolist()]
        total = sum(row[token] for row, token in zip(states.tolist(), best, strict=True))
        assert found.tokens == tuple(token for token, _ in itertools.groupby(best) if token != BLANK)
        assert found.score == pytest.approx(total, abs=1e-9)
        assert found.scores == {"ctc": found.score, "length": len(found.tokens)}
