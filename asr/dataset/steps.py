"""The batches of training, step by step: this rank's share of each, decoded ahead by worker processes."""

import signal
from collections.abc import Callable, Sequence

from torch.utils.data import DataLoader, Dataset

from asr.audio.noise import NoiseFolder
from asr.corpora.manifest import Utterance
from asr.dataset.batches import Batch, collate
from asr.dataset.plan import Planned, StagedPlan
from asr.text.vocabulary import Vocabulary


def no_noises(_step: int) -> None:
    """For training without recorded noise."""


class TrainingSteps(Dataset[list[Batch]]):
    """Item number `step` is what this rank does in that step, so any worker can make it and resuming needs no replay.

    A step's utterances, longest first, are dealt out like cards to ranks and micro-batches, so shares differ by one
    utterance at most and every rank takes the same number of steps, however many there are.

    Args:
        utterances: The training set.
        plan: Which of them make up which step.
        vocabulary: For what is to be said of them.
        rank: Of this process, from 0.
        n_ranks: Processes that share each step.
        n_micro: Micro-batches that each of them works through in one step.
        noises_at: Recordings of noise that a step's batches bring along.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        plan: StagedPlan,
        vocabulary: Vocabulary,
        rank: int = 0,
        n_ranks: int = 1,
        n_micro: int = 1,
        noises_at: Callable[[int], NoiseFolder | None] = no_noises,
    ) -> None:
        self.utterances = utterances
        self.plan = plan
        self.vocabulary = vocabulary
        self.rank = rank
        self.n_ranks = n_ranks
        self.n_micro = n_micro
        self.noises_at = noises_at

    def __getitem__(self, step: int) -> list[Batch]:
        """Decodes this rank's micro-batches of a step."""
        return self.share(self.plan.batch(step), step)

    def share(self, planned: Sequence[Planned], step: int) -> list[Batch]:
        """Decodes this rank's micro-batches of a batch, with the noise of a step.

        One without utterances gets the first, which counts nothing.
        """
        n_shares = self.n_ranks * self.n_micro
        shares = [planned[self.rank + self.n_ranks * micro :: n_shares] for micro in range(self.n_micro)]
        noises = self.noises_at(step)
        return [
            collate(self.utterances, share or planned[:1], self.vocabulary, noises, counts=bool(share))
            for share in shares
        ]


def training_loader(steps: TrainingSteps, start: int, end: int, n_workers: int) -> DataLoader[list[Batch]]:
    """Yields the batches of steps start..end-1 in order, decoded ahead by `n_workers` processes (0: in this one)."""
    return DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, end),
        num_workers=n_workers,
        prefetch_factor=4 if n_workers else None,
        worker_init_fn=_leave_signals,
        # Forked, they share the manifest's columns and the plan with this process.
        multiprocessing_context="fork" if n_workers else None,
    )


def _leave_signals(_worker: int) -> None:
    """Signals reach every process of the group: the trainer decides what follows, workers end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
