import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from asr.search.beam import SearchSettings, _fill_places, beam_search, n_candidates
from asr.search.greedy import greedy_search
from asr.search.hypothesis import Hypothesis
from asr.search.scorers import OtherScorer
from tests.search.fakes import EOS, SOS, UNK, FakeModel, collate, ctc_distribution, log, prefix_score, transcripts

SEEDS = st.integers(0, 99_999)
TOKENS = (UNK, 4, 5)
NEVER = math.inf  # a threshold that never stops a hypothesis from ending


class Oracle:
    """Scores transcripts one by one, from definitions only."""

    def __init__(self, model: FakeModel, states: Tensor, search: SearchSettings) -> None:
        self.speller, self.search = model.speller, search
        self.batch = collate([states])
        self.ctc = ctc_distribution(states)
        self.max_length = max(1, math.floor(len(states) * search.max_length_ratio))

    def next_log_probs(self, history: tuple[int, ...]) -> list[Tensor]:
        memory = self.speller.memory(*self.batch)
        state, rows = self.speller.start(memory, 1), []
        for token in (SOS, *history):
            log_probs, _, state = self.speller.step(torch.tensor([[token]]), state, memory)
            rows.append(log_probs[0, 0])
        return rows

    def joint(self, attention: float, ctc: float, n_tokens: int) -> float:
        weight = self.search.ctc_weight
        share = weight * ctc if weight > 0 else 0.0
        return (1 - weight) * attention + share + self.search.length_bonus * n_tokens

    def may_end(self, tokens: tuple[int, ...], last: Tensor) -> bool:
        if len(tokens) == self.max_length:
            return True
        if self.search.ctc_weight > 0 and all(prefix_score(self.ctc, (*tokens, t)) == -math.inf for t in TOKENS):
            return True
        return bool(last[EOS] > self.search.eos_threshold * max(last[token] for token in TOKENS))

    def ranking(self) -> list[tuple[float, tuple[int, ...]]]:
        """All transcripts that are possible, best first, with their scores."""
        found = []
        for tokens in transcripts(TOKENS, self.max_length):
            rows = self.next_log_probs(tokens)
            if not self.may_end(tokens, rows[-1]):
                continue
            attention = math.fsum(row[token].item() for row, token in zip(rows, (*tokens, EOS), strict=True))
            score = self.joint(attention, log(self.ctc.get(tokens, 0.0)), len(tokens))
            if score > -math.inf:
                found.append((score, tokens))
        return sorted(found, reverse=True)


@settings(max_examples=50, deadline=None)
@given(
    SEEDS,
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    st.sampled_from([-1.0, 0.0, 0.5, 3.0]),
    st.sampled_from([NEVER, 1.5, 0.8]),
)
def test_a_wide_beam_equals_exhaustive_search(seed: int, n: int, ctc: float, bonus: float, threshold: float) -> None:
    model = FakeModel(n_tokens=6, seed=seed)
    states = model.utterance(n)
    search = SearchSettings(200, ctc, bonus, threshold, max_length_ratio=1.0, n_best=12)
    oracle = Oracle(model, states, search)
    truth = oracle.ranking()[:12]
    (found,) = beam_search(model, *collate([states], extra=2), search)
    assert [hypothesis.tokens for hypothesis in found] == [tokens for _, tokens in truth]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([score for score, _ in truth], abs=1e-9)
    for hypothesis in found:
        assert hypothesis.finish == ("max_length" if len(hypothesis.tokens) == oracle.max_length else "eos")


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.lists(st.integers(1, 25), min_size=1, max_size=5), st.floats(0.2, 1.5), st.integers(0, 4))
def test_beam_one_equals_greedy(seed: int, lens: list[int], ratio: float, extra: int) -> None:
    model = FakeModel(n_tokens=8, seed=seed)
    batch = collate([model.utterance(n) for n in lens], extra)
    found = beam_search(model, *batch, SearchSettings(1, 0.0, 0.0, NEVER, ratio))
    assert [n_best[0] for n_best in found] == greedy_search(model, *batch, ratio)
    assert all(len(n_best) == 1 for n_best in found)


