"""Dropout by places: the same law as torch's, at either size."""

import math

import pytest
import torch

from asr.models.dropout import FEWEST_VALUES, Dropout


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_each_value_is_dropped_with_probability_p_by_itself(p: float) -> None:
    torch.manual_seed(0)
    n_draws, dropout = 200, Dropout(p)
    ones = torch.ones(4, FEWEST_VALUES // 4)
    gone = torch.stack([dropout(ones).eq(0) for _ in range(n_draws)]).flatten(1)
    n = gone.numel()
    assert abs(gone.double().mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    # How many go at once varies as it does for independent values, and so does what becomes of neighbours.
    spread = gone.sum(1).double().var() / (gone.shape[1] * p * (1 - p))
    assert abs(spread - 1) < 5 * math.sqrt(2 / n_draws)
    both = (gone[:, 1:] & gone[:, :-1]).double().mean()
    assert abs(both - p * p) < 5 * math.sqrt(p * p / n)
    # No place is special.
    worst = (gone.double().mean(0) - p).abs().max()
    assert worst < 6 * math.sqrt(p * (1 - p) / n_draws)


@pytest.mark.parametrize("n", [64, FEWEST_VALUES])
def test_what_stays_keeps_the_mean_and_the_gradient_goes_the_same_way(n: int) -> None:
    torch.manual_seed(0)
    values = torch.rand(n, dtype=torch.float64).add(0.5).requires_grad_()
    dropped = Dropout(0.2)(values)
    kept = dropped != 0
    assert 0 < int(kept.sum()) < n
    torch.testing.assert_close(dropped[kept], values[kept] / 0.8)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, kept.double() / 0.8)


def test_a_seed_says_what_is_dropped_and_input_stays_as_it_is() -> None:
    values, dropout = torch.ones(2, FEWEST_VALUES // 2).t(), Dropout(0.3)  # not contiguous
    torch.manual_seed(1)
    first = dropout(values)
    torch.manual_seed(1)
    assert dropout(values).equal(first)
    assert not dropout(values).equal(first)
    assert values.eq(1).all()
    assert dropout.eval()(values) is values
