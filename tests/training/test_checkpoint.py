"""Checkpoint directories: every corruption is seen, every failure keeps the old one, kill -9 loses nothing."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr.training import checkpoint
from asr.training.checkpoint import (
    CheckpointError,
    latest_checkpoint,
    prune,
    recover,
    verify_directory,
    write_directory,
)

CONTENT = {"weights.bin": bytes(range(64)), "state.json": b'{"step": 7}'}


def write(path: Path, content: dict[str, bytes]) -> None:
    write_directory(path, {name: lambda target, data=data: target.write_bytes(data) for name, data in content.items()})


def test_a_written_directory_verifies_and_leaves_nothing_behind(tmp_path):
    write(tmp_path / "exp" / "best", CONTENT)
    verify_directory(tmp_path / "exp" / "best")
    assert [entry.name for entry in (tmp_path / "exp").iterdir()] == ["best"]
    assert {name: (tmp_path / "exp/best" / name).read_bytes() for name in CONTENT} == CONTENT


def test_replacing_a_directory_removes_its_old_files(tmp_path):
    write(tmp_path / "best", CONTENT)
    write(tmp_path / "best", {"other": b"x"})
    verify_directory(tmp_path / "best")
    assert sorted(entry.name for entry in (tmp_path / "best").iterdir()) == ["MANIFEST.json", "other"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["best"]


def test_bit_flips_and_truncations_of_every_file_are_detected(tmp_path):
    path = tmp_path / "step-1"
    write(path, CONTENT)
    n_faults = 0
    for file in path.iterdir():
        good = file.read_bytes()
        # All bits of the data; of the longer manifest, one bit of every byte.
        bits = [(i, bit) for i in range(len(good)) for bit in range(8) if file.name in CONTENT or bit == i % 8]
        damaged = [good[:i] + bytes([good[i] ^ (1 << bit)]) + good[i + 1 :] for i, bit in bits]
        damaged += [good[:i] for i in range(len(good))] + [good + b"\0"]
        for data in damaged:
            file.write_bytes(data)
            with pytest.raises(CheckpointError, match=r"step-1"):
                verify_directory(path)
            n_faults += 1
        file.write_bytes(good)
    verify_directory(path)
    assert n_faults > 1000


@pytest.mark.parametrize("name", [*CONTENT, "MANIFEST.json"])
def test_a_missing_file_is_named(tmp_path, name):
    write(tmp_path / "best", CONTENT)
    (tmp_path / "best" / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: missing"):
        verify_directory(tmp_path / "best")


def test_an_extra_file_is_named(tmp_path):
    write(tmp_path / "best", CONTENT)
    (tmp_path / "best" / "stray").touch()
    with pytest.raises(CheckpointError, match=r"stray: not listed"):
        verify_directory(tmp_path / "best")


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "MANIFEST.json"])
def test_odd_file_names_are_refused(tmp_path, name):
    with pytest.raises(CheckpointError, match="plain file name"):
        write(tmp_path / "best", {name: b""})


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_in_any_file_keeps_the_old(tmp_path):
    write(tmp_path / "best", CONTENT)
    with pytest.raises(CheckpointError, match=r"best.*No space left"):
        write_directory(tmp_path / "best", {"a": lambda p: p.write_bytes(b"half"), "b": no_space})
    verify_directory(tmp_path / "best")
    assert [entry.name for entry in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize("n_calls", range(1, 6))
def test_a_failing_fsync_keeps_a_good_copy(tmp_path, monkeypatch, n_calls):
    write(tmp_path / "best", CONTENT)
    calls = []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) == n_calls:
            no_space()

    monkeypatch.setattr(checkpoint.os, "fsync", fsync)
    with pytest.raises(CheckpointError):
        write(tmp_path / "best", CONTENT)
    monkeypatch.undo()
    recover(tmp_path)
    verify_directory(tmp_path / "best")


def test_a_failing_rename_puts_the_old_back(tmp_path, monkeypatch):
    write(tmp_path / "best", {"a": b"old"})
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda s, t: no_space() if s.name.startswith(".tmp-") else rename(s, t))
    with pytest.raises(CheckpointError):
        write(tmp_path / "best", {"a": b"new"})
    assert (tmp_path / "best" / "a").read_bytes() == b"old"
    verify_directory(tmp_path / "best")


def test_any_other_error_of_a_writer_passes_and_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write_directory(tmp_path / "best", {"a": lambda _: 1 // 0})
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_writer_are_cleaned_and_the_copy_aside_is_put_back(tmp_path):
    write(tmp_path / "best", CONTENT)
    (tmp_path / "best").rename(tmp_path / ".old-best")  # killed between the two renames
    (tmp_path / ".tmp-step-3").mkdir()
    write(tmp_path / "step-4", CONTENT)
    verify_directory(tmp_path / "best")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["best", "step-4"]


def test_latest_is_by_number_and_skips_the_damaged_with_a_warning(tmp_path):
    for step in (9, 10, 11):
        write(tmp_path / f"step-{step}", CONTENT)
    (tmp_path / "step-x").mkdir()
    assert latest_checkpoint(tmp_path) == tmp_path / "step-11"
    (tmp_path / "step-11" / "weights.bin").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"skipping .*step-11"):
        assert latest_checkpoint(tmp_path) == tmp_path / "step-10"


def test_no_checkpoint_is_none(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None


def test_prune_keeps_the_newest_good_ones(tmp_path):
    for step in range(1, 6):
        write(tmp_path / f"step-{step}", CONTENT)
    write(tmp_path / "best", CONTENT)
    (tmp_path / "step-5" / "weights.bin").unlink()
    removed = prune(tmp_path, keep=2)
    assert sorted(path.name for path in removed) == ["step-1", "step-2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "step-3", "step-4", "step-5"]
    with pytest.raises(ValueError, match="at least 1"):
        prune(tmp_path, keep=0)


SAVE_LOOP = """
import sys
from itertools import count
from pathlib import Path
from asr.training.checkpoint import latest_checkpoint, prune, write_directory
folder = Path(sys.argv[1])
latest = latest_checkpoint(folder)
print("ready", flush=True)
for step in count(int(latest.name[5:]) + 1 if latest else 1):
    files = {name: lambda path: path.write_bytes(str(step).encode() * 20000) for name in "abc"}
    write_directory(folder / f"step-{step}", files)
    write_directory(folder / "best", files)
    prune(folder, keep=2)
"""


@pytest.mark.filterwarnings("error")
def test_kill_never_leaves_an_unreadable_latest(tmp_path):
    rng = random.Random(0)
    steps = []
    for _ in range(10):
        command = [sys.executable, "-c", SAVE_LOOP, str(tmp_path)]
        root = Path(checkpoint.__file__).parents[2]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(root)})
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0.02, 0.15))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        latest = latest_checkpoint(tmp_path)
        steps.append(int(latest.name[5:]) if latest else 0)
        if (tmp_path / "best").exists():
            verify_directory(tmp_path / "best")
    assert steps == sorted(steps)
    assert steps[-1] > 0
