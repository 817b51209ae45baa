"""Training state on disk: what comes back is what went in, bit for bit, and no pickle is involved."""

import copy
import json
import random
import resource
import signal
import stat
from contextlib import suppress
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


def equal(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


@settings(deadline=None)
@given(
    st.recursive(
        st.integers(0, 9).map(lambda number: torch.tensor([number])),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "0", "1", "a'", 0, 1]), inner)
        ),
        max_leaves=8,
    )
)
def test_tensors_keep_their_places_whatever_the_keys(state):
    tensors, packed = pack_state(state)
    assert equal(state, unpack_state(tensors, json.loads(json.dumps(packed))))


words = st.sampled_from(["dict", "tuple", "tensor", "state", "x"])
json_values = st.recursive(
    plain | words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=2), max_leaves=8
)


@settings(deadline=None)
@given(json_values)
def test_damaged_json_gives_a_state_or_our_error(packed):
    with suppress(CheckpointError):
        unpack_state({"state": torch.ones(1)}, packed)


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


def test_a_disk_that_refuses_is_our_error_with_its_reason(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"absent/weights: could not be written .*No such file"):
        save_tensors(tmp_path / "absent" / "weights", {"a": torch.ones(3)})


def test_a_file_too_large_for_the_disk_is_our_error(tmp_path: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match=r"weights: could not be written .*File too large"):
            save_tensors(tmp_path / "weights", {"a": torch.ones(3000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_whoever_may_read_the_folders_files_may_read_weights(tmp_path: Path):
    (tmp_path / "plain").touch()
    save_tensors(tmp_path / "weights", {"a": torch.ones(3)})
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_loaded_tensors_need_their_file_no_more(tmp_path: Path):
    path = tmp_path / "weights"
    save_tensors(path, {"a": torch.ones(5000)})
    loaded = load_tensors(path)
    assert str(path) not in Path("/proc/self/maps").read_text()  # a mapping of a file that goes ends the process
    path.write_bytes(b"")
    assert loaded["a"].sum() == 5000
