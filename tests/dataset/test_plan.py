"""The plan: every utterance once an epoch, never over the budget, always the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.corpora.manifest import Utterance
from asr.dataset.plan import BatchPlan, DataError, Planned, in_order


def utterances(durations: list[float]) -> list[Utterance]:
    return [Utterance(f"u{i}", Path("x.wav"), 0.0, d, "a", "s", "en") for i, d in enumerate(durations)]


durations = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60)


@given(durations, st.floats(1.0, 100.0), st.integers(1, 10), st.integers(0, 3))
def test_an_epoch_holds_every_utterance_once(lengths: list[float], batch_s: float, n_buckets: int, seed: int) -> None:
    plan = BatchPlan(utterances(lengths), batch_s, n_buckets, (0.9, 1.0, 1.1), 30.0, seed)
    for epoch in range(2):
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        batches = [plan.batch(step) for step in steps]
        assert sorted(item.index for batch in batches for item in batch) == list(range(len(lengths)))
        for batch in batches:
            longest = max(lengths[item.index] / item.speed for item in batch)
            assert len(batch) == 1 or len(batch) * longest <= batch_s + 1e-6


@given(durations, st.integers(0, 200))
def test_a_step_needs_no_history(lengths: list[float], step: int) -> None:
    def make() -> BatchPlan:
        return BatchPlan(utterances(lengths), 40.0, 4, (0.9, 1.1), 30.0, 7)

    asked_before = make()
    for earlier in range(min(step, 20)):
        asked_before.batch(earlier)
    assert asked_before.batch(step) == make().batch(step)


def test_speeds_and_keys_change_with_epoch_and_seed() -> None:
    def draws(seed: int, epoch: int) -> list[tuple[float, int]]:
        plan = BatchPlan(utterances([1.0] * 30), 100.0, 1, (0.9, 1.0, 1.1), 30.0, seed)
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        return sorted((item.speed, item.key) for step in steps for item in plan.batch(step))

    assert draws(1, 0) == draws(1, 0)
    assert draws(1, 0) != draws(1, 1)
    assert draws(1, 0) != draws(2, 0)
    assert {speed for speed, _ in draws(1, 0)} == {0.9, 1.0, 1.1}


def test_too_long_utterances_are_named() -> None:
    with pytest.raises(DataError, match=r"max_duration_s = 30: u1 \(31.0 s\)"):
        BatchPlan(utterances([1.0, 31.0]), 100.0, 1, (1.0,), 30.0, 1)
    with pytest.raises(DataError, match=r"data\.train"):
        BatchPlan([], 100.0, 1, (1.0,), 30.0, 1)


@given(durations, st.floats(1.0, 100.0))
def test_decoding_batches_cover_the_set_within_budget(lengths: list[float], batch_s: float) -> None:
    batches = in_order(utterances(lengths), batch_s)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= batch_s


@given(durations, st.floats(1.0, 100.0), st.integers(1, 10))
def test_no_batch_is_heavier_than_the_heaviest(lengths: list[float], batch_s: float, n_buckets: int) -> None:
    plan = BatchPlan(utterances(lengths), batch_s, n_buckets, (0.9, 1.0), 30.0, 1)
    weights = [(7 * length) % 3 + 0.1 for length in lengths]

    def weight(batch: list[Planned]) -> float:
        return len(batch) * max(weights[item.index] for item in batch)

    heaviest = weight(plan.heaviest(weights))
    assert all(weight(plan.batch(step)) <= heaviest for step in range(2 * plan.steps_per_epoch))
