import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.scoring.errors import ScoringError
from asr.scoring.labels import Judged, score_labels, wilson_interval, write_label_report

ROWS = [("1", "yes", "yes"), ("2", "yes", "no"), ("3", "no", "no"), ("4", "may be", "no"), ("5", "yes", "no")]
JUDGED = [Judged(id_, reference, label, 0.75) for id_, reference, label in ROWS]


def test_accuracy_confusion_and_labels_that_cannot_be_told():
    score = score_labels(JUDGED, ["no", "yes"])
    assert (score.n_correct, score.accuracy) == (2, 0.4)
    assert score.confusion == {"may be": {"no": 1}, "no": {"no": 1}, "yes": {"no": 2, "yes": 1}}
    assert score.unknown == {"may be": 1}
    first, second, third = score.lines
    assert first.startswith("accuracy 40.00 % [ 2 / 5 ], 95 % interval 11.76 %–76.93 %")  # Wilson's, by hand
    assert second == "most often taken for another: 'yes' for 'no' (2), 'may be' for 'no' (1)"
    assert third == "1 utterances have labels that the model cannot tell: 'may be' (1)"


def test_a_perfect_score_still_has_an_interval():
    score = score_labels(JUDGED[:1] * 250, ["yes"])
    assert len(score.lines) == 1
    assert score.interval[0] == pytest.approx(1 / (1 + 1.959964**2 / 250))
    assert score.interval[1] == pytest.approx(1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_ends_are_the_shares_from_which_the_observed_is_just_not_too_far(counts):
    n_correct, n = counts
    for end in wilson_interval(n_correct, n):
        assert 0 <= end <= 1
        if 0 < end < 1:
            assert (n_correct / n - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / n, rel=1e-6, abs=1e-12)


def test_intervals_shrink_with_the_number_of_utterances():
    widths = [high - low for low, high in (wilson_interval(9 * n, 10 * n) for n in (1, 10, 100))]
    assert all(wider > narrower for wider, narrower in pairwise(widths))


def test_what_is_written(tmp_path):
    write_label_report(tmp_path / "out", score_labels(JUDGED, ["no", "yes"]), {"manifest": "x"})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.json", "labels.tsv"}
    lines = (tmp_path / "out" / "labels.tsv").read_text().splitlines()
    assert lines[0] == "id\treference\tlabel\tprobability" and lines[4] == "4\tmay be\tno\t0.750000"
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["accuracy"], results["n_correct"], results["about"]) == (40.0, 2, {"manifest": "x"})
    assert results["confusion"]["yes"] == {"no": 2, "yes": 1}


def test_nothing_to_score_is_refused():
    with pytest.raises(ScoringError, match="no utterances"):
        score_labels([], ["a"])
