"""The plan: every utterance once an epoch, never over the budget, always the same."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.corpora.manifest import Utterance
from asr.dataset.plan import BatchPlan, DataError, Planned, StagedPlan, in_order


def utterances(durations: list[float]) -> list[Utterance]:
    return [Utterance(f"u{i}", Path("x.wav"), 0.0, d, "a", "s", "en") for i, d in enumerate(durations)]


def plan_of(
    lengths: list[float],
    batch_s: float,
    n_buckets: int,
    speeds: tuple[float, ...],
    seed: int,
    batch_tokens: int | None = None,
    only_up_to_s: float | None = None,
) -> BatchPlan:
    """A plan over utterances of these lengths, the i-th with i % 7 tokens."""
    n_tokens = np.arange(len(lengths)) % 7
    made, seconds = utterances(lengths), np.array(lengths, np.float64)
    return BatchPlan(made, seconds, n_tokens, batch_s, batch_tokens, n_buckets, speeds, 30.0, seed, only_up_to_s)


durations = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60)


@given(durations, st.floats(1.0, 100.0), st.integers(1, 10), st.integers(0, 3))
def test_an_epoch_holds_every_utterance_once(lengths: list[float], batch_s: float, n_buckets: int, seed: int) -> None:
    plan = plan_of(lengths, batch_s, n_buckets, (0.9, 1.0, 1.1), seed)
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
        return plan_of(lengths, 40.0, 4, (0.9, 1.1), 7)

    asked_before = make()
    for earlier in range(min(step, 20)):
        asked_before.batch(earlier)
    assert asked_before.batch(step) == make().batch(step)


def test_speeds_and_keys_change_with_epoch_and_seed() -> None:
    def draws(seed: int, epoch: int) -> list[tuple[float, int]]:
        plan = plan_of([1.0] * 30, 100.0, 1, (0.9, 1.0, 1.1), seed)
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        return sorted((item.speed, item.key) for step in steps for item in plan.batch(step))

    assert draws(1, 0) == draws(1, 0)
    assert draws(1, 0) != draws(1, 1)
    assert draws(1, 0) != draws(2, 0)
    assert {speed for speed, _ in draws(1, 0)} == {0.9, 1.0, 1.1}


def test_too_long_utterances_are_named() -> None:
    with pytest.raises(DataError, match=r"max_duration_s = 30: u1 \(31.0 s\)"):
        plan_of([1.0, 31.0], 100.0, 1, (1.0,), 1)
    with pytest.raises(DataError, match=r"data\.train"):
        plan_of([], 100.0, 1, (1.0,), 1)


@given(durations, st.floats(1.0, 100.0))
def test_decoding_batches_cover_the_set_within_budget(lengths: list[float], batch_s: float) -> None:
    batches = in_order(lengths, batch_s)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= batch_s


@given(durations, st.floats(1.0, 100.0), st.integers(1, 10))
def test_no_batch_is_heavier_than_the_heaviest(lengths: list[float], batch_s: float, n_buckets: int) -> None:
    plan = plan_of(lengths, batch_s, n_buckets, (0.9, 1.0), 1)
    weights = np.array([(7 * length) % 3 + 0.1 for length in lengths])

    def weight(batch: list[Planned]) -> float:
        return len(batch) * max(weights[item.index] for item in batch)

    heaviest = weight(plan.heaviest(weights))
    assert all(weight(plan.batch(step)) <= heaviest for step in range(2 * plan.steps_per_epoch))


@given(durations, st.integers(1, 30), st.integers(1, 5))
def test_no_batch_holds_more_tokens_than_allowed(lengths: list[float], batch_tokens: int, n_buckets: int) -> None:
    plan = plan_of(lengths, 100.0, n_buckets, (1.0,), 1, batch_tokens)
    for step in range(plan.steps_per_epoch):
        batch = plan.batch(step)
        assert len(batch) == 1 or len(batch) * max(item.index % 7 for item in batch) <= batch_tokens


@given(durations, st.integers(0, 3))
def test_a_batch_comes_longest_first(lengths: list[float], seed: int) -> None:
    plan = plan_of(lengths, 60.0, 3, (1.0,), seed)
    for step in range(plan.steps_per_epoch):
        seconds = [lengths[item.index] for item in plan.batch(step)]
        assert seconds == sorted(seconds, reverse=True)


@given(durations, st.floats(0.1, 30.0), st.integers(1, 9))
def test_a_stage_takes_short_utterances_until_its_end(lengths: list[float], only_up_to_s: float, end: int) -> None:
    lengths = [*lengths, 0.1]
    first, last = plan_of(lengths, 60.0, 3, (1.0,), 1, None, only_up_to_s), plan_of(lengths, 60.0, 3, (1.0,), 1)
    plan = StagedPlan([first, last], [end])
    assert [plan.batch(step) for step in range(end)] == [first.batch(step) for step in range(end)]
    assert all(lengths[item.index] <= only_up_to_s for step in range(end) for item in plan.batch(step))
    assert [plan.batch(end + step) for step in range(5)] == [last.batch(step) for step in range(5)]
    assert plan.steps_per_epoch == last.steps_per_epoch
    first_epoch = [item.index for step in range(first.steps_per_epoch) for item in first.batch(step)]
    assert sorted(first_epoch) == [index for index, length in enumerate(lengths) if length <= only_up_to_s]


def test_a_stage_without_utterances_is_refused() -> None:
    with pytest.raises(DataError, match="max_duration_s = 0.5, but the shortest utterance takes 1.0 s"):
        plan_of([1.0, 2.0], 60.0, 3, (1.0,), 1, None, 0.5)


def test_the_order_is_the_same_everywhere() -> None:
    plan = plan_of([float(number) for number in range(1, 13)], 24.0, 2, (1.0,), 1)
    assert [[item.index for item in plan.batch(step)] for step in range(3)] == [[8, 0], [7], [6, 4]]
