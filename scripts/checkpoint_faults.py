"""How scripts/prove_checkpoint spoils saves: system calls that fail or never return, and disks that do."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from checkpoint_trials import Skipped, Snapshot, Tally, faults_of, load

from asr.training.checkpoint import CheckpointError, latest_checkpoint, prune, recover

READING = ["openat", "read", "newfstatat", "getdents64"]
WRITING = ["write", "writev", "pwrite64", "ftruncate", "fsync", "utimensat", "chmod", "fchmod", "fchmodat"]
NAMING = ["rename", "renameat", "renameat2", "mkdir", "rmdir", "unlink", "unlinkat"]
CALLS = [*READING, *WRITING, *NAMING]  # all that a save asks of the disk
SAVED, REFUSED, WRONG_ERROR = 0, 3, 4  # how a child that saves ends
N_ROOMS = 40  # sizes of the room left on a full disk, from none to more than a checkpoint takes


def calls(folder: Path, snapshots: list[Snapshot], in_place: bool, fault: str, lasting: bool) -> Tally:
    """Saves with the first system call spoilt, then the second, to the last one.

    Args:
        folder: Where, afresh each time.
        snapshots: Four.
        in_place: Replace `best`, not write a new checkpoint.
        fault: What strace injects: error=ENOSPC, signal=SIGKILL.
        lasting: Spoil all later calls, too.
    """
    path = folder / ("best" if in_place else "step-3")
    status, trace = traced(partial(save_and_prune, snapshots[2], path), [], begin(folder, snapshots))
    assert status == SAVED, trace
    tally, made = Tally(), Counter[str]()
    for number, call in enumerate(trace):
        # strace counts each kind of call by itself.
        spoilt = CALLS if lasting else [call]
        how = [f"inject={each}:{fault}:when={made[each] + 1}{'+' * lasting}" for each in spoilt]
        made[call] += 1
        status, _ = traced(partial(save_and_prune, snapshots[2], path), how, begin(folder, snapshots))
        outcome = {SAVED: "saved all the same", REFUSED: "refused", -signal.SIGKILL: "killed"}.get(status, "WRONG")
        tally.add(outcome, after(folder, path.name, snapshots, status), f"call {number}, {call}")
    return tally


def begin(folder: Path, snapshots: list[Snapshot]) -> Path:
    """What a run has before the save: two checkpoints and a best model. Returns the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for step in (1, 2):
        snapshots[step - 1].save(folder / f"step-{step}")
    snapshots[0].save(folder / "best")
    return folder


def save_and_prune(snapshot: Snapshot, path: Path) -> None:
    """One save as the trainer does it."""
    snapshot.save(path)
    prune(path.parent, keep=2)


def after(folder: Path, name: str, snapshots: list[Snapshot], status: int) -> list[str]:
    """What is wrong after a spoilt save, and after the next one on a sound disk."""
    faults = [] if status in (SAVED, REFUSED, -signal.SIGKILL) else [f"ended with {status}"]
    new = {name: snapshots[2]}
    if name == "best":
        faults += faults_of(latest_checkpoint(folder), {"step-2": snapshots[1]})
        wanted = {snapshots[2].sha256()} if status == SAVED else {snapshots[0].sha256(), snapshots[2].sha256()}
        found = folder / "best" if (folder / "best").exists() else folder / ".old-best"
        faults += [] if sha256_or_none(found) in wanted else ["best is neither the old nor the new one"]
        recover(folder)
        faults += [] if sha256_or_none(folder / "best") in wanted else ["best is lost"]
    else:
        faults += faults_of(latest_checkpoint(folder), new if status == SAVED else {"step-2": snapshots[1], **new})
    save_and_prune(snapshots[3], folder / "step-4")
    faults += faults_of(latest_checkpoint(folder), {"step-4": snapshots[3]})
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return faults + ([f"left behind after the next save: {left}"] if left else [])


def sha256_or_none(path: Path) -> str | None:
    """Of what loads from there."""
    try:
        return load(path).sha256()
    except CheckpointError:
        return None


