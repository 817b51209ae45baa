"""Gives freed memory back to the system, for processes that run for hours."""

import ctypes
import sys
from collections.abc import Callable


def give_back_memory() -> None:
    """Returns what was freed and lies between what is still held.

    What is kept of each stretch, a few kilobytes of words, ends up among the tensors of its batch, and glibc gives the
    system nothing back that lies below the last such place: memory would grow for hours (scripts/README.md, "Joined
    recordings"). Does nothing where the C library is another.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
