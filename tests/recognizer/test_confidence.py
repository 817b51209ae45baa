"""Evidence as defined, and what a calibration makes of it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asr.recognizer.confidence import CALIBRATION_FILE, Calibration, evidence_of, raw_confidence
from asr.search.ctc_align import ctc_align
from asr.search.hypothesis import Hypothesis
from asr.training.checkpoint import CheckpointError

LOG_PROBS = torch.randn(1, 30, 8, generator=torch.Generator().manual_seed(0)).mul(3).log_softmax(-1)
TOKENS = [4, 5, 5, 6, 7]
(ALIGNED,) = ctc_align(LOG_PROBS, torch.tensor([30]), [TOKENS])


def hypothesis(gains: list[float] | None) -> Hypothesis:
    each = {} if gains is None else {"attention": tuple(gains), "length": (1.0,) * 5}
    return Hypothesis(tuple(TOKENS), -1.0, {}, "eos", each)


def odds(log_prob: float) -> float:
    return math.log(math.exp(log_prob) / (1 - math.exp(log_prob)))


def test_evidence_is_that_of_the_weakest_token() -> None:
    found = evidence_of([1, 2, 3], hypothesis([-0.1, -0.2, -3.0, -0.4, -9.0, -9.0]), ALIGNED, True)
    best = [max(LOG_PROBS[0, ALIGNED.starts[p] : ALIGNED.ends[p], TOKENS[p]].tolist()) for p in (1, 2, 3)]
    assert found == {"speller": pytest.approx(odds(-3.0)), "ctc": pytest.approx(odds(min(best)), rel=1e-5)}
    assert raw_confidence(found) == pytest.approx(math.exp(-3.0))


def test_what_is_not_known_is_left_out() -> None:
    gains = [-0.1] * 6
    assert evidence_of([0], hypothesis(None), None, False) == {}
    assert raw_confidence({}) is None
    assert evidence_of([0], hypothesis(gains), None, False).keys() == {"speller"}
    assert evidence_of([0], hypothesis(None), ALIGNED, True).keys() == {"ctc"}
    assert evidence_of([0], hypothesis(gains), None, True)["ctc"] < -19, "CTC could never have said so much"
    sure = evidence_of([0], hypothesis([0.0] * 6), ALIGNED, True)
    assert math.isfinite(sure["speller"])
    assert raw_confidence(sure) > 0.999


@given(st.floats(-20, 10), st.floats(-20, 10), st.floats(0, 5))
def test_more_evidence_never_means_less_confidence(speller: float, ctc: float, more: float) -> None:
    rng = np.random.default_rng(0)
    table = [{"speller": float(a), "ctc": float(b)} for a, b in rng.normal(size=(200, 2)) * 3]
    fitted = Calibration.fit(table, [each["speller"] + each["ctc"] > rng.normal() for each in table])
    confidence = fitted.confidence({"speller": speller, "ctc": ctc})
    assert 0.0 <= confidence <= fitted.confidence({"speller": speller + more, "ctc": ctc + more}) <= 1.0


def test_a_calibration_is_kept_and_what_is_none_is_refused(tmp_path) -> None:
    fitted = Calibration(0.5, {"speller": 1.25, "ctc": 0.0}, 100, 7)
    assert Calibration.load(tmp_path) is None
    (tmp_path / CALIBRATION_FILE).write_bytes(fitted.to_json())
    assert Calibration.load(tmp_path) == fitted
    assert not fitted.covers({"ctc": 1.0})
    for broken in (
        "",
        "[]",
        '{"bias": 1}',
        '{"bias": 1, "weights": {"ctc": "x"}, "n_words": 1, "n_wrong": 0}',
        "\udcff",
    ):
        (tmp_path / CALIBRATION_FILE).write_bytes(broken.encode(errors="surrogateescape"))
        with pytest.raises(CheckpointError, match=r"calibration\.json: no calibration.*asr calibrate"):
            Calibration.load(tmp_path)
