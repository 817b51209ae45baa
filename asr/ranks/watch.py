"""A watch over all ranks, kept by each: one that dies or gets stuck stops the others, and is named.

Every rank writes into the common store where it stands, and a thread of its own adds a sign of life every second. So
each can tell which rank is silent (dead, or frozen) and which one the others are waiting for.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

# What a rank does in a step, in this order; who is behind is the one the others wait for.
PHASES = ("validating", "gathering", "saving", "loading", "computing", "adding up")
SILENT_S = 30.0  # without a sign of life: dead or frozen
SILENT_AFTER_LOSS_S = 5.0  # the same, once a connection broke
# Before a rank leaves that has found the culprit: the others find it, too, and do not take this one for it. The common
# store may live in the first, which stays longest.
STAYS_S = 3.0
N_NAMED = 8  # utterances in a message
_LOST = ("gloo", "nccl", "connection", "timed out", "socket", "broken pipe", "store")


class RankError(RuntimeError):
    """A rank died or got stuck; the message names it, its machine and its utterances."""


@dataclass
class Seen:
    """What was last seen of a rank, and when (on this process's clock) it last changed."""

    place: dict[str, Any]
    moved_s: float
    life: int
    alive_s: float


class Watch:
    """Watches from the first call of `at`.

    Args:
        store: Common to all ranks.
        rank: Of this process.
        n_ranks: How many there are.
        timeout_s: Seconds without progress of any rank that are too many.
    """

    def __init__(self, store: dist.Store, rank: int, n_ranks: int, timeout_s: float) -> None:
        self.rank = rank
        self.timeout_s = timeout_s
        self._store = store.clone()  # type: ignore[attr-defined]  # torch does not declare it
        self._looking = store.clone()  # type: ignore[attr-defined]  # a connection of its own: the thread must not wait for the loop's
        self._n_moves = 0
        self._life = 0
        self._lost = False
        self._seen = {other: Seen({}, 0.0, 0, 0.0) for other in range(n_ranks)}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="watch over ranks", daemon=True)

    def at(self, step: int, doing: str, ids: Sequence[str] = ()) -> None:
        """Writes down where this rank stands.

        Args:
            step: The optimizer step.
            doing: One of `PHASES`.
            ids: Utterances at hand.
        """
        if doing not in PHASES:
            raise ValueError(f"{doing!r}: expected one of {PHASES}")
        self._n_moves += 1
        more = f" and {len(ids) - N_NAMED} more" if len(ids) > N_NAMED else ""
        named = ", ".join(ids[:N_NAMED]) + more
        host = socket.gethostname()
        place = {"move": self._n_moves, "step": step, "doing": doing, "utterances": named, "host": host}
        self._store.set(f"place-{self.rank}", json.dumps(place))
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()

    def close(self) -> None:
        """Ends the watch; what a rank does alone after it, nobody waits for."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Turns a broken connection inside into an error that names the rank that broke it.

        Raises:
            RankError: See there.
        """
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, dist.DistError) or any(word in str(error).lower() for word in _LOST):
                raise RankError(self._blame_for_loss()) from error
            raise

    def _keep(self) -> None:
        while not self._ended.wait(1.0):
            try:
                self._look()
            except RuntimeError:
                if not self._ended.wait(SILENT_AFTER_LOSS_S) and not self._lost:
                    self._leave("lost the common store, and with it the first rank or its machine")
                return
            if self._lost:
                continue  # the loop knows already that something is wrong, and asks who it was
            now = time.monotonic()
            silent = [rank for rank, seen in self._seen.items() if now - seen.alive_s > SILENT_S]
            still = all(now - seen.moved_s > self.timeout_s for seen in self._seen.values())
            if silent:
                self._leave(f"no sign of life for {SILENT_S:g} s from {self._describe(silent)}")
            elif still:
                self._leave(f"no progress for {self.timeout_s:g} s; {self._describe(self._behind())}")

    def _look(self) -> None:
        self._life += 1
        self._looking.set(f"life-{self.rank}", str(self._life))
        now = time.monotonic()
        for other, seen in self._seen.items():
            if not self._looking.check([f"place-{other}", f"life-{other}"]):
                seen.moved_s = seen.alive_s = seen.moved_s or now  # not there yet: its time runs from now
                continue
            place, life = json.loads(self._looking.get(f"place-{other}")), int(self._looking.get(f"life-{other}"))
            if place != seen.place:
                seen.place, seen.moved_s = place, now
            if life != seen.life:
                seen.life, seen.alive_s = life, now

    def _behind(self) -> list[int]:
        """The ranks that the others wait for; all of them where none is ahead."""
        places = {rank: _order(seen.place) for rank, seen in self._seen.items()}
        return [rank for rank, place in places.items() if place == min(places.values())]

    def _blame_for_loss(self) -> str:
        """Waits until a dead rank has been silent long enough to be told from the living, and names it."""
        self._lost = True
        deadline = time.monotonic() + SILENT_AFTER_LOSS_S + 2.0
        while time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(0.5)
            now = time.monotonic()
            silent = [rank for rank, seen in self._seen.items() if now - seen.alive_s > SILENT_AFTER_LOSS_S]
            if silent and self.rank not in silent:
                return f"lost {self._describe(silent)}"
        return f"lost the connection to another rank; {self._describe(self._behind())}"

    def _describe(self, ranks: list[int]) -> str:
        return "; ".join(_sentence(rank, self._seen[rank].place) for rank in ranks)

    def _leave(self, why: str) -> None:
        """Ends this process from the thread: its loop waits for a rank that will never answer."""
        print(
            f"asr: rank {self.rank}: {why}; stopped, the same command goes on from the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(STAYS_S if self.rank else 2 * STAYS_S)
        os._exit(1)


def _order(place: dict[str, Any]) -> tuple[int, int]:
    return (place["step"], PHASES.index(place["doing"])) if place else (-1, 0)


def _sentence(rank: int, place: dict[str, Any]) -> str:
    if not place:
        return f"rank {rank}, which never started"
    utterances = f": {place['utterances']}" if place["utterances"] else ""
    return f"rank {rank} on {place['host']}, at step {place['step']} {place['doing']}{utterances}"
