"""What a run tells while it runs: a progress bar, train.log, metrics.jsonl and TensorBoard."""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

QUIET_S = 30.0  # where no bar can be drawn, a line this often shows that the run lives


class RunLog:
    """Writes one run's progress to the screen and to its folder.

    Args:
        folder: The experiment.
        n_steps: Steps of the whole run.
        start: Steps done before (a resumed run).
        quiet: Write to the folder only.
    """

    def __init__(self, folder: Path, n_steps: int, start: int, quiet: bool = False) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a fifth of a second that only training has

        folder.mkdir(parents=True, exist_ok=True)
        self.console = Console(highlight=False, quiet=quiet)
        self._lines = (folder / "train.log").open("a", encoding="utf-8")
        _forget_after(folder / "metrics.jsonl", start)
        self._metrics = (folder / "metrics.jsonl").open("a", encoding="utf-8")
        self._board = SummaryWriter(folder / "tensorboard", purge_step=start)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("train", total=n_steps, completed=start, status="")
        self._n_steps = n_steps
        self._last_line = time.monotonic()

    def __enter__(self) -> "RunLog":
        """Starts the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the bar and the files."""
        self._bar.stop()
        self._lines.close()
        self._metrics.close()
        self._board.close()

    def progress(self, step: int, status: str) -> None:
        """Moves the bar, or now and then prints a line where there is none."""
        self._bar.update(self._task, completed=step, status=status)
        if not self.console.is_terminal and time.monotonic() - self._last_line > QUIET_S:
            self.line(f"step {step}/{self._n_steps}  {status}")

    def line(self, text: str) -> None:
        """Prints a line and keeps it in train.log."""
        self.console.print(text, markup=False, soft_wrap=True)
        self._lines.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        self._lines.flush()
        self._last_line = time.monotonic()

    def metrics(self, group: str, step: int, values: dict[str, float]) -> None:
        """Records numbers under train/… or dev/… in metrics.jsonl and TensorBoard."""
        row: dict[str, Any] = {"step": step, "group": group, **values}
        self._metrics.write(json.dumps(row) + "\n")
        self._metrics.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{group}/{name}", value, step)

    def picture(self, tag: str, step: int, path: Path) -> None:
        """Shows a PNG in TensorBoard."""
        from matplotlib import image

        self._board.add_image(tag, image.imread(path)[..., :3], step, dataformats="HWC")


def _forget_after(path: Path, step: int) -> None:
    """Drops rows that a resumed run will write again: of later steps, of the final average, or cut off by a kill."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            row = json.loads(line)
            is_past = row["step"] <= step and row["group"] != "average"
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if is_past:
            kept.append(line)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text("".join(kept), encoding="utf-8")
    draft.replace(path)
