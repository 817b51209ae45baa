"""The processes that work as one: who this one is, its share of the work, and how all of them agree.

`torchrun` (or any launcher that sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT) starts the processes, called ranks.
What they tell each other is numbers and JSON; nothing is pickled.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from asr.ranks.watch import RankError, Watch

Item = TypeVar("Item")
BACKEND = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
# A collective may wait for a rank that saves or validates; a rank that does nothing at all is the watch's affair.
PATIENCE = timedelta(hours=1)
JOINING_S = 600.0  # from the first rank's start to the last one's


class Ranks:
    """This process among the others.

    Args:
        rank: Of this process, from 0.
        n_ranks: How many there are.
        watch: Tells the others where this one stands; None for a process alone.
    """

    def __init__(self, rank: int = 0, n_ranks: int = 1, watch: Watch | None = None) -> None:
        self.rank = rank
        self.n_ranks = n_ranks
        self.watch = watch

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks for all."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This rank's part of a list: dealt out like cards, so shares differ by one at most."""
        return list(items[self.rank :: self.n_ranks])

    def first_alone(self, make: Callable[[], Item]) -> Item:
        """Lets the first rank do something before the others do: what it leaves on the disk, they find there."""
        made = [make()] if self.is_first else []
        self.gather(None)
        return made[0] if made else make()

    def at(self, step: int, doing: str, ids: Sequence[str] = ()) -> None:
        """Tells the others what this one is about to do, and with which utterances; see `Watch.at`."""
        if self.watch:
            self.watch.at(step, doing, ids)

    def sum(self, values: Tensor) -> Tensor:
        """Adds up a CPU tensor over the ranks; every one gets the same bits."""
        if self.n_ranks > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in their order, for every rank; values are what JSON can hold, and come back as such."""
        text = json.dumps(value).encode()
        if self.n_ranks == 1:
            return [json.loads(text)]
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.n_ranks)]
        dist.all_gather(sizes, torch.tensor([len(text)]))
        widest = int(max(sizes))
        mine = torch.frombuffer(bytearray(text.ljust(widest)), dtype=torch.uint8)
        texts = [torch.empty(widest, dtype=torch.uint8) for _ in range(self.n_ranks)]
        dist.all_gather(texts, mine)
        return [json.loads(bytes(each.numpy())) for each in texts]

    def in_order(self, shared: Sequence[Any]) -> list[Any]:
        """Puts together what the ranks made of their shares: the inverse of `share`, for every rank."""
        parts = self.gather(list(shared))
        whole: list[Any] = [None] * sum(len(part) for part in parts)
        for rank, part in enumerate(parts):
            whole[rank :: self.n_ranks] = part
        return whole


@contextmanager
def join_ranks(timeout_s: float) -> Iterator[Ranks]:
    """Joins the processes that a launcher started together with this one; alone, does nothing.

    Args:
        timeout_s: Seconds without progress of any rank after which all are stopped.

    Raises:
        RankError: Another rank died; the message names it and what it was doing.
    """
    if not launched(os.environ):
        yield Ranks()
        return
    store, rank, n_ranks = next(rendezvous("env://"))
    store = unwritten(store, rank, n_ranks)
    dist.init_process_group(BACKEND, store=store, rank=rank, world_size=n_ranks, timeout=PATIENCE)
    watch = Watch(store, rank, n_ranks, timeout_s)
    try:
        with watch.blaming():
            yield Ranks(rank, n_ranks, watch)
            dist.barrier()  # the store lives in one of them: none may leave before all are done
    finally:
        watch.close()
    dist.destroy_process_group()


def unwritten(store: dist.Store, rank: int, n_ranks: int) -> dist.Store:
    """A part of the store in which no earlier processes have written.

    `torchrun --max-restarts` starts processes anew beside the store of the dead, whose addresses the new ones would
    then call for ever (pytorch issue 135712; its restart count differs between machines). So each rank but the first
    greets with a name never used before, and the first answers under that name with one for all.
    """
    own = uuid.uuid4().hex
    if rank:
        store.set(f"greeting-{rank}", own)
        name = store.get(f"answer-{own}").decode()
        store.set(f"joined-{name}-{rank}", "")
        return dist.PrefixStore(name, store)
    missing = list(range(1, n_ranks))
    deadline = time.monotonic() + JOINING_S
    while missing:
        for other in missing:
            if store.check([f"greeting-{other}"]):  # perhaps a dead one's: then nobody reads the answer
                store.set(f"answer-{store.get(f'greeting-{other}').decode()}", own)
        time.sleep(0.05)
        missing = [other for other in missing if not store.check([f"joined-{own}-{other}"])]
        if time.monotonic() > deadline:
            raise RankError(f"ranks {missing} of {n_ranks} have not joined within {JOINING_S:g} s")
    return dist.PrefixStore(own, store)


def launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process as one of several."""
    return int(environment.get("WORLD_SIZE", "1")) > 1


def local_rank() -> int:
    """Which of the processes on this machine this one is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))
