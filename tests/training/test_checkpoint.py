"""Checkpoint directories: every corruption is seen, every failure keeps the old one, kill -9 loses nothing."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from faulty_disk import Turn, dies, fails, in_child, spoilt_calls

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


def content_of(path: Path) -> dict[str, bytes]:
    verify_directory(path)
    return {file.name: file.read_bytes() for file in path.iterdir() if file.name != "MANIFEST.json"}


OLD, NEW, NEXT = ({"a": word * 99, "b": b"b" + word} for word in (b"old", b"new", b"next"))


def run_of_three(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("step-1", "step-2", "best"):
        write(folder / name, OLD)
    return folder


def save(path: Path) -> None:
    write(path, NEW)
    prune(path.parent, keep=2)


def check_what_is_left(folder: Path, name: str, saved: bool) -> None:
    """After a spoilt save, and after the next one on a sound disk."""
    latest = latest_checkpoint(folder)
    if name == "best":
        assert latest == folder / "step-2"
        best = folder / "best" if (folder / "best").exists() else folder / ".old-best"
        assert content_of(best) in ([NEW] if saved else [OLD, NEW])
    else:
        assert latest in ([folder / name] if saved else [folder / name, folder / "step-2"])
        assert content_of(latest) == (NEW if latest.name == name else OLD)
    write(folder / "step-4", NEXT)
    assert content_of(folder / "best") in (OLD, NEW)
    assert content_of(latest_checkpoint(folder)) == NEXT
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.filterwarnings("ignore:.*could not be removed", "ignore:skipping")
@pytest.mark.parametrize("name", ["step-3", "best"])
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_whichever_call_fails_a_whole_one_is_found(tmp_path, error, lasting, name):
    outcomes = []
    while True:
        folder = run_of_three(tmp_path / "exp")
        turn = Turn(len(outcomes), fails(error), lasting)
        saved = False
        with spoilt_calls(turn), suppress(CheckpointError):
            save(folder / name)
            saved = True
        if not turn.came:
            break
        check_what_is_left(folder, name, saved)
        outcomes.append(saved)
    assert saved
    assert len(outcomes) > 40
    assert {True, False} == set(outcomes)


@pytest.mark.parametrize("name", ["step-3", "best"])
def test_at_whichever_call_a_save_is_killed_a_whole_one_is_found(tmp_path, name):
    for number in count():
        folder = run_of_three(tmp_path / "exp")

        def spoilt_save(folder=folder, number=number):
            with spoilt_calls(Turn(number, dies, lasting=False)):
                save(folder / name)

        status = in_child(spoilt_save)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        check_what_is_left(folder, name, saved=False)
    assert number > 40


def test_finding_a_checkpoint_changes_nothing(tmp_path):
    for step in (1, 2, 3):
        write(tmp_path / f"step-{step}", CONTENT)
    (tmp_path / "step-3").rename(tmp_path / ".old-step-3")  # killed between the two renames
    (tmp_path / ".tmp-step-4").mkdir()  # or still writing
    before = sorted(tmp_path.rglob("*"))
    assert latest_checkpoint(tmp_path) == tmp_path / ".old-step-3"
    assert sorted(tmp_path.rglob("*")) == before
    recover(tmp_path)
    assert latest_checkpoint(tmp_path) == tmp_path / "step-3"


def unreadable(path: Path, how: str) -> None:
    path.unlink()
    if how == "folder":
        path.mkdir()
    else:
        path.symlink_to({"circle of links": path.name, "EIO": "/proc/self/mem"}[how])


@pytest.mark.parametrize("how", ["folder", "circle of links", "EIO"])
@pytest.mark.parametrize("name", ["weights.bin", "MANIFEST.json"])
def test_an_unreadable_file_leads_to_the_one_before(tmp_path, name, how):
    for step in (1, 2):
        write(tmp_path / f"step-{step}", CONTENT)
    unreadable(tmp_path / "step-2" / name, how)
    with pytest.warns(UserWarning, match=r"skipping .*step-2"):
        assert latest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_a_file_or_a_dangling_link_called_like_a_checkpoint_is_skipped(tmp_path):
    write(tmp_path / "step-1", CONTENT)
    (tmp_path / "step-2").write_text("?")
    (tmp_path / "step-3").symlink_to("nowhere")
    with pytest.warns(UserWarning, match="skipping"):
        assert latest_checkpoint(tmp_path) == tmp_path / "step-1"


def test_a_folder_that_cannot_be_listed_is_no_empty_one(tmp_path):
    write(tmp_path / "step-1", CONTENT)
    for ask in (latest_checkpoint, lambda folder: prune(folder, keep=1)):
        with (
            spoilt_calls(Turn(0, fails(errno.EACCES), lasting=True)),
            pytest.raises(CheckpointError, match="cannot be listed .*Permission"),
        ):
            ask(tmp_path)


def test_prune_counts_only_what_still_has_its_bits(tmp_path):
    for step in range(1, 5):
        write(tmp_path / f"step-{step}", CONTENT)
    flipped = tmp_path / "step-4" / "weights.bin"
    flipped.write_bytes(b"\1" + flipped.read_bytes()[1:])
    assert prune(tmp_path, keep=2) == [tmp_path / "step-1"]


def test_prune_leaves_what_the_disk_will_not_remove_and_says_so(tmp_path, monkeypatch):
    for step in (1, 2, 3):
        write(tmp_path / f"step-{step}", CONTENT)
    monkeypatch.setattr(os, "rename", lambda *_: fails(errno.EROFS)())
    with pytest.warns(UserWarning, match=r"step-\d: could not be removed .*Read-only"):
        assert prune(tmp_path, keep=1) == []
    monkeypatch.undo()
    (tmp_path / ".tmp-step-1").mkdir()  # of a prune that was killed
    (tmp_path / ".tmp-step-1" / "half").touch()
    assert prune(tmp_path, keep=1) == [tmp_path / "step-2", tmp_path / "step-1"]
    assert [path.name for path in tmp_path.iterdir()] == ["step-3"]


def test_links_are_replaced_and_pruned_but_never_followed(tmp_path):
    write(tmp_path / "elsewhere" / "kept", CONTENT)
    folder = tmp_path / "exp"
    folder.mkdir()
    for name in ("step-1", "best", ".tmp-best", ".old-best"):
        (folder / name).symlink_to(tmp_path / "elsewhere" / "kept")
    (folder / ".tmp-file").touch()
    write(folder / "best", NEW)
    write(folder / "step-2", NEW)
    assert prune(folder, keep=1) == [folder / "step-1"]
    assert sorted(path.name for path in folder.iterdir()) == ["best", "step-2"]
    assert content_of(folder / "best") == NEW
    assert content_of(tmp_path / "elsewhere" / "kept") == CONTENT


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
