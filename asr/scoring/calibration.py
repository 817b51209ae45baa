"""Do confidences mean what they say? How far they are from the share that is right, and what brings them nearer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_BINS = 15
_N_NEWTON, _RIDGE = 50, 1e-6  # the ridge only keeps the equations solvable where a piece of evidence never varies


@dataclass(frozen=True, slots=True)
class Bin:
    """Words of similar confidence: how many, their mean confidence and the share of them that is right."""

    n_words: int
    confidence: float
    share_right: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How well confidences fit.

    Attributes:
        ece: Expected calibration error: the mean over all words of the distance between their bin's mean confidence and
            its share of right ones (Guo et al. 2017, equation 3).
        bins: Those of `N_BINS` equal bins between 0 and 1 that hold words, lowest first.
    """

    ece: float
    bins: tuple[Bin, ...]


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> Reliability:
    """Compares confidences of words, between 0 and 1, with whether each is right."""
    given, truth = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    places = np.minimum((given * N_BINS).astype(np.int64), N_BINS - 1)
    bins = [
        Bin(int(inside.sum()), float(given[inside].mean()), float(truth[inside].mean()))
        for inside in (places == number for number in range(N_BINS))
        if inside.any()
    ]
    far = sum(each.n_words * abs(each.confidence - each.share_right) for each in bins)
    return Reliability(far / max(len(given), 1), tuple(bins))


def sigmoid(log_odds: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Log-odds to probabilities, without overflow."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(log_odds, dtype=np.float64)))


def fit_platt(evidence: NDArray[np.floating], right: Sequence[bool]) -> tuple[float, list[float]]:
    """Fits probabilities sigmoid(bias + evidence · weights) to what is right (Platt 1999).

    Platt's targets, (n₊ + 1) / (n₊ + 2) for what is right and 1 / (n₋ + 2) for what is not, keep the fit finite where
    evidence parts both without a fault, or nothing is wrong. No weight is negative: evidence that would count against
    what it speaks for is left out.

    Args:
        evidence: (n, k), higher for what is likelier right.
        right: n.

    Returns:
        Bias and k weights.
    """
    truth = np.asarray(right, dtype=bool)
    n_right = int(truth.sum())
    targets = np.where(truth, (n_right + 1) / (n_right + 2), 1 / (len(truth) - n_right + 2))
    kept = list(range(evidence.shape[1]))
    while True:
        bias, *weights = _newton(np.column_stack([np.ones(len(truth)), evidence[:, kept]]), targets)
        if min(weights, default=0.0) >= 0.0:
            return bias, [weights[kept.index(place)] if place in kept else 0.0 for place in range(evidence.shape[1])]
        kept.pop(int(np.argmin(weights)))


def _newton(columns: NDArray[np.floating], targets: NDArray[np.floating]) -> list[float]:
    """Minimises the cross-entropy of a logistic model; each step is halved until it does not climb."""
    weights = np.zeros(columns.shape[1])

    def loss(weights: NDArray[np.floating]) -> float:
        log_odds = columns @ weights
        return float((np.logaddexp(0.0, log_odds) - targets * log_odds).sum())

    for _ in range(_N_NEWTON):
        found = sigmoid(columns @ weights)
        slope = columns.T @ (found - targets)
        curve = (columns.T * (found * (1 - found))) @ columns + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while loss(weights - size * step) > loss(weights) and size > 1e-9:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return [float(weight) for weight in weights]
