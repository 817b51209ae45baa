"""Which utterances make up which step: a pure function of (manifest, seed, step).

Utterances are sorted by duration into buckets of about equal seconds. A bucket's batches are as even as possible and
hold at most `batch_s` padded seconds and `batch_tokens` padded tokens, so their number is the same in every epoch, a
step knows its epoch by one division, and the position of a run is one integer.

How many processes share a step is not the plan's affair: a batch comes longest first and is dealt out like cards
(`asr.dataset.steps`), so every process takes the same number of steps, and the run is the same on any number of them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.corpora.manifest import Utterance
from asr.dataset.draws import draw_key

Indices = NDArray[np.int64]


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
        utterances: The training set; asked for its ids alone.
        seconds: (n,) their durations.
        n_tokens: (n,) their tokens.
        batch_s: Padded seconds a batch may hold, after speed perturbation.
        batch_tokens: Padded tokens a batch may hold; None does not bound them.
        n_buckets: Groups of similar duration that batches are drawn from.
        speeds: Playing speeds, drawn evenly per utterance and epoch.
        max_duration_s: Longest utterance allowed.
        seed: Of the run.
        only_up_to_s: Leave longer utterances out of this plan; None takes all.

    Raises:
        DataError: No utterance, or some longer than `max_duration_s`.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        seconds: NDArray[np.float64],
        n_tokens: NDArray[np.integer],
        batch_s: float,
        batch_tokens: int | None,
        n_buckets: int,
        speeds: Sequence[float],
        max_duration_s: float,
        seed: int,
        only_up_to_s: float | None = None,
    ) -> None:
        self.utterances = utterances
        self.speeds = tuple(speeds)
        self.seed = seed
        self.seconds = seconds
        _check(utterances, seconds, max_duration_s, only_up_to_s)
        self.buckets = _buckets(seconds, n_buckets, only_up_to_s)
        self.n_batches = [
            max(
                _n_batches(len(bucket), float(seconds[bucket].max()) / min(speeds), batch_s),
                _n_batches(len(bucket), float(n_tokens[bucket].max()), batch_tokens or np.inf),
            )
            for bucket in self.buckets
        ]
        self._first = [0, *accumulate(self.n_batches)]  # the number of each bucket's first batch, and of all batches
        self.steps_per_epoch = self._first[-1]
        self._epoch = lru_cache(maxsize=2)(self._plan_epoch)

    def batch(self, step: int) -> list[Planned]:
        """Names the utterances of optimizer step 0, 1, 2, …, longest first."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order, places = self._epoch(epoch)
        number = int(places[position])
        which = bisect_right(self._first, number) - 1
        batch = order[which][number - self._first[which] :: self.n_batches[which]]
        longest_first = batch[np.argsort(-self.seconds[batch], kind="stable")]
        return [self._planned(int(index), epoch) for index in longest_first]

    def heaviest(self, weights: NDArray[Any]) -> list[Planned]:
        """Names a batch as heavy as any that may come, for a trial before the first step.

        Args:
            weights: (n,) what each utterance weighs, such as its seconds or its tokens; a batch weighs its size times
                its heaviest.
        """
        sizes = [-(-len(bucket) // n) for bucket, n in zip(self.buckets, self.n_batches, strict=True)]
        worst = max(range(len(sizes)), key=lambda rank: sizes[rank] * float(weights[self.buckets[rank]].max()))
        bucket = self.buckets[worst]
        chosen = bucket[np.argsort(-weights[bucket], kind="stable")][: sizes[worst]]
        slowest = min(self.speeds)
        return [Planned(int(i), slowest, draw_key(self.seed, "trial", self.utterances[int(i)].id)) for i in chosen]

    def _plan_epoch(self, epoch: int) -> tuple[list[Indices], Indices]:
        """Every bucket in the order in which its batches take from it, and the order of all batches."""
        # numpy promises that this generator's streams never change; those of its newer ones may.
        draws = np.random.RandomState(draw_key(self.seed, epoch, "order") % 2**32)
        order = [draws.permutation(bucket) for bucket in self.buckets]
        return order, draws.permutation(self.steps_per_epoch)

    def _planned(self, index: int, epoch: int) -> Planned:
        key = draw_key(self.seed, epoch, self.utterances[index].id)
        return Planned(index, self.speeds[key % len(self.speeds)], key)


class StagedPlan:
    """Plans one after the other.

    Args:
        plans: One per stage.
        ends: The step at which each stage but the last ends.
    """

    def __init__(self, plans: Sequence[BatchPlan], ends: Sequence[int]) -> None:
        self.plans = list(plans)
        self.ends = list(ends)

    @property
    def steps_per_epoch(self) -> int:
        """Of the last stage."""
        return self.plans[-1].steps_per_epoch

    def batch(self, step: int) -> list[Planned]:
        """Names the utterances of a step; each stage counts its epochs from its own first step."""
        stage = bisect_right(self.ends, step)
        return self.plans[stage].batch(step - ([0, *self.ends][stage]))

    def heaviest(self, weights: NDArray[Any]) -> list[Planned]:
        """As `BatchPlan.heaviest`, over all stages."""
        batches = [plan.heaviest(weights) for plan in self.plans]
        return max(batches, key=lambda batch: len(batch) * max(weights[item.index] for item in batch))


def in_order(lengths: Sequence[float], budget: float) -> list[list[int]]:
    """Cuts a set into batches of similar length for decoding: indices, longest first, padded to at most `budget`."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    batches: list[list[int]] = []
    for index in order:
        longest = lengths[batches[-1][0]] if batches else 0.0
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _check(
    utterances: Sequence[Utterance], seconds: NDArray[np.float64], max_duration_s: float, only_up_to_s: float | None
) -> None:
    if not len(utterances):
        raise DataError("no utterance to train on: the manifests under data.train are empty")
    long = np.flatnonzero(seconds > max_duration_s)
    if len(long):
        named = ", ".join(f"{utterances[int(i)].id} ({seconds[i]:.1f} s)" for i in long[:5])
        raise DataError(
            f"{len(long)} utterances are longer than data.max_duration_s = {max_duration_s:g}: "
            f"{named}{' …' if len(long) > 5 else ''}; raise the limit or cut them"
        )
    if only_up_to_s is not None and seconds.min() > only_up_to_s:
        raise DataError(
            f"a stage has max_duration_s = {only_up_to_s:g}, but the shortest utterance takes {seconds.min():.1f} s"
        )


def _buckets(seconds: NDArray[np.float64], n_buckets: int, only_up_to_s: float | None) -> list[Indices]:
    """Splits indices, sorted by duration, into groups of about equal total duration."""
    order = np.argsort(seconds, kind="stable")
    if only_up_to_s is not None:
        order = order[seconds[order] <= only_up_to_s]
    reached = np.cumsum(seconds[order])
    bounds = np.searchsorted(reached, reached[-1] * np.arange(1, n_buckets) / n_buckets - 1e-6) + 1
    return [bucket for bucket in np.split(order, np.unique(bounds.clip(max=len(order)))) if len(bucket)]


def _n_batches(n_utterances: int, heaviest: float, budget: float) -> int:
    """Fewest even batches of a bucket such that none exceeds a budget (one utterance always fits)."""
    largest = max(1, int(min(budget / heaviest, n_utterances))) if heaviest else n_utterances
    return -(-n_utterances // largest)
