"""How this process asks the system for memory: large tensors of one step or batch are kept for the next."""

import ctypes
import os
import sys
from collections.abc import Callable

# From glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 1 << 30  # bytes


def keep_memory() -> None:
    """Stops handing memory back to the system after each large tensor, and asks for large pages.

    By default glibc maps every allocation of some megabytes anew and the kernel clears it page by page: a third of a
    training step on a CPU, and of listening to a batch. To be called before the first tensor is made; elsewhere than on
    Linux with glibc it does nothing. Memory in use at the heaviest batch stays the process's own.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch then aligns large tensors and advises large pages
    mallopt = of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library, by name; None elsewhere than on Linux, or where the library has none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
