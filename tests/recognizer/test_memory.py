"""What was freed among small things that are kept goes back to the system."""

import sys
from pathlib import Path

import pytest

from asr.recognizer.memory import _malloc_trim, give_back_memory

SIZE = 100_000  # below what glibc maps by itself
N = 2_000


def resident_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(fields["VmRSS"].split()[0])


@pytest.mark.skipif(sys.platform != "linux" or _malloc_trim() is None, reason="asks glibc")
def test_freed_memory_goes_back() -> None:
    large, kept = [], []
    for _ in range(N):
        large.append(bytearray(b"x" * SIZE))
        kept.append(bytes(1000))
    before = resident_bytes()
    large.clear()
    give_back_memory()
    assert before - resident_bytes() > 0.8 * N * SIZE
    assert len(kept) == N


def test_other_systems_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    give_back_memory()
