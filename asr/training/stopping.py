"""SIGINT and SIGTERM as a question that the training loop asks."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals(patient: bool) -> Iterator[Callable[[], bool]]:
    """Turns the first SIGINT or SIGTERM into a question; the second acts as ever.

    Args:
        patient: Also take later signals as the first: launchers of several processes send both.
    """
    received: list[int] = []

    def remember(number: int, _frame: object) -> None:
        received.append(number)
        if not patient:
            restore()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        restore()
