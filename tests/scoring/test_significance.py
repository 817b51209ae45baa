"""Two tests of a difference against literal loops, known probabilities, and NIST's sc_stats where it is installed."""

import math
import random
import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.errors import ErrorCounts
from asr.scoring.sclite import sclite_alignment, sclite_errors
from asr.scoring.significance import matched_pairs, paired_bootstrap, segment_differences
from asr.scoring.trn import format_trn

texts = st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join)


def counts(*pairs):
    return [ErrorCounts(n_errors, 0, 0, n_words - n_errors) for n_errors, n_words in pairs]


def literal_bootstrap(a, b, n_resamples, seed):
    """Equations of the paper, one corpus after the other."""
    rng = np.random.default_rng(seed)
    differences = []
    for draw in rng.integers(len(a), size=(n_resamples, len(a))):
        n_words = sum(a[i].n_reference for i in draw)
        differences.append(sum(b[i].n_errors for i in draw) / n_words - sum(a[i].n_errors for i in draw) / n_words)
    return differences


def test_bootstrap_is_the_literal_loop(monkeypatch):
    rng = random.Random(3)
    a = counts(*((rng.randint(0, 3), rng.randint(3, 9)) for _ in range(40)))
    b = [ErrorCounts(rng.randint(0, each.n_reference), 0, 0, 0) for each in a]
    b = [
        ErrorCounts(each.substitutions // 2, 0, 0, x.n_reference - each.substitutions // 2)
        for each, x in zip(b, a, strict=True)
    ]
    found = paired_bootstrap(a, b, n_resamples=400, seed=7)
    drawn = np.array(literal_bootstrap(a, b, 400, 7))
    drawn[np.abs(drawn) < 1e-12] = 0.0
    assert found.difference == pytest.approx(
        sum(y.n_errors - x.n_errors for x, y in zip(a, b, strict=True)) / sum(x.n_reference for x in a)
    )
    assert found.interval == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975], method="nearest")))
    n_low, n_high = (drawn < 0).sum(), (drawn > 0).sum()
    assert found.b_better == pytest.approx((n_low + (400 - n_low - n_high) / 2) / 400)
    assert found.p_value == pytest.approx(min(1.0, 2 * (400 - max(n_low, n_high) + 1) / 401))
    monkeypatch.setattr("asr.scoring.significance._BLOCK_CELLS", 100)
    assert paired_bootstrap(a, b, n_resamples=400, seed=7) == found


def test_bootstrap_of_equals_and_of_extremes():
    a = counts((1, 5), (0, 5), (2, 5))
    same = paired_bootstrap(a, a, n_resamples=50)
    assert (same.difference, same.interval, same.p_value, same.b_better) == (0.0, (0.0, 0.0), 1.0, 0.5)
    worse = paired_bootstrap(a, counts((2, 5), (1, 5), (3, 5)), n_resamples=999)
    assert worse.p_value == 2 / 1000 and worse.b_better == 0.0 and worse.difference == pytest.approx(0.2)
    ghost = paired_bootstrap([ErrorCounts()], [ErrorCounts(insertions=1)], n_resamples=9)
    assert ghost.difference == math.inf


def test_bootstrap_swapped_is_its_mirror():
    rng = random.Random(1)
    a, b = ([*counts(*((rng.randint(0, 2), 5) for _ in range(30)))] for _ in range(2))
    one, other = paired_bootstrap(a, b, n_resamples=500), paired_bootstrap(b, a, n_resamples=500)
    assert one.difference == -other.difference and one.p_value == other.p_value
    assert one.b_better == pytest.approx(1 - other.b_better)


def test_bootstrap_says_significant_as_rarely_as_it_should():
    rng = np.random.default_rng(5)
    n_trials, n_false = 200, 0
    for _ in range(n_trials):
        a, b = (counts(*((int(n), 10) for n in rng.binomial(10, 0.1, size=60))) for _ in range(2))
        n_false += paired_bootstrap(a, b, n_resamples=300).p_value < 0.05
    assert n_false / n_trials < 0.1


