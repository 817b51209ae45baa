"""Calibration: the definition, and a fit that finds what made the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from asr.scoring.calibration import N_BINS, fit_platt, reliability, sigmoid


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_the_definition_bin_by_bin(words: list[tuple[float, bool]]) -> None:
    far = 0.0
    for number in range(N_BINS):
        inside = [w for w in words if number <= w[0] * N_BINS < number + 1 or (w[0] == 1 and number == N_BINS - 1)]
        if inside:
            accuracy, confidence = (sum(w[i] for w in inside) / len(inside) for i in (1, 0))
            far += len(inside) / len(words) * abs(accuracy - confidence)
    found = reliability([w[0] for w in words], [w[1] for w in words])
    assert found.ece == pytest.approx(far, abs=1e-12)
    assert sum(each.n_words for each in found.bins) == len(words)


def test_known_cases() -> None:
    assert reliability([1.0] * 4, [True] * 4).ece == 0.0
    assert reliability([1.0] * 4, [False] * 4).ece == 1.0
    assert reliability([0.8] * 10, [True] * 8 + [False] * 2).ece == pytest.approx(0.0)
    assert reliability([0.9] * 10, [True] * 5 + [False] * 5).ece == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(5))
def test_the_fit_is_the_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(300, 2)) * [3.0, 1.0] + 1.0
    right = rng.random(300) < sigmoid(1.0 + evidence @ [0.7, 0.4])
    bias, weights = fit_platt(evidence, right)
    n = right.sum()
    targets = np.where(right, (n + 1) / (n + 2), 1 / (302 - n))

    def loss(w: np.ndarray) -> float:
        log_odds = w[0] + evidence @ w[1:]
        return float((np.logaddexp(0, log_odds) - targets * log_odds).sum())

    best = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-9}).fun
    assert loss(np.array([bias, *weights])) == pytest.approx(best, abs=1e-5)


def test_a_fit_calibrates() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(20_000, 1)) * 3
    right = rng.random(20_000) < sigmoid(0.5 + 0.3 * evidence[:, 0])
    assert reliability(sigmoid(evidence[:, 0]).tolist(), right).ece > 0.1
    bias, weights = fit_platt(evidence[:10_000], right[:10_000])
    assert reliability(sigmoid(bias + evidence[10_000:] @ weights).tolist(), right[10_000:]).ece < 0.03


def test_odd_data_have_finite_fits() -> None:
    rising = np.arange(10.0)[:, None]
    bias, (weight,) = fit_platt(rising, rising[:, 0] > 4.5)
    assert 0 < weight < 10
    assert sigmoid(bias + weight * 9) > 0.8
    assert fit_platt(rising, [True] * 10)[1][0] == pytest.approx(0.0, abs=1e-6)
    assert fit_platt(-rising, rising[:, 0] > 4.5)[1] == [0.0], "evidence never counts against"
    bias, weights = fit_platt(np.ones((10, 2)), [True] * 9 + [False])
    assert sigmoid(bias + sum(weights)) == pytest.approx(0.9, abs=0.1)
