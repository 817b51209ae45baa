"""However many processes and micro-batches share a step, it is the same step."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from launch import launch
from learning import OBJECTIVE, SETTINGS, Plain, learn, make_batch, make_model

from asr.ranks.group import Ranks
from asr.training.learner import Learner, LearnerSettings

PROGRAM = Path(__file__).with_name("learning.py")


@pytest.fixture(scope="module")
def alone() -> dict[str, list[float]]:
    return learn(Ranks(), n_micro=1)


def equal(found: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    for name in expected:
        torch.testing.assert_close(torch.tensor(found[name]), torch.tensor(expected[name]), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_several_ranks_take_the_step_of_one(alone, n_ranks):
    for status, out, err in launch(PROGRAM, n_ranks, "1"):
        assert status == 0, err
        equal(json.loads(out), alone)


def test_ranks_with_micro_batches_take_the_step_of_one(alone):
    for status, out, err in launch(PROGRAM, 2, "2"):
        assert status == 0, err
        equal(json.loads(out), alone)


@pytest.mark.parametrize("n_micro", [2, 3])
def test_micro_batches_take_the_step_of_one(alone, n_micro):
    equal(learn(Ranks(), n_micro), alone)


def test_a_gradient_that_is_not_finite_changes_nothing():
    learner = Learner(make_model(), OBJECTIVE, LearnerSettings(**SETTINGS), Ranks())
    batch = make_batch([1, 2])
    broken = replace(batch, samples=batch.samples.where(batch.samples.abs() < 0.05, 1e200))
    before = [weights.detach().clone() for weights in learner.model.parameters()]
    step = learner.step(0, [broken], Plain())
    assert not math.isfinite(step.gradient_norm)
    assert all(map(torch.equal, before, learner.model.parameters()))
    assert math.isfinite(learner.step(0, [batch], Plain()).gradient_norm)


def test_a_long_gradient_is_cut_and_a_short_one_is_not():
    for clip_norm in (1e-3, 1e3):
        learner = Learner(make_model(), OBJECTIVE, LearnerSettings(**SETTINGS | {"clip_norm": clip_norm}), Ranks())
        step = learner.step(0, [make_batch([1, 2, 3])], Plain())
        applied = torch.cat([weights.grad.flatten() for weights in learner.model.parameters()]).norm()
        assert applied == pytest.approx(min(clip_norm, step.gradient_norm), rel=1e-2)


def test_the_mean_of_the_weights_follows_them_and_is_used_inside_only():
    learner = Learner(make_model(), OBJECTIVE, LearnerSettings(**SETTINGS | {"ema_decay": 0.5}), Ranks())
    first = next(learner.model.parameters())
    mean = first.detach().clone()
    for number in range(4):
        learner.step(number, [make_batch([number])], Plain())
        decay = min(0.5, (1 + number) / (10 + number))
        mean = decay * mean + (1 - decay) * first.detach()
    now = first.detach().clone()
    with learner.averaged():
        torch.testing.assert_close(first.detach(), mean)
        assert not torch.equal(first, now)
    assert torch.equal(first, now)


def test_a_learner_goes_on_from_its_state_to_the_bit():
    learner = Learner(make_model(), OBJECTIVE, LearnerSettings(**SETTINGS | {"ema_decay": 0.9}), Ranks())
    learner.step(0, [make_batch([1])], Plain())
    other = Learner(make_model(), OBJECTIVE, LearnerSettings(**SETTINGS | {"ema_decay": 0.9}), Ranks())
    other.model.load_state_dict(learner.model.state_dict())
    tensors, packed = learner.state()
    other.load_state({name: tensor.clone() for name, tensor in tensors.items()}, packed)
    for each in (learner, other):
        each.step(1, [make_batch([2])], Plain())
    assert all(map(torch.equal, learner.model.parameters(), other.model.parameters()))
    with learner.averaged(), other.averaged():
        assert all(map(torch.equal, learner.model.parameters(), other.model.parameters()))


def test_bf16_stays_near_and_keeps_weights_in_float32():
    losses = {}
    for precision in ("fp32", "bf16"):
        learner = Learner(
            make_model().float(), OBJECTIVE, LearnerSettings(**SETTINGS | {"precision": precision}), Ranks()
        )
        batch = make_batch([1, 2, 3])
        losses[precision] = [learner.step(0, [replace(batch, samples=batch.samples.float())], Plain()) for _ in "ab"]
        assert all(weights.dtype == torch.float32 for weights in learner.model.parameters())
    for exact, rough in zip(losses["fp32"], losses["bf16"], strict=True):
        assert rough.joint == pytest.approx(exact.joint, rel=0.02) and rough.joint != exact.joint