@pytest.mark.parametrize("z", [0.5, 1.0, 1.959964, 2.575829, 4.0])
def test_matched_pairs_has_the_normal_p_value(z):
    # Mean and deviation of n values ±1 around a shift are exact, so the statistic is known.
    n = 400
    values = [1] * (n // 2) + [-1] * (n // 2)
    shift = z * math.sqrt(n / (n - 1)) / math.sqrt(n)
    found = matched_pairs([value + shift for value in values])
    assert found.statistic == pytest.approx(z)
    assert found.p_value == pytest.approx(math.erfc(z / math.sqrt(2)))
    stats = pytest.importorskip("scipy.stats")
    assert found.p_value == pytest.approx(2 * stats.norm.sf(z))
    assert found.statistic == pytest.approx(stats.ttest_1samp([value + shift for value in values], 0).statistic)


def test_matched_pairs_where_nothing_varies():
    assert matched_pairs([]).p_value == matched_pairs([3]).p_value == matched_pairs([0, 0]).p_value == 1.0
    assert matched_pairs([1, 1, 1]).p_value == 0.0


def literal_segments(reference, a, b):
    """Marks words good or bad one by one, then cuts at runs of two good words."""
    marks = []  # per word of the reference and per gap: (is a word, errors of A, errors of B)
    sides = []
    for hypothesis in (a, b):
        side = [["gap", 0]]
        for pair in sclite_alignment(reference, hypothesis):
            if pair.operation == "insert":
                side[-1][1] += 1
            else:
                side += [["word", 0 if pair.operation == "equal" else 1], ["gap", 0]]
        sides.append(side)
    marks = [(kind, x, y) for (kind, x), (_, y) in zip(*sides, strict=True)]
    good = [kind == "word" and x == y == 0 for kind, x, y in marks]
    cut = set()
    for i in range(1, len(marks) - 2, 2):
        if good[i] and good[i + 2] and marks[i + 1][1:] == (0, 0):
            cut |= {i + 1}
    segments, current = [], []
    for i, mark in enumerate(marks):
        if i in cut:
            segments.append(current)
            current = []
        current.append(mark)
    segments.append(current)
    sums = [(sum(x for _, x, _ in each), sum(y for _, _, y in each)) for each in segments]
    return [x - y for x, y in sums if x or y]


@settings(deadline=None)
@given(texts, texts, texts)
def test_segments_are_those_of_a_literal_reading_and_lose_no_error(reference, a, b):
    found = segment_differences(sclite_alignment(reference, a), sclite_alignment(reference, b))
    assert found == literal_segments(reference, a, b)
    assert sum(found) == sclite_errors(reference, a).n_errors - sclite_errors(reference, b).n_errors
    swapped = segment_differences(sclite_alignment(reference, b), sclite_alignment(reference, a))
    assert swapped == [-difference for difference in found]


def corrupted(rng, words, rate):
    found = []
    for word in words:
        draw = rng.random()
        found += [] if draw < rate / 3 else ["x"] if draw < 2 * rate / 3 else [word, "y"] if draw < rate else [word]
    return " ".join(found)


@pytest.mark.skipif(not shutil.which("sctk"), reason="NIST's sc_stats (Debian: sctk) is absent")
@pytest.mark.parametrize("rates", [(0.2, 0.26), (0.5, 0.5), (0.02, 0.03)])
def test_sc_stats_agrees(tmp_path, rates):
    rng = random.Random(2)
    ids = [f"s{i % 5}-{i:03d}" for i in range(200)]
    references = {id: " ".join(rng.choices("abcdefgh", k=rng.randint(1, 14))) for id in ids}
    hypotheses = [{id: corrupted(rng, text.split(), rate) for id, text in references.items()} for rate in rates]
    (tmp_path / "ref").write_text(format_trn(references))
    marked_up = b""
    for name, side in zip("ab", hypotheses, strict=True):
        (tmp_path / name).write_text(format_trn(side))
        command = f"sctk sclite -s -i spu_id -r ref trn -h {name} trn {name} -o sgml stdout".split()
        marked_up += subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    command = ["sctk", "sc_stats", "-p", "-t", "mapsswe", "-v", "-n", "told"]
    subprocess.run(command, cwd=tmp_path, input=marked_up, capture_output=True, check=True)
    told = "".join(path.read_text(errors="replace") for path in tmp_path.glob("told*"))
    figures = re.search(r"# segs: (\d+)\).*mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\)", told)
    assert figures
    found = matched_pairs(
        [
            difference
            for id in ids
            for difference in segment_differences(*(sclite_alignment(references[id], side[id]) for side in hypotheses))
        ]
    )
    assert found.n_segments == int(figures[1])
    assert (found.mean, found.deviation, found.statistic) == pytest.approx(
        [float(each) for each in figures.groups()[1:]], abs=5.1e-4
    )