def assert_same(found: list[Hypothesis], expected: list[Hypothesis]) -> None:
    assert [(h.tokens, h.finish) for h in found] == [(h.tokens, h.finish) for h in expected]
    for hypothesis, other in zip(found, expected, strict=True):
        assert hypothesis.score == pytest.approx(other.score, abs=1e-9)
        assert hypothesis.scores == pytest.approx(other.scores, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    SEEDS,
    st.permutations([1, 2, 3, 7, 7, 11, 15, 16, 20, 23, 28, 30, 33, 34, 39, 40]),
    st.sampled_from([(1, 0.3), (3, 0.0), (5, 0.3), (10, 0.6)]),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_the_batch_changes_nothing(seed: int, lens: list[int], widths: tuple[int, float], dtype: torch.dtype) -> None:
    """Batches of 1, 2 and 16, in any order, with NaN in the padding."""
    model = FakeModel(n_tokens=12, seed=seed)
    model.speller.table = model.speller.table.to(dtype)
    utterances = [model.utterance(n).to(dtype) for n in lens]
    search = SearchSettings(widths[0], widths[1], 0.2, 1.5, 0.5, n_best=min(3, widths[0]))
    together = beam_search(model, *collate(utterances, extra=5), search)
    for b in range(0, 16, 2):
        pair = beam_search(model, *collate(utterances[b : b + 2]), search)
        for c in (0, 1):
            assert_same(together[b + c], pair[c])
            assert_same(together[b + c], beam_search(model, *collate([utterances[b + c]]), search)[0])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 25), st.sampled_from([0.0, 0.3]), st.sampled_from([-0.5, 0.0, 0.4, 2.5]))
def test_stopping_loses_nothing(seed: int, n_states: int, ctc: float, bonus: float) -> None:
    """A longer n-best list searches on for longer, and must not find a better start of the list."""
    model = FakeModel(n_tokens=9, seed=seed)
    batch = collate([model.utterance(n_states), model.utterance(n_states // 2)])
    search = SearchSettings(6, ctc, bonus, 1.5, 1.0, n_best=6)
    longest = beam_search(model, *batch, search)
    for n_best in (1, 3):
        for found, expected in zip(beam_search(model, *batch, replace(search, n_best=n_best)), longest, strict=True):
            assert_same(found, expected[:n_best])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.4, 1.0]), st.floats(-1, 1))
def test_scores_add_up(seed: int, ctc: float, bonus: float) -> None:
    model = FakeModel(n_tokens=9, seed=seed)
    states = model.utterance(15)
    (found,) = beam_search(model, *collate([states]), SearchSettings(5, ctc, bonus, n_best=5))
    oracle = Oracle(model, states[:1], SearchSettings())
    oracle.batch = collate([states])
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    for hypothesis in found:
        rows = oracle.next_log_probs(hypothesis.tokens)
        attention = sum(row[token].item() for row, token in zip(rows, (*hypothesis.tokens, EOS), strict=True))
        assert hypothesis.scores["attention"] == pytest.approx(attention, abs=1e-9)
        assert hypothesis.scores["length"] == len(hypothesis.tokens)
        score = (1 - ctc) * attention + bonus * len(hypothesis.tokens) + ctc * hypothesis.scores.get("ctc", 0.0)
        assert hypothesis.score == pytest.approx(score, abs=1e-9)
        assert ("ctc" in hypothesis.scores) == (ctc > 0)


def test_ctc_score_is_that_of_the_whole_transcript() -> None:
    model = FakeModel(n_tokens=9, seed=5)
    states = model.utterance(12)
    (found,) = beam_search(model, *collate([states]), SearchSettings(8, 0.5, n_best=8))
    for hypothesis in found:
        loss = torch.nn.functional.ctc_loss(
            states,
            torch.tensor(hypothesis.tokens),
            torch.tensor(12),
            torch.tensor(len(hypothesis.tokens)),
            reduction="sum",
        )
        assert hypothesis.scores["ctc"] == pytest.approx(-loss.item(), abs=1e-9)


def test_weight_zero_equals_absent() -> None:
    model = FakeModel(n_tokens=9, seed=2)
    model.ctc_log_probs = None  # calling it would raise
    (found,) = beam_search(model, *collate([model.utterance(12)]), SearchSettings(4, 0.0))
    assert set(found[0].scores) == {"attention", "length"}


class Taste:
    """Likes and dislikes of single tokens: table (V,)."""

    def __init__(self, table: Tensor) -> None:
        self.table = table

    def start(self, width: int) -> None:
        pass

    def score(self, candidates: Tensor) -> Tensor:
        return self.table[candidates]

    def select(self, parents: Tensor, tokens: Tensor) -> None:
        pass