def traced(action: Callable[[], None], how: list[str], folder: Path) -> tuple[int, list[str]]:
    """Runs an action in a child under strace; its exit status, and the names of its system calls on files.

    Raises:
        Skipped: There is no strace, or it may not.
    """
    if shutil.which("strace") is None:
        raise Skipped("no strace on this machine")
    log = folder.with_suffix(".strace")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # waited for, and so never lost
    child = os.fork()
    if child == 0:
        signal.sigwait({signal.SIGUSR1})
        try:
            action()
            os._exit(SAVED)
        except CheckpointError:
            os._exit(REFUSED)
        except BaseException:
            os._exit(WRONG_ERROR)
    options = [word for each in how for word in ("-e", each)]
    command = ["strace", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *options, "-p", str(child)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while "TracerPid:\t0" in Path(f"/proc/{child}/status").read_text() and tracer.poll() is None:
        time.sleep(0.001)
    os.kill(child, signal.SIGUSR1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if tracer.wait():
        raise Skipped(f"strace: {tracer.stderr.read().strip()}")
    return status, re.findall(r"^(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)


@contextmanager
def mounted(where: Path, *options: str) -> Iterator[Path]:
    """A file system on `where` for a while.

    Raises:
        Skipped: This machine does not let us mount.
    """
    where.mkdir(exist_ok=True)
    run("mount", *options, str(where))
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


@contextmanager
def tmpfs(where: Path, size: int) -> Iterator[Path]:
    """A file system in memory of `size` bytes."""
    with mounted(where, "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as folder:
        yield folder


@contextmanager
def ext4(image: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes in the sparse file `image`."""
    image.touch()
    os.truncate(image, size)
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=1", str(image))
    with mounted(image.with_suffix(".mounted"), "-o", "loop", str(image)) as folder:
        yield folder


def run(*command: str) -> None:
    """Runs a tool of the system.

    Raises:
        Skipped: It is not there or does not do it.
    """
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Skipped(f"no {command[0]} on this machine") from None
    except subprocess.CalledProcessError as error:
        raise Skipped(f"{command[0]}: {error.stderr.strip()}") from None


def try_to_save(snapshot: Snapshot, path: Path, between: Callable[[], None] = lambda: None) -> str:
    """The outcome in a word: saved, or the error that stopped it."""
    try:
        snapshot.save(path, between)
    except CheckpointError as error:
        return next((word for word in WORDS if word in str(error)), str(error))
    return "saved"


WORDS = ("No space left on device", "Input/output error", "Read-only file system")


def full_disk(disk: Path, snapshots: list[Snapshot]) -> Tally:
    """Saves with less and less room beside an earlier checkpoint, and with all of it again."""
    folder, ballast = disk / "checkpoints", disk / "ballast"
    snapshots[0].save(folder / "step-1")
    needed = sum(path.stat().st_size for path in (folder / "step-1").iterdir())
    tally = Tally()
    for number in range(N_ROOMS):
        fill(ballast, leave=number * int(1.5 * needed) // N_ROOMS)
        outcome = try_to_save(snapshots[1], folder / "step-2")
        wanted = {"step-2": snapshots[1]} if outcome == "saved" else {"step-1": snapshots[0]}
        tally.add(outcome, faults_of(latest_checkpoint(folder), wanted), f"room {number}")
        shutil.rmtree(folder / "step-2", ignore_errors=True)
        ballast.unlink()
    outcome = try_to_save(snapshots[1], folder / "step-2")
    tally.add(f"{outcome} with room again", faults_of(latest_checkpoint(folder), {"step-2": snapshots[1]}), "at last")
    return tally


def fill(ballast: Path, leave: int) -> None:
    """Fills a disk up to its last byte but `leave`."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    os.truncate(ballast, max(0, ballast.stat().st_size - leave))


def read_only(disk: Path, snapshots: list[Snapshot]) -> Tally:
    """Saves on a disk that is read-only from before the save, or from inside it."""
    folder = disk / "checkpoints"
    snapshots[0].save(folder / "step-1")
    (folder / ".tmp-step-7").mkdir()  # a killed writer's, which nobody can tidy up now
    tally = Tally()
    lock = lambda: run("mount", "-o", "remount,ro", str(disk))  # noqa: E731
    for before, inside in ((lock, lambda: None), (lambda: None, lock)):
        before()
        outcome = try_to_save(snapshots[1], folder / "step-2", inside)
        tally.add(outcome, faults_of(latest_checkpoint(folder), {"step-1": snapshots[0]}), "read-only")
        run("mount", "-o", "remount,rw", str(disk))
    outcome = try_to_save(snapshots[1], folder / "step-2")
    tally.add(f"{outcome} when writable again", faults_of(latest_checkpoint(folder), {"step-2": snapshots[1]}), "rw")
    return tally


def failing_device(work: Path, snapshots: list[Snapshot]) -> Tally:
    """Saves on a file system whose device takes no more blocks: its file lies on a tmpfs that is full."""
    tally = Tally()
    with tmpfs(work / "device", 8 << 20) as device:
        for number in range(10):
            image, ballast = device / f"image-{number}", device / "ballast"
            with ext4(image, 64 << 20) as disk:
                snapshots[0].save(disk / "step-1")
                run("sync")
                fill(ballast, leave=number * 8192)
                outcome = try_to_save(snapshots[1], disk / "step-2")
                wanted = {"step-2": snapshots[1]} if outcome == "saved" else {"step-1": snapshots[0]}
                tally.add(outcome, faults_of(latest_checkpoint(disk), wanted), f"device {number}, still failing")
                ballast.unlink()
            with mounted(image.with_suffix(".mounted"), "-o", "loop", str(image)) as disk:
                found = latest_checkpoint(disk)
                wanted = {"step-1": snapshots[0]} | (
                    {"step-2": snapshots[1]} if found and found.name == "step-2" else {}
                )
                tally.add("found after mounting again", faults_of(found, wanted), f"device {number}, mounted again")
            image.unlink()
    return tally
