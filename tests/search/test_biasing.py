"""Phrases in search against literal string matching."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from asr.search.beam import SearchSettings, beam_search
from asr.search.biasing import PhraseScorer, bias
from asr.search.phrase_trie import build_trie
from asr.text.normalize import normalize
from asr.text.phrases import Phrase
from asr.text.tokenizer import Tokenizer
from tests.search.fakes import FakeModel, collate

BOTH = (torch.tensor([[0]]), torch.tensor([1]))
KINDS = [("char", None), ("unigram", 16), ("bpe", 24)]
LETTERS = "ab 日本"
TEXTS = st.text(LETTERS, max_size=14)
LISTS = st.lists(
    st.tuples(st.text(LETTERS, min_size=1, max_size=6).map(normalize).filter(bool), st.sampled_from([0.5, 1.0, 3.0])),
    max_size=6,
    unique_by=lambda row: row[0],
).map(lambda rows: [Phrase(*row) for row in rows])


@cache
def tokenizer_of(kind: str, size: int | None) -> Tokenizer:
    return Tokenizer.train(["ab ba abba baab", "aa bb ab aba", "日本 本日 ab日 日a", "b a 日 本 abab"], kind, size)


def is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def worth(text: str, phrases: Sequence[Phrase]) -> float:
    """Counts every occurrence in a text, letter by letter."""
    padded, total = f" {normalize(text)} ", 0.0
    for phrase, weight in phrases:
        pattern = f"{'' if is_wide(phrase[0]) else ' '}{phrase}{'' if is_wide(phrase[-1]) else ' '}"
        places = (start for start in range(len(padded)) if padded.startswith(pattern, start))
        total += weight * len(phrase) * sum(1 for _ in places)
    return total


def gains(phrases: Sequence[Phrase], surfaces: Sequence[str], tokens: Sequence[int]) -> tuple[list[float], float]:
    """What each token adds, and what the end adds."""
    scorer = PhraseScorer(build_trie([phrases], surfaces), 1)
    scorer.start(1)
    found = []
    for token in tokens:
        found.append(scorer.score(torch.tensor([[[Tokenizer.eos, token]]]))[0, 0, 1].item())
        scorer.select(torch.tensor([[0]]), torch.tensor([[token]]))
    return found, scorer.score(torch.tensor([[[Tokenizer.eos]]])).item()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.data(), LISTS.filter(bool))
def test_what_remains_is_what_literal_matching_finds(
    kind: tuple[str, int | None], data: st.DataObject, phrases: list[Phrase]
) -> None:
    """Random tokens: every way to cut a phrase, unknown tokens, blanks in a row, phrases in phrases."""
    tokenizer = tokenizer_of(*kind)
    tokens = data.draw(st.lists(st.sampled_from([1, *range(4, tokenizer.n_tokens)]), max_size=14))
    found, end = gains(phrases, tokenizer.surfaces(), tokens)
    assert sum(found) + end == pytest.approx(worth(tokenizer.decode(tokens), phrases), abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(KINDS), TEXTS, TEXTS, LISTS.filter(bool), st.data())
def test_a_phrase_counts_however_it_is_cut(
    kind: tuple[str, int | None], before: str, after: str, phrases: list[Phrase], data: st.DataObject
) -> None:
    tokenizer = tokenizer_of(*kind)
    text = normalize(f"{before} {phrases[0].text} {after}")
    surfaces = tokenizer.surfaces()
    rest, tokens = f" {text}", []
    while rest:
        fit = [token for token in range(4, len(surfaces)) if rest.startswith(surfaces[token])]
        tokens.append(data.draw(st.sampled_from(fit)))
        rest = rest.removeprefix(surfaces[tokens[-1]])
    found, end = gains(phrases, surfaces, tokens)
    assert sum(found) + end == pytest.approx(worth(text, phrases), abs=1e-9)
    assert sum(found) + end >= phrases[0].weight * len(phrases[0].text)


def test_a_phrase_is_paid_as_it_is_written_and_paid_back_when_it_breaks() -> None:
    tokenizer = tokenizer_of("char", None)
    surfaces = tokenizer.surfaces()
    phrases = [Phrase("abba", 2.0), Phrase("abba a")]
    assert gains(phrases, surfaces, tokenizer.encode("abba")) == ([0, 2, 2, 2, 2], 0)
    assert gains(phrases, surfaces, tokenizer.encode("abbb")) == ([0, 2, 2, 2, -6], 0)
    assert gains(phrases, surfaces, tokenizer.encode("abb")) == ([0, 2, 2, 2], -6)
    # Behind the first phrase its worth is had, and the second's five characters so far are promised.
    assert gains(phrases, surfaces, tokenizer.encode("abba b"))[0] == [0, 2, 2, 2, 2, 5, -5]
    assert gains([Phrase("日本")], surfaces, tokenizer.encode("a日日本本")) == ([0, 0, 1, 0, 1, 0], 0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.lists(LISTS, min_size=2, max_size=4).filter(any), st.integers(0, 9999), st.booleans())
def test_each_utterance_has_its_list(kind: tuple[str, int | None], lists: list, seed: int, shared: bool) -> None:
    """Scores of random hypotheses, moved about, equal those of each alone; one list for all is a list each."""
    if shared:
        lists = [lists[0] or lists[1] or [Phrase("ab")]] * len(lists)
    tokenizer, generator = tokenizer_of(*kind), torch.Generator().manual_seed(seed)
    scorer = PhraseScorer(build_trie(lists[:1] if shared else lists, tokenizer.surfaces()), len(lists))
    scorer.start(3)
    histories: list[list[list[int]]] = [[[], [], []] for _ in lists]

    def drawn(high: int, low: int = 0) -> Tensor:
        return torch.randint(low, high, (len(lists), 3), generator=generator)

    for _ in range(6):
        parents, tokens = drawn(3), drawn(tokenizer.n_tokens, 4)
        scorer.select(parents, tokens)
        rows = zip(histories, parents.tolist(), tokens.tolist(), strict=True)
        histories = [[[*old[w], t] for w, t in zip(p, ts, strict=True)] for old, p, ts in rows]
    candidates = torch.arange(4, tokenizer.n_tokens).expand(len(lists), 3, -1)
    together = scorer.score(torch.cat([torch.full_like(candidates[..., :1], Tokenizer.eos), candidates], -1))
    for b, phrases in enumerate(lists):
        if not phrases:
            assert not together[b].any()
            continue
        alone = PhraseScorer(build_trie([phrases], tokenizer.surfaces()), 1)
        alone.start(1)
        for token in histories[b][1]:
            alone.select(torch.tensor([[0]]), torch.tensor([[token]]))
        assert torch.equal(alone.score(candidates[:1, :1])[0, 0], together[b, 1, 1:])


def fake_surfaces(n_tokens: int) -> list[str]:
    return ["", "?", "", "", " ", *"abcdefghijkl"[: n_tokens - 5]]


def test_a_search_finds_what_it_is_told_to_favour() -> None:
    model = FakeModel(n_tokens=9, seed=1)
    batch = collate([model.utterance(8), model.utterance(12)])
    search = SearchSettings(8, 0.3, max_length_ratio=0.5)
    surfaces = fake_surfaces(9)
    plain = beam_search(model, *batch, search)
    lists = [[Phrase("cab")], [Phrase("bad"), Phrase("d", 0.5)]]
    found = beam_search(model, *batch, search, bias(lists, surfaces, 8.0))
    for phrases, before, (best, *_) in zip(lists, plain, found, strict=True):
        text = "".join(surfaces[token] for token in best.tokens)
        assert best.scores["phrases"] == pytest.approx(worth(text, phrases), abs=1e-9)
        assert best.scores["phrases"] > 0
        assert "phrases" not in before[0].scores
        assert best.tokens != before[0].tokens


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([0.0, 0.4]))
def test_the_joint_score_is_the_sum_and_batches_change_nothing(seed: int, ctc: float) -> None:
    model = FakeModel(n_tokens=10, seed=seed)
    utterances = [model.utterance(n) for n in (3, 9, 14)]
    surfaces = fake_surfaces(10)
    lists = [[Phrase("ab"), Phrase("a")], [], [Phrase("b c a", 2.0), Phrase("ee")]]
    search = SearchSettings(5, ctc, 0.1, n_best=3, max_length_ratio=0.7)
    together = beam_search(model, *collate(utterances, 3), search, bias(lists, surfaces, 0.7))
    for states, phrases, n_best in zip(utterances, lists, together, strict=True):
        alone = beam_search(model, *collate([states]), search, bias([phrases], surfaces, 0.7))[0]
        assert [h.tokens for h in alone] == [h.tokens for h in n_best]
        for hypothesis in n_best:
            found = worth("".join(surfaces[token] for token in hypothesis.tokens), phrases)
            scores = {"ctc": 0.0} | hypothesis.scores
            assert scores["phrases"] == pytest.approx(found, abs=1e-9)
            total = (1 - ctc) * scores["attention"] + ctc * scores["ctc"] + 0.1 * scores["length"] + 0.7 * found
            assert hypothesis.score == pytest.approx(total, abs=1e-9)


def test_no_phrases_are_no_scorer() -> None:
    assert bias([[]], ["a"], 1.0) == []
    assert bias([[], []], ["a"], 1.0) == []


def test_a_wrong_number_of_lists_is_refused() -> None:
    trie = build_trie([[Phrase("ab")], []], fake_surfaces(9))
    with pytest.raises(ValueError, match="2 lists of phrases for 3 utterances"):
        PhraseScorer(trie, 3)


class Counter(TorchDispatchMode):
    """Counts operations on tensors."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.n += 1
        return func(*args, **(kwargs or {}))


def test_no_loop_over_phrases_or_hypotheses() -> None:
    surfaces = tokenizer_of("bpe", 24).surfaces()
    counts = set()
    for n_phrases, n_utterances, width in [(1, 1, 1), (1000, 1, 1), (1, 8, 10)]:
        phrases = [Phrase(f"{number:b}".replace("0", "a").replace("1", "b")) for number in range(n_phrases)]
        scorer = PhraseScorer(build_trie([phrases], surfaces), n_utterances)
        scorer.start(width)
        with Counter() as counter:
            scorer.score(torch.arange(4, 20).expand(n_utterances, width, -1))
        counts.add(counter.n)
    assert max(counts) < 1.1 * min(counts)
