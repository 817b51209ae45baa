"""Running figures of a training run: losses, speed, and how long it waits for data."""

import time
from collections.abc import Iterable, Iterator

from asr.audio.augment import perturbed_lens
from asr.audio.read import RATE_HZ
from asr.dataset.batches import Batch
from asr.models.objective import LossSums


class Pace:
    """Means since the last call of `take`; losses are per token."""

    def __init__(self) -> None:
        self.status = ""
        self.restart()

    def restart(self) -> None:
        """Forgets what was; the clock starts now."""
        self._start = time.perf_counter()
        self._sums = dict.fromkeys(("joint", "attention", "ctc", "n_tokens", "n_correct", "norm", "audio_s"), 0.0)
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

    def add(self, batch: Batch, sums: LossSums, gradient_norm: float) -> None:
        """Takes note of a step."""
        self._n_steps += 1
        self._sums["norm"] += gradient_norm
        self._sums["audio_s"] += float(perturbed_lens(batch.sample_lens, batch.speeds).sum()) / RATE_HZ
        for name, value in sums._asdict().items():
            self._sums[name] += float(value.detach())
        now = self._means()
        self.status = (
            f"loss {now['loss']:.3f}  accuracy {now['accuracy']:.3f}  "
            f"{now['audio_s_per_s']:.0f} s audio/s  data wait {now['data_wait_share']:.0%}"
        )

    def take(self) -> dict[str, float]:
        """The means since the last call."""
        means = self._means()
        self.restart()
        return means

    def _means(self) -> dict[str, float]:
        elapsed_s = time.perf_counter() - self._start
        sums, n_tokens = self._sums, max(self._sums["n_tokens"], 1.0)
        return {
            "loss": sums["joint"] / n_tokens,
            "loss_attention": sums["attention"] / n_tokens,
            "loss_ctc": sums["ctc"] / n_tokens,
            "accuracy": sums["n_correct"] / n_tokens,
            "gradient_norm": sums["norm"] / max(self._n_steps, 1),
            "audio_s_per_s": sums["audio_s"] / elapsed_s,
            "data_wait_share": self._wait_s / elapsed_s,
        }
