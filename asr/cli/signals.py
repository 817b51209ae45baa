"""Keeps signals away from the threads that compute."""

import _thread
import signal
import threading
from collections.abc import Iterable

WITH_HANDLERS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
"""Those for which Python, torch or we have a handler; the others' default actions disturb nobody."""


def take_signals_aside(numbers: Iterable[signal.Signals] = WITH_HANDLERS) -> None:
    """Lets a thread of its own wait for signals, and tell the main thread of them.

    oneDNN's LSTM does not survive being interrupted by a signal's handler on a CPU: the frame that the kernel lays on
    the stack destroys what the LSTM has there, and the process dies of a corrupted heap (torch 2.11.0; within seconds
    at a thousand signals per second, once in some tens of Ctrl-C or SIGTERM). So the handlers, which are set and act
    as ever, are not called by the system but between two of Python's own instructions.

    To be called before any thread is started: those that compute inherit that the signals are held back.

    Args:
        numbers: Which signals.
    """
    held = set(numbers)
    signal.pthread_sigmask(signal.SIG_BLOCK, held)
    threading.Thread(target=_pass_on, args=(held,), name="signals", daemon=True).start()


def _pass_on(held: set[signal.Signals]) -> None:
    while True:
        number = signal.Signals(signal.sigwait(held))
        if signal.getsignal(number) is signal.SIG_DFL:  # to most, that is to end the process
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
            signal.raise_signal(number)
            signal.pthread_sigmask(signal.SIG_BLOCK, {number})
        _thread.interrupt_main(number)
