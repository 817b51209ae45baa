"""Training state on disk: what comes back is what went in, bit for bit, and no pickle is involved."""

import copy
import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from asr.training.checkpoint import CheckpointError
from asr.training.tensors import load_tensors, pack_state, save_tensors, unpack_state

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)  # two busy cores
@given(nested)
def test_any_nested_state_survives_json(state):
    tensors, packed = pack_state(state)
    assert unpack_state(tensors, json.loads(json.dumps(packed))) == state


def train(model: nn.Module, optimizer: torch.optim.Optimizer, n_steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(n_steps):
        optimizer.zero_grad()
        model(torch.randn(8, 5, generator=generator)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("amsgrad", [False, True])
def test_adamw_round_trip_is_bit_exact(tmp_path: Path, amsgrad: bool):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    groups = [{"params": model[0].parameters(), "lr": 0.1 / 3}, {"params": model[2].parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), amsgrad=amsgrad)
    train(model, optimizer, 3)
    tensors, packed = pack_state(optimizer.state_dict())
    save_tensors(tmp_path / "optimizer.safetensors", tensors)
    (tmp_path / "optimizer.json").write_text(json.dumps(packed))

    twin = copy.deepcopy(model)
    again = torch.optim.AdamW([{"params": twin[0].parameters()}, {"params": twin[2].parameters()}])
    loaded = load_tensors(tmp_path / "optimizer.safetensors")
    again.load_state_dict(unpack_state(loaded, json.loads((tmp_path / "optimizer.json").read_text())))
    assert again.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]
    train(model, optimizer, 3)
    train(twin, again, 3)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, twin.state_dict()[name])
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            other = again.state_dict()["state"][index][key]
            assert other.dtype == value.dtype
            assert torch.equal(other, value)


def test_random_generators_survive():
    state = {"torch": torch.get_rng_state(), "python": random.getstate()}
    tensors, packed = pack_state(state)
    back = unpack_state(tensors, json.loads(json.dumps(packed)))
    expected = random.random()
    random.setstate(back["python"])
    assert random.random() == expected
    assert torch.equal(back["torch"], state["torch"])


def test_odd_tensors_and_equal_bytes(tmp_path: Path):
    shared = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "turned": shared.t(),
        "tied": shared,
        "rows": shared[1:],
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 2),
        "half": torch.ones(2).bfloat16(),
        "also empty": torch.empty(0),
    }
    save_tensors(tmp_path / "a", tensors)
    save_tensors(tmp_path / "b", dict(reversed(list(tensors.items()))))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = load_tensors(tmp_path / "a")
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], value) and back[name].dtype == value.dtype for name, value in tensors.items())


def test_what_is_not_plain_is_refused_by_place():
    with pytest.raises(CheckpointError, match=r"state\.a\.1: a set"):
        pack_state({"a": [0, set()]})
    with pytest.raises(CheckpointError, match="missing"):
        unpack_state({}, {"tensor": "state.x"})


def test_a_broken_or_missing_file_is_named(tmp_path: Path):
    (tmp_path / "weights").write_bytes(b"\x80\x04K\x01.")
    for name in ("weights", "absent"):
        with pytest.raises(CheckpointError, match=name):
            load_tensors(tmp_path / name)
