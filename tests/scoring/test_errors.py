"""Error counts of one utterance against a table of known cases and a literal edit distance."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.errors import ErrorCounts, align_words, character_errors, word_errors
from asr.scoring.sclite import sclite_errors

texts = st.lists(st.sampled_from(["a", "b", "c", "i", "won't"]), max_size=9).map(" ".join)
unicode_texts = st.text(max_size=12)


def levenshtein(ref: list[str], hyp: list[str]) -> int:
    """The textbook recurrence, written to be obviously right."""
    row = list(range(len(hyp) + 1))
    for i, word in enumerate(ref, start=1):
        new = [i]
        for j, other in enumerate(hyp, start=1):
            new.append(min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (word != other)))
        row = new
    return row[-1]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "s_d_i_h"),
    [
        ("", "", (0, 0, 0, 0)),
        ("", "a b", (0, 0, 2, 0)),
        ("a b c", "", (0, 3, 0, 0)),
        ("a", "b", (1, 0, 0, 0)),
        ("i", "i", (0, 0, 0, 1)),
        ("the cat sat", "the cat sat", (0, 0, 0, 3)),
        ("the cat sat", "the bat sat down", (1, 0, 1, 2)),
        ("the cat sat", "cat sat", (0, 1, 0, 2)),
        (" the\tcat\u00a0sat\n", "the cat  sat", (0, 0, 0, 3)),
        ("Cat", "cat", (1, 0, 0, 0)),
        ("don't", "dont", (1, 0, 0, 0)),
        ("été \u4f60\u597d", "ete \u4f60\u597d", (1, 0, 0, 1)),
    ],
)
def test_known_word_counts(reference, hypothesis, s_d_i_h):
    assert word_errors(reference, hypothesis) == ErrorCounts(*s_d_i_h)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "s_d_i_h"),
    [
        ("", "ab", (0, 0, 2, 0)),
        ("ab ", "", (0, 2, 0, 0)),
        ("a  b", " a b", (0, 0, 0, 3)),
        ("ab", "a b", (0, 0, 1, 2)),
        ("kitten", "sitting", (2, 0, 1, 4)),
        ("\u4f60\u597d", "\u4f60", (0, 1, 0, 1)),
    ],
)
def test_known_character_counts(reference, hypothesis, s_d_i_h):
    assert character_errors(reference, hypothesis) == ErrorCounts(*s_d_i_h)


def test_rate_is_honest_when_there_are_no_reference_words():
    assert ErrorCounts().rate == 0.0
    assert word_errors("", "ghost words").rate == math.inf
    assert word_errors("a b", "x y z").rate == 1.5


@settings(deadline=None)  # two busy cores
@given(texts | unicode_texts, texts | unicode_texts)
def test_totals_equal_the_textbook_distance(reference, hypothesis):
    ref, hyp = reference.split(), hypothesis.split()
    counts = word_errors(reference, hypothesis)
    assert counts.n_errors == levenshtein(ref, hyp)
    assert counts.n_reference == len(ref)
    assert counts.hits + counts.substitutions + counts.insertions == len(hyp)
    characters = character_errors(reference, hypothesis)
    assert characters.n_errors == levenshtein(list(" ".join(ref)), list(" ".join(hyp)))


@settings(deadline=None)  # two busy cores
@given(texts | unicode_texts, texts | unicode_texts)
def test_the_alignment_spells_both_texts_and_its_counts(reference, hypothesis):
    pairs = align_words(reference, hypothesis)
    assert [pair.reference for pair in pairs if pair.reference is not None] == reference.split()
    assert [pair.hypothesis for pair in pairs if pair.hypothesis is not None] == hypothesis.split()
    n = {name: sum(pair.operation == name for pair in pairs) for name in ("substitute", "delete", "insert", "equal")}
    assert word_errors(reference, hypothesis) == ErrorCounts(*n.values())
    for pair in pairs:
        assert (pair.operation == "equal") == (pair.reference == pair.hypothesis)
        assert (pair.operation == "delete") == (pair.hypothesis is None)
        assert (pair.operation == "insert") == (pair.reference is None)


@settings(deadline=None)  # two busy cores
@given(texts, texts)
def test_sclite_weights_minimise_their_own_distance(reference, hypothesis):
    weighted, plain = sclite_errors(reference, hypothesis), word_errors(reference, hypothesis)
    assert weighted.n_reference == plain.n_reference
    assert weighted.hits + weighted.substitutions + weighted.insertions == len(hypothesis.split())
    assert weighted.n_errors >= plain.n_errors
    cost = [4 * each.substitutions + 3 * (each.deletions + each.insertions) for each in (weighted, plain)]
    assert cost[0] <= cost[1]


def test_sclite_prefers_a_gap_on_each_side_to_two_substitutions():
    assert word_errors("a b c", "a c d").n_errors == 2
    assert sclite_errors("a b c", "a c d") == ErrorCounts(0, 1, 1, 2)
    assert sclite_errors("", "") == ErrorCounts()
    assert sclite_errors("", "x") == ErrorCounts(0, 0, 1, 0)
    assert sclite_errors("x y", "") == ErrorCounts(0, 2, 0, 0)


def test_long_texts_are_counted():
    reference, hypothesis = "a b c d " * 500, "a c d e " * 500
    assert sclite_errors(reference, hypothesis).n_errors >= word_errors(reference, hypothesis).n_errors
