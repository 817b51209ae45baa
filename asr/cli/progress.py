"""Progress on stderr, so that stdout holds nothing but results."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def progress_bar(name: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar while the block runs, or a line now and then where there is no terminal; yields (done, total).

    Of several processes that share the work, one has it `shown`.
    """
    if not shown:
        yield lambda done, total: None
        return
    if not sys.stderr.isatty():
        yield _lines(name)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(name: str) -> Callable[[int, int], None]:
    """Progress for a log file."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{name}: {done} of {total}", file=sys.stderr, flush=True)

    return tell


@contextmanager
def pace_bar(measure_total_s: Callable[[], float], shown: bool = True) -> Iterator[Callable[[float], None]]:
    """Shows how much audio is done, how long the rest will take and how many times real time that is.

    Args:
        measure_total_s: Seconds of audio there are, as far as is known; called only where it is shown.
        shown: As of `progress_bar`.

    Yields:
        To be told the seconds of audio that were done since the last call.
    """
    if not shown:
        yield lambda seconds: None
        return
    pace = _Pace(measure_total_s())
    if not sys.stderr.isatty():
        yield pace.as_lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=pace.total_s or None)

        def tell(seconds: float) -> None:
            pace.add(seconds)
            bar.update(task, completed=pace.done_s, description=pace.in_words())

        yield tell


class _Pace:
    """Seconds of audio against seconds of the clock."""

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.done_s = 0.0
        self.start = self.last_line = time.monotonic()

    def add(self, seconds: float) -> None:
        self.done_s += seconds
        self.total_s = max(self.total_s, self.done_s)

    def in_words(self) -> str:
        """Such as `0:01:00 of 0:10:00, 12.0 × real time, 0:00:45 left`."""
        rate = self.done_s / max(1e-9, time.monotonic() - self.start)
        left = clock((self.total_s - self.done_s) / rate) if rate > 0 else "?"
        return f"{clock(self.done_s)} of {clock(self.total_s)}, {rate:.1f} × real time, {left} left"

    def as_lines(self, seconds: float) -> None:
        """Progress for a log file."""
        self.add(seconds)
        if time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            print(self.in_words(), file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"
