"""Memory of a process that listens for hours stays what the largest batch needs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from asr.training.memory import M_MMAP_THRESHOLD, of_glibc

SMALLEST_APART = 1 << 22  # bytes
LARGEST_TOGETHER = 1 << 25  # bytes; what glibc's own bound grows to

N_KERNELS = "64"


def keep_few_kernels() -> None:
    """Lets oneDNN keep 64 of the kernels it has compiled, not 1,024: shapes of a batch seldom come again.

    To be called before the first batch. Decoding is as fast with so few.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", N_KERNELS)


@contextmanager
def large_tensors_apart() -> Iterator[None]:
    """Within it, tensors of 4 MB and more are memory of their own, which goes back to the system with them.

    A listener's tensors have another size in every batch. Among each other on the heap they leave gaps that the next
    ones do not fit in: it grew to three times what was in use (scripts/README.md, "Joined recordings"). Clearing new
    memory costs a twentieth of a transcription; search, with its many tensors that last a step, is better off with the
    heap. Does nothing where the C library is another than glibc.
    """
    _bound(SMALLEST_APART)
    try:
        yield
    finally:
        _bound(LARGEST_TOGETHER)


def give_back_memory() -> None:
    """Returns what was freed and lies between what is still held.

    What is kept of each stretch, a few kilobytes of words, ends up among the tensors of its batch, and glibc gives the
    system nothing back that lies below the last such place. Does nothing where the C library is another.
    """
    trim = of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _bound(n_bytes: int) -> None:
    mallopt = of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, n_bytes)
