from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.breakdown import frequent_errors, groupings
from asr.scoring.corpus import score
from asr.scoring.errors import ErrorCounts, align_words
from asr.scoring.rows import Known

texts = st.lists(st.sampled_from("abcd"), max_size=60).map(" ".join)
known = st.builds(Known, corpus=st.sampled_from([None, "x", "y"]), duration_s=st.none() | st.floats(0.1, 50))
utterances = st.tuples(texts, texts, known, st.sampled_from([None, "ann", "bob"]), st.none() | st.floats(-20, 80))


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(min_size=1), utterances, min_size=1, max_size=12))
def test_groups_hold_every_utterance_that_is_known_once(rows):
    found = score(
        {id: row[0] for id, row in rows.items()},
        {id: row[1] for id, row in rows.items()},
        {id: row[3] for id, row in rows.items() if row[3]},
        n_resamples=2,
    )
    knowns = {id: row[2] for id, row in rows.items()}
    snrs = {id: row[4] for id, row in rows.items() if row[4] is not None}
    sizes = {
        "By corpus": sum(each.corpus is not None for each in knowns.values()),
        "By speaker": sum(row[3] is not None for row in rows.values()),
        "By length in words": len(rows),
        "By length in seconds": sum(each.duration_s is not None for each in knowns.values()),
        "By signal-to-noise ratio": len(snrs),
    }
    for grouping in groupings(found, knowns, snrs):
        assert sum(group.n_utterances for group in grouping.groups) == sizes[grouping.title]
        assert len({group.name for group in grouping.groups}) == len(grouping.groups) > 1
        if grouping.title == "By length in words":
            assert sum((group.words for group in grouping.groups), ErrorCounts()) == found.words
            assert sum((group.characters for group in grouping.groups), ErrorCounts()) == found.characters


def test_ranges_are_in_order_and_hold_their_lower_bound():
    lengths = [0, 1, 5, 6, 51, 60]
    texts = {f"u{n}": "a " * n for n in lengths}
    (grouping,) = groupings(score(texts, texts, n_resamples=2), {}, {})
    names = [(group.name, group.n_utterances) for group in grouping.groups]
    assert names == [("below 1 words", 1), ("1–5 words", 2), ("6–10 words", 1), ("51 words and more", 2)]
    snrs = {"u0": -1.0, "u1": 0.0, "u5": 39.9, "u6": 40.0}
    grouping = groupings(score(texts, texts, n_resamples=2), {}, snrs)[-1]
    assert [group.name for group in grouping.groups] == ["below 0 dB", "0 to 10 dB", "30 to 40 dB", "40 dB and more"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_frequent_errors_are_all_errors_when_all_are_listed(pairs):
    alignments = [align_words(*pair) for pair in pairs]
    found = frequent_errors(alignments, 1000)
    counted = Counter(pair.operation for alignment in alignments for pair in alignment)
    for operation, listed in (
        ("substitute", found.substitutions),
        ("delete", found.deletions),
        ("insert", found.insertions),
    ):
        assert sum(n for _, n in listed) == counted[operation]
        assert listed == sorted(listed, key=lambda each: (-each[1], each[0]))
    assert frequent_errors(alignments, 2).substitutions == found.substitutions[:2]