def test_other_scorers_join_and_those_of_weight_zero_do_not() -> None:
    model = FakeModel(n_tokens=9, seed=2)
    batch, search = collate([model.utterance(12), model.utterance(8)]), SearchSettings(6, n_best=6)
    table = torch.randn(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    others = [
        OtherScorer("taste", 0.5, lambda states, lens: Taste(table), most=0.5 * table.amax().item()),
        OtherScorer("absent", 0.0, lambda states, lens: pytest.fail("not to be made")),
    ]
    for n_best in beam_search(model, *batch, search, others):
        for found in n_best:
            taste = table[list(found.tokens)].sum() + table[EOS]
            assert found.scores["taste"] == pytest.approx(taste.item(), abs=1e-12)
            joint = 0.7 * found.scores["attention"] + 0.3 * found.scores["ctc"] + 0.5 * found.scores["taste"]
            assert found.score == pytest.approx(joint, abs=1e-12)
    assert beam_search(model, *batch, search, others[1:]) == beam_search(model, *batch, search)
    with pytest.raises(ValueError, match="'taste': expected a name"):
        beam_search(model, *batch, search, others[:1] * 2)


def test_the_search_goes_on_while_another_scorer_may_turn_it() -> None:
    """Each token costs 2 and is worth 5 to the other scorer; to end at once costs 0.1."""
    model = FakeModel(n_tokens=6, seed=2)
    model.speller.table[:] = torch.tensor([-9.0, -9.0, -9.0, -0.1, -2.0, -9.0])
    table = torch.tensor([0, 0, 0, 0, 5.0, 0])
    liking = OtherScorer("taste", 1.0, lambda states, lens: Taste(table.double()), most=5.0)
    (found,) = beam_search(model, *collate([model.utterance(6)]), SearchSettings(2, 0.0), [liking])
    assert found[0].tokens == (4,) * 6


@pytest.mark.parametrize(("threshold", "n_tokens"), [(1.5, 3), (2.5, 0)])
def test_the_end_must_pass_its_threshold(threshold: float, n_tokens: int) -> None:
    """The end's log-probability is twice that of the best token: too little for 1.5, enough for 2.5."""
    model = FakeModel(n_tokens=6, seed=2)
    model.speller.table[:] = torch.tensor([-9.0, -9.0, -9.0, -1.0, -0.5, -9.0])
    search = SearchSettings(3, 0.0, -5.0, threshold, max_length_ratio=1.0)
    (found,) = beam_search(model, *collate([model.utterance(3)]), search)
    assert len(found[0].tokens) == n_tokens
    assert found[0].finish == ("max_length" if n_tokens else "eos")


def test_what_ctc_cannot_spell_may_end_against_the_threshold() -> None:
    """The speller never wants to end, and the bound is far beyond what CTC can spell in two states."""
    model = FakeModel(n_tokens=6, seed=2)
    model.speller.table[:, EOS] = -60.0
    (found,) = beam_search(
        model, *collate([model.utterance(2)]), SearchSettings(4, 0.3, max_length_ratio=5.0, n_best=4)
    )
    assert found
    assert all(len(hypothesis.tokens) <= 2 and hypothesis.finish == "eos" for hypothesis in found)


def test_ties_go_to_the_end_then_to_the_token_that_the_speller_likes_better() -> None:
    model = FakeModel(n_tokens=7, seed=0)
    model.speller.table[:] = -2.0
    batch = collate([model.utterance(3), model.utterance(2)])
    search = SearchSettings(3, 0.0, 0.0, NEVER, n_best=3)
    assert [h.tokens for h in beam_search(model, *batch, search)[0]] == [(), (1,), (4,)]
    model.speller.table[:, EOS] = -40.0
    assert [h.tokens for h in beam_search(model, *batch, search)[1]] == [(1, 1), (1, 4), (1, 5)]


def test_a_broken_model_is_an_error() -> None:
    model = FakeModel(n_tokens=7, seed=0)
    states = model.utterance(3)
    states[1] = torch.nan
    with pytest.raises(ValueError, match="utterance 1 .* NaN"):
        beam_search(model, *collate([model.utterance(3), states]), SearchSettings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("beam_size", 0),
        ("ctc_weight", 1.1),
        ("ctc_weight", math.nan),
        ("length_bonus", math.inf),
        ("coverage_bonus", -1.0),
        ("eos_threshold", 0.0),
        ("max_length_ratio", 0.0),
        ("n_best", 11),
    ],
)
def test_settings_without_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} = {value}: expected"):
        SearchSettings(**{name: value})


@pytest.mark.parametrize("n_columns", [1, 2, 4, 15, 40])
def test_places_are_filled_as_by_beams_of_their_size(n_columns: int) -> None:
    """Against a literal search, place by place; ties go to the better-placed hypothesis, then to the lower column."""
    draws = torch.Generator().manual_seed(n_columns)
    scores = torch.randint(-20, 0, (50, 10, n_columns), generator=draws).double()
    scores[:, 4:][torch.rand(50, 6, generator=draws) < 0.3] = -torch.inf
    found = _fill_places(scores)
    for b, rows in enumerate(scores.tolist()):
        taken: set[tuple[int, int]] = set()
        for place in range(10):
            open_to_it = [
                (-score, parent, column)
                for parent, row in enumerate(rows[: place + 1])
                for column, score in enumerate(row[: n_candidates(place + 1)])
                if (parent, column) not in taken
            ]
            cost, *best = min(open_to_it)
            taken.add((best[0], best[1]))
            assert [-cost, *best] == [each[b, place].item() for each in found]
