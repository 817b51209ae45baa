"""Words, their times, and labels that do not overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sights import diagonal

from asr.recognizer.pictures.words import in_lines, row_labels, words_of

PIECES = ["▁", "o", "n", "e", "▁two", "▁$x", "\x1b[3m", "▁नमस्ते", "<unk>", "</s>"]


def test_words_are_named_where_they_were_looked_for():
    words = words_of(PIECES, diagonal(10, 100), (0.0, 10.0))
    assert [word.text for word in words] == ["one", "two", "$x", "नमस्ते?"]
    assert [(word.first, word.last) for word in words] == [(0, 3), (4, 4), (5, 6), (7, 8)]
    assert words[0].time_s == pytest.approx(2.25)
    assert words[1].time_s == pytest.approx(4.45)
    later = words_of(PIECES, diagonal(10, 100), (2.0, 12.0))
    assert [word.time_s - 2.0 for word in later] == pytest.approx([word.time_s for word in words])


def test_no_tokens_are_no_words():
    assert words_of(["</s>"], diagonal(1, 10), (0.0, 1.0)) == []


def test_rows_are_named_by_tokens_while_there_is_room_then_by_words():
    words = words_of(PIECES, diagonal(10, 100), (0.0, 10.0))
    assert list(row_labels(PIECES, words, 10).values()) == ["␣", "o", "n", "e", "two", "$x", "", "नमस्ते", "?", "end"]
    assert row_labels(PIECES, words, 9) == {1.5: "one", 4.0: "two", 5.5: "$x", 7.5: "नमस्ते?"}
    assert row_labels(PIECES, words, 5) == {1.5: "one", 4.0: "two", 7.5: "नमस्ते?"}


labels = st.lists(st.tuples(st.floats(0, 30), st.floats(0.01, 3)), max_size=30)


@given(labels, st.integers(1, 3))
def test_labels_in_a_line_do_not_overlap_and_one_is_left_out_only_for_want_of_room(labels, n_lines):
    times, widths = [time for time, _ in labels], [width for _, width in labels]
    lines = in_lines(times, widths, n_lines)
    edges = [(time - width / 2, time + width / 2) for time, width in labels]
    for a, one in enumerate(lines):
        if one is None:
            overlapped = {lines[b] for b in range(len(labels)) if edges[b][1] > edges[a][0] and times[b] <= times[a]}
            assert overlapped >= set(range(n_lines))
        for b in range(a):
            if one is not None and lines[b] == one:
                assert edges[a][1] <= edges[b][0] + 1e-9 or edges[b][1] <= edges[a][0] + 1e-9
