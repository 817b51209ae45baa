"""What the ranks of test_group.py do: argument 1 names the case."""

import os
import sys
import time
from pathlib import Path

import torch

from asr.ranks.group import Ranks, join_ranks


def agree(ranks: Ranks) -> None:
    assert ranks.gather({"rank": ranks.rank, "text": "ä" * ranks.rank})[1] == {"rank": 1, "text": "ä"}
    total = ranks.sum(torch.tensor([1.0, ranks.rank], dtype=torch.float64))
    assert total.tolist() == [ranks.n_ranks, sum(range(ranks.n_ranks))]
    for n_items in range(8):
        items = [f"item {number}" for number in range(n_items)]
        assert ranks.in_order([item.upper() for item in ranks.share(items)]) == [item.upper() for item in items]


def take_turns(ranks: Ranks) -> None:
    path = Path(sys.argv[2])

    def make() -> str:
        if ranks.is_first:
            time.sleep(1.0)
            assert not path.exists()
            path.write_text("made by the first")
        return path.read_text()

    assert ranks.first_alone(make) == "made by the first"


def die(ranks: Ranks) -> None:
    for step in range(100):
        ranks.at(step, "computing", [f"utt-{step}-{ranks.rank}"])
        if ranks.rank == 1 and step == 3:
            time.sleep(2.0)  # time for signs of life
            os._exit(9)
        ranks.at(step, "adding up", [f"utt-{step}-{ranks.rank}"])
        ranks.sum(torch.zeros(1))


def hang(ranks: Ranks) -> None:
    for step in range(100):
        ranks.at(step, "computing", [f"utt-{step}-{ranks.rank}"])
        if ranks.rank == 1 and step == 3:
            time.sleep(1000.0)
        ranks.at(step, "adding up", [f"utt-{step}-{ranks.rank}"])
        ranks.sum(torch.zeros(1))


def be_slow(ranks: Ranks) -> None:
    for step in range(4):
        ranks.at(step, "computing", [f"utt-{step}-{ranks.rank}"])
        time.sleep(4.0 if ranks.rank == 1 else 0.0)  # less than the limit in each step, more in all
        ranks.at(step, "adding up")
        ranks.sum(torch.zeros(1))


if __name__ == "__main__":
    with join_ranks(timeout_s=6.0) as us:
        {"agree": agree, "take_turns": take_turns, "die": die, "hang": hang, "be_slow": be_slow}[sys.argv[1]](us)
    print("done")
