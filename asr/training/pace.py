"""Running figures of a training run: losses, speed, and how long it waits for data."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

from asr.dataset.batches import Batch
from asr.training.floor import Floor
from asr.training.learner import Step


class Pace:
    """Means since the last call of `take`, over all ranks; losses are per token, the wait for data is this rank's.

    Args:
        floor: What the speed is measured against.
    """

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.status = ""
        self.restart()

    def restart(self) -> None:
        """Forgets what was; the clock starts now."""
        self._start = time.perf_counter()
        self._sums: Counter[str] = Counter()
        self._wait_s = 0.0
        self._n_steps = 0

    def waiting(self, batches: Iterable[list[Batch]]) -> Iterator[list[Batch]]:
        """Passes batches on, and measures how long each was waited for."""
        remaining = iter(batches)
        while True:
            start = time.perf_counter()
            batch = next(remaining, None)
            self._wait_s += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    def add(self, step: Step) -> None:
        """Takes note of a step."""
        self._n_steps += 1
        figures = step._asdict() | {f"loss_{name}": value for name, value in step.parts.items()}
        del figures["parts"]
        self._sums.update(figures)
        now = self._means()
        unit = {"audio_s": "s audio/s", "tokens": "tokens/s"}[self.floor.unit]
        self.status = (
            f"loss {now['loss']:.3f}  accuracy {now['accuracy']:.3f}  {now[f'{self.floor.unit}_per_s']:.0f} {unit}, "
            f"{now['peak_share']:.0%} of peak  data wait {now['data_wait_share']:.0%}"
        )

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = self._means()
        self.restart()
        return means

    def _means(self) -> dict[str, float]:
        elapsed_s = time.perf_counter() - self._start
        sums, n_tokens = self._sums, max(self._sums["n_tokens"], 1.0)
        units_per_s = sums["audio_s" if self.floor.unit == "audio_s" else "n_tokens"] / elapsed_s
        return {
            "loss": sums["joint"] / n_tokens,
            **{name: total / n_tokens for name, total in sums.items() if name.startswith("loss_")},
            "accuracy": sums["n_correct"] / n_tokens,
            "gradient_norm": sums["gradient_norm"] / max(self._n_steps, 1),
            f"{self.floor.unit}_per_s": units_per_s,
            "peak_share": units_per_s / self.floor.units_per_s,
            "data_wait_share": self._wait_s / elapsed_s,
        }
