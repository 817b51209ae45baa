"""What was freed among small things that are kept goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

from asr.recognizer.memory import SMALLEST_APART, give_back_memory, large_tensors_apart
from asr.training.memory import of_glibc

SIZE = 100_000  # below what glibc maps by itself
N = 2_000

# Prints how many bytes go back to the system when large things are freed below something that is kept.
GAPS = """
from contextlib import nullcontext
from asr.recognizer.memory import LARGEST_TOGETHER, SMALLEST_APART, _bound, large_tensors_apart

def resident_bytes():
    with open("/proc/self/statm") as file:
        return 4096 * int(file.read().split()[1])

def given_back(how):
    with how:
        large = [bytearray(b"x") * SMALLEST_APART for _ in range(20)]
        kept = bytearray(100_000)
    before = resident_bytes()
    large.clear()
    return before - resident_bytes()

print(given_back(large_tensors_apart()))
_bound(LARGEST_TOGETHER)
print(given_back(nullcontext()))
"""


def resident_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(fields["VmRSS"].split()[0])


with_glibc = pytest.mark.skipif(sys.platform != "linux" or of_glibc("malloc_trim") is None, reason="asks glibc")


@with_glibc
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


@with_glibc
def test_large_tensors_leave_no_gaps() -> None:
    # A process of its own: where the heap has gaps already, they are filled first.
    done = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True)
    apart, on_the_heap = map(int, done.stdout.split())
    assert apart > 0.8 * 20 * SMALLEST_APART
    assert on_the_heap < 0.2 * 20 * SMALLEST_APART


def test_other_systems_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    give_back_memory()
    with large_tensors_apart():
        pass
