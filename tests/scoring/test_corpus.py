"""Corpus scores: joined by id, summed once, nothing lost."""

import math
import random
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.corpus import bootstrap_interval, by_id, score
from asr.scoring.errors import ErrorCounts, ScoringError, word_errors

texts = st.lists(st.sampled_from(["a", "b", "c"]), max_size=5).map(" ".join)
corpora = st.dictionaries(st.text(min_size=1), st.tuples(texts, texts), min_size=1, max_size=8)


@settings(deadline=None)  # two busy cores
@given(corpora, st.randoms(use_true_random=False))
def test_sums_and_order(pairs, rng):
    references = {id: pair[0] for id, pair in pairs.items()}
    hypotheses = {id: pair[1] for id, pair in pairs.items()}
    result = score(references, hypotheses, n_resamples=20)
    assert reduce(add, (each.words for each in result.utterances)) == result.words
    assert reduce(add, (word_errors(*pair) for pair in pairs.values())) == result.words
    assert result.n_wrong == sum(reference != hypothesis for reference, hypothesis in pairs.values())
    shuffled = list(hypotheses.items())
    rng.shuffle(shuffled)
    again = score(dict(reversed(list(references.items()))), dict(shuffled), n_resamples=20)
    assert again == result


def test_one_word_errors_count():
    # Cases where other scorers have said 0.0: one-character texts, and texts in another order.
    assert score({"1": "a", "2": "hello world"}, {"1": "b", "2": "hello world"}).wer == pytest.approx(1 / 3)
    references = {"1": "i", "2": "hello world", "3": "yes please"}
    result = score(references, {"1": "hello world", "2": "i", "3": "yes please"})
    assert result.words == ErrorCounts(2, 1, 1, 2)
    assert result.ser == pytest.approx(2 / 3)


def test_empty_references_count():
    result = score({"noise": "", "speech": "a b"}, {"noise": "ghost", "speech": "a b"})
    assert result.wer == 0.5
    assert score({"noise": ""}, {"noise": "ghost"}).wer == math.inf
    assert score({"noise": ""}, {"noise": "ghost"}).wer_interval == (math.inf, math.inf)
    assert score({"noise": ""}, {"noise": ""}).wer == 0.0


def test_corpus_rate_is_not_the_mean_of_rates():
    result = score({"1": "a", "2": "a b c d e f g h i"}, {"1": "b", "2": "a b c d e f g h i"})
    assert result.wer == 0.1


def test_missing_extra_and_duplicate_ids_are_listed():
    with pytest.raises(ScoringError, match=r"2 utterance id\(s\) without a hypothesis: b, c"):
        score({"a": "x", "b": "x", "c": "x"}, {"a": "x"})
    with pytest.raises(ScoringError, match=r"1 utterance id\(s\) without a reference: z"):
        score({"a": "x"}, {"a": "x", "z": "x"})
    with pytest.raises(ScoringError, match=r"1 utterance id\(s\) more than once in list: a"):
        by_id([("a", "x"), ("b", "x"), ("a", "x")], "list")
    with pytest.raises(ScoringError, match=r"50 utterance.*, …"):
        score({str(i): "" for i in range(50)}, {})
    with pytest.raises(ScoringError, match="nothing to score"):
        score({}, {})


def test_speakers_are_summed():
    result = score({"1": "a b", "2": "c", "3": "d"}, {"1": "a", "2": "c", "3": "d"}, {"1": "ann", "2": "bob"})
    assert result.by_speaker() == {"ann": ErrorCounts(0, 1, 0, 1), "bob": ErrorCounts(0, 0, 0, 1)}


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = random.Random(0)
    rate, n_words, n_utterances, n_trials = 0.1, 10, 80, 200
    covered = 0
    for _ in range(n_trials):
        errors = [sum(rng.random() < rate for _ in range(n_words)) for _ in range(n_utterances)]
        low, high = bootstrap_interval([ErrorCounts(n, 0, 0, n_words - n) for n in errors], n_resamples=1000)
        covered += low <= rate <= high
    assert 0.90 <= covered / n_trials <= 0.985


def test_interval_is_fixed_by_its_seed_and_blocks_change_nothing(monkeypatch):
    counts = [ErrorCounts(i % 3, 0, 0, 5) for i in range(50)]
    whole = bootstrap_interval(counts)
    assert whole == bootstrap_interval(counts)
    monkeypatch.setattr("asr.scoring.corpus._BLOCK_CELLS", 100)
    assert bootstrap_interval(counts) == whole
    assert whole[0] < sum(each.n_errors for each in counts) / sum(each.n_reference for each in counts) < whole[1]
