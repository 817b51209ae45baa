"""Signals do not destroy what is being computed, and still do what they are for."""

import signal
import subprocess
import sys

import pytest

STORM = """
import signal, time
from asr.cli.signals import take_signals_aside

take_signals_aside([signal.SIGALRM])
import torch

torch.set_num_threads(1)
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
lstm = torch.nn.LSTM(640, 128, batch_first=True)
end = time.process_time() + 3
while time.process_time() < end:
    lstm(torch.randn(20, 75, 640))[0].sum().backward()
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(heard))
"""

LOOP = """
import signal, sys, time
from asr.cli.signals import take_signals_aside

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
take_signals_aside()
if sys.argv[1] == "remember":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
end = time.monotonic() + 30
try:
    while time.monotonic() < end:
        time.sleep(0.01)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_lstm_survives_a_storm_of_signals() -> None:
    done = subprocess.run([sys.executable, "-c", STORM], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.parametrize(
    ("how", "number", "status"),
    [
        ("remember", signal.SIGTERM, 7),
        ("default", signal.SIGTERM, -signal.SIGTERM),
        ("default", signal.SIGINT, 130),
    ],
)
def test_handlers_act_as_ever(how: str, number: signal.Signals, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", LOOP, how], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.wait(timeout=20) == status
