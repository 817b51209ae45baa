"""A disk that fails, or a process that dies, at the k-th call: for every k, what is left must be whole."""

import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("mkdir", "rename", "fsync", "open", "unlink", "rmdir", "scandir", "listdir", "stat", "lstat")


class Turn:
    """Waits for its turn among calls, then spoils that call, or it and all later ones.

    Args:
        number: Which call, from 0.
        spoil: Raises, or ends the process.
        lasting: Spoil all later calls, too.
    """

    def __init__(self, number: int, spoil: Callable[[], None], lasting: bool) -> None:
        self.number = number
        self.spoil = spoil
        self.lasting = lasting
        self.n_calls = 0

    @property
    def came(self) -> bool:
        return self.n_calls > self.number

    def take(self) -> None:
        self.n_calls += 1
        if self.n_calls == self.number + 1 or (self.lasting and self.came):
            self.spoil()


class SpoiltFile:
    """A file whose every write is a call; a spoilt one writes half."""

    def __init__(self, file: Any, turn: Turn) -> None:
        self.file = file
        self.turn = turn

    def __enter__(self) -> "SpoiltFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, data: Any) -> int:
        half = len(data) // 2
        self.file.write(data[:half])
        self.file.flush()
        self.turn.take()
        return half + self.file.write(data[half:])


@contextmanager
def spoilt_calls(turn: Turn) -> Iterator[None]:
    """Every call of Python to the disk takes its turn first."""

    def taking(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            turn.take()
            return real(*args, **options)

        return call

    real_open = io.open

    def opening(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        turn.take()
        file = real_open(path, mode, *args, **options)
        return SpoiltFile(file, turn) if "w" in mode else file

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, taking(getattr(os, name)))
        patch.setattr(io, "open", opening)
        yield


def fails(error: int) -> Callable[[], None]:
    """Raises as a disk does."""

    def spoil() -> None:
        raise OSError(error, os.strerror(error))

    return spoil


def dies() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(action: Callable[[], None]) -> int:
    """Runs an action in a copy of this process; 0, or the signal that ended it, negative."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
