"""Which utterances make up which step: a pure function of (manifest, seed, step).

Utterances are sorted by duration into buckets of about equal seconds. A bucket's batches are as even as possible and
hold at most `batch_s` padded seconds, so their number is the same in every epoch, a step knows its epoch by one
division, and the position of a run is one integer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from asr.corpora.manifest import Utterance
from asr.dataset.draws import draw_key, generator


class DataError(ValueError):
    """Utterances that cannot be trained on; the message names them."""


@dataclass(frozen=True)
class Planned:
    """One utterance in a batch: which (index into the manifest), played how fast, and its key for other draws."""

    index: int
    speed: float
    key: int


class BatchPlan:
    """The order of training, computed when asked for.

    Args:
        utterances: The training set.
        batch_s: Padded seconds a batch may hold, after speed perturbation.
        n_buckets: Groups of similar duration that batches are drawn from.
        speeds: Playing speeds, drawn evenly per utterance and epoch.
        max_duration_s: Longest utterance allowed.
        seed: Of the run.

    Raises:
        DataError: No utterance, or some longer than `max_duration_s`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        batch_s: float,
        n_buckets: int,
        speeds: Sequence[float],
        max_duration_s: float,
        seed: int,
    ) -> None:
        _check(utterances, max_duration_s)
        self.ids = [utterance.id for utterance in utterances]
        self.speeds = tuple(speeds)
        self.seed = seed
        durations = [utterance.duration_s / min(speeds) for utterance in utterances]
        self.buckets = _buckets(durations, n_buckets)
        self.n_batches = [_n_batches([durations[index] for index in bucket], batch_s) for bucket in self.buckets]
        self.steps_per_epoch = sum(self.n_batches)
        self._epoch = lru_cache(maxsize=2)(self._plan_epoch)

    def batch(self, step: int) -> list[Planned]:
        """Names the utterances of optimizer step 0, 1, 2, …"""
        epoch, position = divmod(step, self.steps_per_epoch)
        return [self._planned(index, epoch) for index in self._epoch(epoch)[position]]

    def heaviest(self, weights: Sequence[float]) -> list[Planned]:
        """Names a batch as heavy as any that may come, for a trial before the first step.

        Args:
            weights: What an utterance weighs, such as its seconds or its tokens; a batch weighs its size times its
                heaviest.
        """
        sizes = [-(-len(bucket) // n) for bucket, n in zip(self.buckets, self.n_batches, strict=True)]
        heavy_first = [sorted(bucket, key=lambda index: (-weights[index], index)) for bucket in self.buckets]
        worst = max(range(len(sizes)), key=lambda rank: sizes[rank] * weights[heavy_first[rank][0]])
        chosen = heavy_first[worst][: sizes[worst]]
        return [Planned(index, min(self.speeds), draw_key(self.seed, "trial", self.ids[index])) for index in chosen]

    def _plan_epoch(self, epoch: int) -> list[list[int]]:
        draws = generator(self.seed, epoch, "order")
        batches = []
        for bucket, n_batches in zip(self.buckets, self.n_batches, strict=True):
            order = draws.sample(bucket, len(bucket))
            batches += [order[start::n_batches] for start in range(n_batches)]
        draws.shuffle(batches)
        return batches

    def _planned(self, index: int, epoch: int) -> Planned:
        key = draw_key(self.seed, epoch, self.ids[index])
        return Planned(index, self.speeds[key % len(self.speeds)], key)


def in_order(utterances: Sequence[Utterance], batch_s: float) -> list[list[int]]:
    """Cuts a set into batches of similar duration for decoding: indices, longest first, at most `batch_s` each."""
    order = sorted(range(len(utterances)), key=lambda index: (-utterances[index].duration_s, index))
    batches: list[list[int]] = []
    for index in order:
        longest = utterances[batches[-1][0]].duration_s if batches else 0.0
        if batches and longest * (len(batches[-1]) + 1) <= batch_s:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _check(utterances: Sequence[Utterance], max_duration_s: float) -> None:
    if not utterances:
        raise DataError("no utterance to train on: the manifests under data.train are empty")
    long = [
        f"{utterance.id} ({utterance.duration_s:.1f} s)"
        for utterance in utterances
        if utterance.duration_s > max_duration_s
    ]
    if long:
        raise DataError(
            f"{len(long)} utterances are longer than data.max_duration_s = {max_duration_s:g}: "
            f"{', '.join(long[:5])}{' …' if len(long) > 5 else ''}; raise the limit or cut them"
        )


def _buckets(durations: Sequence[float], n_buckets: int) -> list[list[int]]:
    """Splits indices, sorted by duration, into groups of about equal total duration."""
    order = sorted(range(len(durations)), key=lambda index: (durations[index], index))
    total, reached, bounds = sum(durations), 0.0, [0]
    for position, index in enumerate(order, 1):
        reached += durations[index]
        if reached >= total * len(bounds) / n_buckets - 1e-6 and position < len(order):
            bounds.append(position)
    bounds.append(len(order))
    return [order[start:end] for start, end in pairwise(bounds) if end > start]


def _n_batches(durations: Sequence[float], batch_s: float) -> int:
    """Fewest even batches of a bucket such that none exceeds `batch_s` (one utterance always fits)."""
    largest = max(1, int(batch_s / max(durations)))
    return -(-len(durations) // largest)
